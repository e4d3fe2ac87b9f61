# SPDX-License-Identifier: Apache-2.0
"""paddle.nn.functional's transposed convolutions (3.3): weight and bias per call, numpy out.

The op of each combination of arguments is kept (the last 64 of them), since descriptors are judged anew otherwise.
"""

import functools
import inspect
import threading

from ..._layer import Layer
from ..._module import arguments_of, given

_OPS_HELD = 64
_ops, _lock = {}, threading.Lock()


def _frozen(value):
    """A key that tells apart what a dialect tells apart: 1, True and 1.0; tuples and lists."""
    if isinstance(value, (tuple, list)):
        return type(value), tuple(_frozen(v) for v in value)
    return type(value), value


def _layer_of(dialect, args):
    key = dialect, tuple((name, _frozen(value)) for name, value in args.items())
    try:
        layer = _ops.get(key)
    except TypeError:  # an argument that cannot be hashed is judged, not kept
        return Layer(dialect, args, None)
    if layer is None:
        layer = Layer(dialect, args, None)
        with _lock:
            if len(_ops) >= _OPS_HELD:
                _ops.pop(next(iter(_ops)))  # the oldest
            _ops[key] = layer
    return layer


def _functional(function):
    """Decorates an empty function of the original's signature."""
    signature, dialect = inspect.signature(function), f"paddle.nn.functional.{function.__name__}"

    @functools.wraps(function)
    def call(*args, **kwargs):
        scope = arguments_of(signature, args, kwargs)
        x, weight, bias = (scope.pop(name) for name in ("x", "weight", "bias"))
        args = given(signature, scope)
        args.pop("name", None)  # a label for the original's graph
        return _layer_of(dialect, args)(x, weight=weight, bias=bias)

    return call


@_functional
def conv1d_transpose(
    x,
    weight,
    bias=None,
    stride=1,
    padding=0,
    output_padding=0,
    groups=1,
    dilation=1,
    output_size=None,
    data_format="NCL",
    name=None,
):
    """paddle.nn.functional.conv1d_transpose."""


@_functional
def conv2d_transpose(
    x,
    weight,
    bias=None,
    stride=1,
    padding=0,
    output_padding=0,
    dilation=1,
    groups=1,
    output_size=None,
    data_format="NCHW",
    name=None,
):
    """paddle.nn.functional.conv2d_transpose; note dilation before groups."""


@_functional
def conv3d_transpose(
    x,
    weight,
    bias=None,
    stride=1,
    padding=0,
    output_padding=0,
    groups=1,
    dilation=1,
    output_size=None,
    data_format="NCDHW",
    name=None,
):
    """paddle.nn.functional.conv3d_transpose."""
