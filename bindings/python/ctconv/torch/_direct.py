# SPDX-License-Identifier: Apache-2.0
"""Calls past torch's dispatcher, where it would only hand them on: a small layer then costs little more than its work.

In:  x, weight, bias and a geometry of tuples of ints.   Out: y; or None: the operator of _operators.py computes.
Where a gradient is wanted, the graph gets the operator's own rules.
What is refused goes to the operator, which refuses it in torch's words.
"""

import torch

from .._errors import Error
from . import _engine, _operators
from ._at_rest import at_rest, is_plain, wants_gradient


class _Graph(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, geometry):
        _operators.keep(ctx, (x, weight, bias, *geometry), None)
        return _engine.forward(x, weight, bias, geometry)

    @staticmethod
    def backward(ctx, g):
        return _operators.backward(ctx, g)[:4]


def direct(x, weight, bias, *geometry):
    """geometry: stride, padding, output_padding, groups, dilation."""
    if not (at_rest() and is_plain(x) and is_plain(weight) and (bias is None or is_plain(bias))):
        return None
    if x.dim() != len(geometry[0]) + 2 or weight.dim() != x.dim():
        return None
    try:
        if wants_gradient(x, weight, bias):
            return _Graph.apply(x, weight, bias, geometry)
        return _engine.forward(x, weight, bias, geometry)
    except Error:
        return None
