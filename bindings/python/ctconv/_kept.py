# SPDX-License-Identifier: Apache-2.0
"""A layer's own weight: one dense copy that the library reads in place. Pickling then costs no second copy.

In:  a View of a weight or bias on the host.
Out: a Kept (array, element) whose `view` the library borrows; it pickles by its bytes.
What the library will refuse anyway (no float type it knows) is not copied: `kept` answers None, the View is judged.
"""

import numpy as np

from . import _abi
from ._tensors import View, from_numpy

_BYTES = {(_abi.FLOAT, 16): "u2", (_abi.BFLOAT, 16): "u2", (_abi.FLOAT, 32): "u4", (_abi.FLOAT, 64): "u8"}
_HOST = (_abi.CPU, _abi.CUDA_HOST)
_LINE = 64  # bytes


class _Memory:
    """The memory of a record as numpy reads it: unsigned integers, so that bfloat16 needs no package."""

    def __init__(self, record, kind):
        size, n = record.dtype_bits // 8, record.ndim
        strides = tuple(record.strides[i] * size for i in range(n)) if record.strides else None
        self.__array_interface__ = {
            "version": 3,
            "typestr": "<" + kind,
            "shape": tuple(record.shape[i] for i in range(n)),
            "strides": strides,
            "data": (record.data + record.byte_offset, True),
        }


class Kept:
    """A dense, read-only copy of a tensor."""

    def __init__(self, array, element):
        array.flags.writeable = False
        self.array, self.element = array, element
        self.view = from_numpy(array)
        self.view.record.dtype_code, self.view.record.dtype_bits = element

    def __reduce__(self):
        return _again, (self.array, self.element)


def _again(array, element):
    return Kept(_dense(array), element)


def _dense(array):
    """A copy that begins with a cache line."""
    memory = np.empty(array.nbytes + _LINE, np.uint8)
    at = -memory.__array_interface__["data"][0] % _LINE
    out = memory[at : at + array.nbytes].view(array.dtype).reshape(array.shape)
    out[...] = array
    return out


def kept(view: View):
    """A Kept of what `view` shows, or None where it is not on the host or of a type that is refused."""
    record = view.record
    kind = _BYTES.get(view.element)
    if kind is None or record.dtype_lanes != 1 or record.device_type not in _HOST or not record.data:
        return None
    if (record.data + record.byte_offset) % (record.dtype_bits // 8):
        return None  # misaligned: refused
    try:
        return Kept(_dense(np.asarray(_Memory(record, kind))), view.element)
    except (MemoryError, ValueError):  # the library says NO_MEMORY or what is wrong with the shape
        return None


def is_spread(view):
    """Whether some bytes are shown twice: a copy may be larger than any memory, so the shape is judged first."""
    record = view.record
    return bool(record.strides) and any(record.strides[i] == 0 and record.shape[i] > 1 for i in range(record.ndim))
