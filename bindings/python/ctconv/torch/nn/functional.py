# SPDX-License-Identifier: Apache-2.0
"""torch.nn.functional's conv_transpose1d, 2d and 3d, computed by libctconv.

In:  torch's own arguments.   Out: y, with the autograd graph of _operators.py.
An unbatched input is a batch of one. A call that is not in the plain form of the documentation is put to torch's own
function: it raises what torch raises. Where torch would take it, ctconv says that it does not.
"""

import torch

from .. import _operators
from .._direct import direct

_TORCHS = {rank: getattr(torch.nn.functional, f"conv_transpose{rank}d") for rank in (1, 2, 3)}
_INTS = (int, torch.SymInt)


def _ints(value, rank):
    """`rank` ints as torch reads them, or None."""
    if type(value) is tuple and len(value) == rank and set(map(type, value)) == {int}:
        return value
    if isinstance(value, _INTS) and not isinstance(value, bool):
        return [value] * rank
    if not isinstance(value, (tuple, list)):
        return None
    if len(value) == 1:
        value = list(value) * rank
    plain = len(value) == rank and all(isinstance(one, _INTS) and not isinstance(one, bool) for one in value)
    return list(value) if plain else None


def _is_plain(rank, tensors, geometry, groups):
    """Whether the operators may be asked; extents and element types are theirs to judge."""
    x, weight, bias = tensors
    if not (isinstance(x, torch.Tensor) and isinstance(weight, torch.Tensor)):
        return False
    if not (bias is None or isinstance(bias, torch.Tensor)):
        return False
    if None in geometry or not isinstance(groups, _INTS) or isinstance(groups, bool):
        return False
    return x.dim() in (rank + 1, rank + 2) and weight.dim() == rank + 2 and x.layout == weight.layout == torch.strided


def _run(rank, x, weight, bias, stride, padding, output_padding, groups, dilation):
    geometry = [_ints(value, rank) for value in (stride, padding, output_padding, dilation)]
    if type(groups) is int and all(type(one) is tuple for one in geometry):
        y = direct(x, weight, bias, *geometry[:3], groups, geometry[3])
        if y is not None:
            return y
    if not _is_plain(rank, (x, weight, bias), geometry, groups):
        _TORCHS[rank](x, weight, bias, stride, padding, output_padding, groups, dilation)
        raise _operators.not_ours("this form of the call is not taken")
    stride, padding, output_padding, dilation = geometry
    batched = x.dim() == rank + 2
    y = _operators.conv_transpose(
        x if batched else x.unsqueeze(0), weight, bias, stride, padding, output_padding, groups, dilation
    )
    return y if batched else y.squeeze(0)


def conv_transpose1d(
    input,  # noqa: A002
    weight,
    bias=None,
    stride=1,
    padding=0,
    output_padding=0,
    groups=1,
    dilation=1,
):
    """torch.nn.functional.conv_transpose1d."""
    return _run(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    input,  # noqa: A002
    weight,
    bias=None,
    stride=1,
    padding=0,
    output_padding=0,
    groups=1,
    dilation=1,
):
    """torch.nn.functional.conv_transpose2d."""
    return _run(2, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(
    input,  # noqa: A002
    weight,
    bias=None,
    stride=1,
    padding=0,
    output_padding=0,
    groups=1,
    dilation=1,
):
    """torch.nn.functional.conv_transpose3d."""
    return _run(3, input, weight, bias, stride, padding, output_padding, groups, dilation)
