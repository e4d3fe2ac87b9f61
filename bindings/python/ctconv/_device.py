# SPDX-License-Identifier: Apache-2.0
"""torch tensors on a CUDA device: their stream, a y like torch's, records that keep no tensor alive.

In:  a torch tensor with is_cuda.
Out: the stream torch works on (torch's default stream is 0, CUDA's legacy one); a new y in x's memory format; a
     workspace from torch's own allocator, so that a call neither allocates device memory of its own nor waits,
     and can be captured.
Refuses: nothing; the library judges device, type and shape.
"""

import ctypes
import sys

from . import _abi
from ._foreign import is_torch
from ._tensors import View

_int64s = ctypes.POINTER(ctypes.c_int64)


def on_cuda(x):
    """Whether x is a torch tensor on a CUDA device."""
    return getattr(x, "is_cuda", None) is True and is_torch(x)


def current_stream(x):
    """The stream on which torch would compute with x, as an address."""
    torch = sys.modules["torch"]
    return torch.cuda.current_stream(x.device).cuda_stream


def on_stream(x, stream):
    """A context in which torch allocates for `stream`."""
    torch = sys.modules["torch"]
    return torch.cuda.stream(
        torch.cuda.ExternalStream(stream, x.device) if stream else torch.cuda.default_stream(x.device)
    )


def key_of(x, out):
    own = (x.shape, x.stride(), x.dtype, x.device)
    return own if out is None else own + (out.shape, out.stride(), out.dtype, out.device)


def channels_last(shape, strides):
    """Whether torch takes these strides for channels_last (channels_last_3d):
    c10's own rule, ambiguous ones included."""
    rank = len(shape)
    if rank not in (4, 5):
        return False
    least = 0
    if strides[1] == 0:
        return False
    for axis in (1, *range(rank - 1, 1, -1), 0):
        if shape[axis] == 0 or strides[axis] < least or (axis == 0 and least == strides[1]):
            return False
        least = strides[axis] * max(shape[axis], 1)
    return True


def strides_like(x, shape):
    """Dense strides of a y of `shape`: channels_last where x is, else row-major."""
    order = [*range(len(shape))]
    if channels_last(x.shape, x.stride()):
        order = [0, *order[2:], 1]
    strides, step = [0] * len(shape), 1
    for axis in reversed(order):
        strides[axis] = step
        step *= max(shape[axis], 1)
    return tuple(strides)


def apart(seen):
    """A View of the same layout whose record is its own: it keeps neither the tensor nor its DLPack capsule."""
    record, n = seen.record, seen.record.ndim
    arrays = (ctypes.c_int64 * max(2 * n, 1))(
        *record.shape[:n], *(record.strides[:n] if record.strides else dense(record.shape[:n]))
    )
    shape, strides = ctypes.cast(arrays, _int64s), ctypes.cast(ctypes.addressof(arrays) + 8 * n, _int64s)
    own = _abi.Tensor(
        record.data,
        record.device_type,
        record.device_id,
        n,
        record.dtype_code,
        record.dtype_bits,
        record.dtype_lanes,
        shape,
        strides,
        record.byte_offset,
    )
    return View(own, None, arrays)


def dense(shape):
    strides, step = [], 1
    for extent in reversed(shape):
        strides.insert(0, step)
        step *= max(extent, 1)
    return strides


def workspace(x, size):
    """Bytes from torch's allocator: in the order of the current stream, and of a captured graph's own pool."""
    torch = sys.modules["torch"]
    return torch.empty(size, dtype=torch.uint8, device=x.device)
