# SPDX-License-Identifier: Apache-2.0
"""Regions: one box of a layer's output, from the whole x or from the window of it that the box reads.

In:  region=(begin, end), an int per spatial axis of y each; maybe x_begin, where a window begins, and the shape of
     the whole x
Out: the fields of a call record; where a window begins as WindowBegin, which remembers the whole x's shape
Refuses: what is no pair of int sequences, another number of entries than spatial axes (MISUSE_REGION); boxes and
windows are judged by the library.
"""

import ctypes
import operator

from . import _abi
from ._abi import lib
from ._errors import raised, refusal, shown

_NOT_WRITTEN = -1


class WindowBegin(tuple):
    """The first positions of a window of x, a tuple of ints. x_shape: of the whole x."""

    def __new__(cls, values, x_shape):
        self = super().__new__(cls, values)
        self.x_shape = tuple(x_shape)
        return self

    def __getnewargs__(self):
        return tuple(self), self.x_shape


def _ints(given, name):
    try:
        return [operator.index(value) for value in given]
    except TypeError:
        text = f"{name} is {shown(given)}; a sequence of ints, one per spatial axis, is needed"
        raise refusal("MISUSE_REGION", text, name, given, "a sequence of ints", wrong_type=True) from None


def _array(values, name):
    """Eight entries, so that the library never reads past them: those not given are no legal row."""
    if len(values) > _abi.MAX_NDIM:
        text = f"{name} has {len(values)} entries; at most {_abi.MAX_NDIM} are possible"
        raise refusal("MISUSE_REGION", text, name, len(values), f"at most {_abi.MAX_NDIM} entries")
    for value in values:
        if not -(2**63) <= value < 2**63:
            raise refusal("MISUSE_REGION", f"{name} holds {value}, which does not fit 64 bits", name, value, "int64")
    return (ctypes.c_int64 * _abi.MAX_NDIM)(*values, *[_NOT_WRITTEN] * (_abi.MAX_NDIM - len(values)))


def _pair(region):
    try:
        begin, end = region
    except (TypeError, ValueError):
        text = f"region is {shown(region)}; a pair (begin, end) is needed, an int per spatial axis of y each"
        raise refusal("MISUSE_REGION", text, "region", region, "(begin, end)") from None
    return _ints(begin, "begin"), _ints(end, "end")


def fill(call, keep, region, x_begin, x_shape):
    """Sets the region of a call record; `keep` holds what it points at. How many entries each row has, by its name;
    None where there is no region."""
    if region is None:
        if x_begin is not None or x_shape is not None:
            given = "x_shape" if x_begin is None else "x_begin"
            raise refusal("MISUSE_NULL", f"{given} speaks of a window of x, and there is no region", "region")
        return None
    begin, end = _pair(region)
    fields = {"begin": _array(begin, "begin"), "end": _array(end, "end")}
    counts = {"begin": len(begin), "end": len(end)}
    if x_begin is not None:
        shape = getattr(x_begin, "x_shape", None) if x_shape is None else x_shape
        first = _ints(x_begin, "x_begin")
        fields["x_begin"], counts["x_begin"] = _array(first, "x_begin"), len(first)
        if shape is not None:
            shape, ndim = _ints(shape, "x_shape"), call.x.contents.ndim
            if len(shape) != ndim:
                text = f"x_shape has {len(shape)} entries, and x has {ndim} axes"
                raise refusal("MISUSE_REGION", text, "x_shape", len(shape), f"{ndim} entries")
            fields["x_shape"] = _array(shape, "x_shape")
    elif x_shape is not None:
        raise refusal("MISUSE_NULL", "x_shape is that of the whole x of a window: give x_begin= too", "x_begin")
    call.begin, call.end = fields["begin"], fields["end"]
    call.x_begin, call.x_shape = fields.get("x_begin"), fields.get("x_shape")
    keep.append(fields)
    return counts


def _asked(handle, call, error):
    """Status, [x_begin, x_end) of the call's region, and how many axes the library wrote."""
    first, last = (_array([], name) for name in ("x_begin", "x_end"))
    status = lib.ctconv_region_window(handle, call, first, last, error)
    return status, first, last, sum(value != _NOT_WRITTEN for value in first)


def _spatial_axes(handle, call):
    """Those of the call, whatever its region is: asked by its first position alone. 0: not known."""
    probe, error = _abi.Call(), _abi.ErrorRecord()
    for name in ("x", "weight", "output_size", "x_shape"):
        setattr(probe, name, getattr(call, name))
    probe.begin, probe.end = _array([0] * _abi.MAX_NDIM, "begin"), _array([1] * _abi.MAX_NDIM, "end")
    probe.x_begin = _array([0] * _abi.MAX_NDIM, "x_begin") if call.x_shape else None
    status, _, _, rank = _asked(handle, probe, error)
    return 0 if status else rank


def window(handle, call, error, counts):
    """[x_begin, x_end) of the call's region, as two lists; checks that each row has an entry per axis."""
    status, first, last, rank = _asked(handle, call, error)
    if status:
        rank = _spatial_axes(handle, call)
    for name, count in counts.items() if rank else ():
        if count != rank:
            text = f"{name} has {count} entries; an entry per spatial axis of x is needed, {rank} in all"
            raise refusal("MISUSE_REGION", text, name, count, f"{rank} entries")
    if status:
        raise raised(status, error)
    return first[:rank], last[:rank]
