# SPDX-License-Identifier: Apache-2.0
"""Python objects become ctconv_value records, unjudged.

In:  any object.   Out: a Value; everything it points at is appended to `keep`.
tuple -> TUPLE, list -> LIST, bool -> BOOL, None -> NONE, int -> INT (beyond int64: saturated), float -> FLOAT, str ->
STRING, numpy scalars like their Python kin, arrays and DLPack objects -> TENSOR,
anything else -> OTHER with the type's name.
"""

import ctypes
import numbers

import numpy as np

from . import _abi
from ._tensors import clamp, is_tensor, view

_DEEPEST = 10  # the library refuses beyond 8; a list that holds itself must still end
_MOST = 1 << 20  # the library refuses more items in all; so must end lists that share one


def to_value(obj, keep):
    value = _abi.Value()
    _fill(value, obj, keep, 0, [_MOST])
    return value


def _text(value, tag, text, keep):
    data = text.encode("utf-8", "backslashreplace")
    keep.append(data)
    value.tag, value.i, value.text = tag, len(data), data


def _fill(value, obj, keep, depth, room):
    if obj is None:
        value.tag = _abi.VALUE_NONE
    elif isinstance(obj, (bool, np.bool_)):
        value.tag, value.i = _abi.VALUE_BOOL, int(obj)
    elif isinstance(obj, (int, np.integer)):
        value.tag, value.i = _abi.VALUE_INT, clamp(obj)
    elif isinstance(obj, (float, np.floating)):
        value.tag, value.f = _abi.VALUE_FLOAT, float(obj)
    elif isinstance(obj, str):
        _text(value, _abi.VALUE_STRING, obj, keep)
    elif isinstance(obj, (tuple, list)):
        value.tag = _abi.VALUE_TUPLE if isinstance(obj, tuple) else _abi.VALUE_LIST
        count = len(obj) if depth < _DEEPEST else 0
        room[0] -= count
        if room[0] < 0:  # refused by its number, before an item is looked at
            value.i, value.items = _MOST + 1, None
            return
        items = (_abi.Value * max(count, 1))()
        for item, entry in zip(items, obj[:count]):
            _fill(item, entry, keep, depth + 1, room)
        keep.append(items)
        value.i, value.items = count, items
    elif is_tensor(obj):
        seen = view(obj)
        keep.append(seen)
        value.tag, value.tensor = _abi.VALUE_TENSOR, seen.pointer
    elif isinstance(obj, numbers.Integral):
        value.tag, value.i = _abi.VALUE_INT, clamp(obj)
    else:
        _text(value, _abi.VALUE_OTHER, type(obj).__name__, keep)


def pointer_to(obj, keep):
    """A pointer to the Value of obj."""
    value = to_value(obj, keep)
    keep.append(value)
    return ctypes.pointer(value)
