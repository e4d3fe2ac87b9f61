# SPDX-License-Identifier: Apache-2.0
"""Arrays in and out without copying: numpy, DLPack and buffer objects become borrowed ctconv_tensor records.

In:  an ndarray; anything with __dlpack__ (torch, paddle, cupy, ...); a buffer object (array.array, memoryview);
     else __array__.
Out: a View: the record, and what must stay alive while the library reads it (the array, or the DLPack capsule).
A copy is made only of an input whose bytes no element stride can describe (packed records, misaligned data).
Refuses: a DLPack major other than 1, a read-only output, a masked array, what _foreign.py refuses, what is no array.
Element types are judged by the library.
"""

import ctypes
import functools
import sys

import numpy as np

from . import _abi
from ._errors import Error, refusal, shown
from ._foreign import is_torch, plain, reject_masked, torch_array, type_name, unreadable

_KINDS = {"i": _abi.INT, "u": _abi.UINT, "f": _abi.FLOAT, "c": _abi.COMPLEX, "b": _abi.BOOL}
_NAMES = {(_abi.FLOAT, 16): "float16", (_abi.FLOAT, 32): "float32", (_abi.FLOAT, 64): "float64"}
_NULL = "its data pointer is null"
_INT64_MAX, _INT64_MIN = 2**63 - 1, -(2**63)


class View:
    """A ctconv_tensor and the owner of its memory. `dtype` is numpy's where the object came with one, else None."""

    __slots__ = ("record", "owner", "arrays", "dtype", "pointer")

    def __init__(self, record, owner, arrays=None, dtype=None):
        self.record, self.owner, self.arrays, self.dtype = record, owner, arrays, dtype
        self.pointer = ctypes.pointer(record)

    @property
    def element(self):
        return self.record.dtype_code, self.record.dtype_bits

    @property
    def shape(self):
        return tuple(self.record.shape[i] for i in range(self.record.ndim))


@functools.lru_cache(maxsize=64)
def element_of(dtype):
    """DLPack's (code, bits) of a numpy dtype. What DLPack has no number for, byte-swapped types too, is opaque."""
    if dtype.name == "bfloat16" and dtype.itemsize == 2:
        return _abi.BFLOAT, 16
    code = _KINDS.get(dtype.kind, _abi.OPAQUE)
    return code if dtype.isnative else _abi.OPAQUE, min(dtype.itemsize * 8, 255)


def dtype_of(element):
    """The numpy dtype of an element type the library answered. bfloat16 only where ml_dtypes is loaded already."""
    if tuple(element) in _NAMES:
        return np.dtype(_NAMES[tuple(element)])
    if tuple(element) == (_abi.BFLOAT, 16):
        if "ml_dtypes" in sys.modules:
            return np.dtype(sys.modules["ml_dtypes"].bfloat16)
        raise refusal("TYPE_INPUT_DTYPE", "numpy alone has no bfloat16: import ml_dtypes first, or pass out=", "out")
    text = f"numpy has no element type for DLPack code {element[0]} with {element[1]} bits"
    raise refusal("TYPE_INPUT_DTYPE", text, "out")


def name_of(element):
    """The name by which the library calls an element type; "" for one that it computes nothing in."""
    return "bfloat16" if tuple(element) == (_abi.BFLOAT, 16) else _NAMES.get(tuple(element), "")


def clamp(value):
    """An int, saturated to int64."""
    return max(_INT64_MIN, min(_INT64_MAX, int(value)))


def shape_record(shape, element):
    """A tensor without data, for questions about shapes."""
    try:
        extents = [clamp(s.__index__()) for s in shape]
    except (TypeError, AttributeError):
        text = f"x_shape is {shown(shape)}; a sequence of ints is needed, such as x.shape"
        raise refusal("TYPE_ARGUMENT_NAME", text, "x_shape", shape, "a sequence of ints") from None
    arrays = (ctypes.c_int64 * max(len(extents), 1))(*extents)
    record = _abi.Tensor(None, _abi.CPU, 0, len(extents), element[0], element[1], 1, arrays, None, 0)
    return View(record, None, arrays)


def from_numpy(array, writable=False, name="out"):
    """A view of an ndarray; `name` is what a refusal calls one that is written."""
    size = array.itemsize
    if writable:
        if not array.flags.writeable:
            raise refusal("MISUSE_TENSOR", f"{name} is read-only", name)
    elif not array.flags.aligned or any(stride % size for stride in array.strides if size):
        array = np.array(array)
    if any(stride % size for stride in array.strides if size):
        raise refusal(
            "MISUSE_TENSOR",
            f"{name} has strides {array.strides} bytes, no multiple of its {size}-byte elements",
            name,
            array.strides,
        )
    n = array.ndim
    arrays = (ctypes.c_int64 * max(2 * n, 1))(
        *array.shape, *(stride // size if size else 0 for stride in array.strides)
    )
    shape = ctypes.cast(arrays, ctypes.POINTER(ctypes.c_int64))
    strides = ctypes.cast(ctypes.addressof(arrays) + 8 * n, ctypes.POINTER(ctypes.c_int64))
    code, bits = element_of(array.dtype)
    record = _abi.Tensor(array.__array_interface__["data"][0], _abi.CPU, 0, n, code, bits, 1, shape, strides, 0)
    return View(record, array, arrays, array.dtype)


class _Versioned(ctypes.Structure):
    """DLManagedTensorVersioned of DLPack 1.x; `version` comes first in every major."""

    _fields_ = [
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("manager_ctx", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", _abi.Tensor),
    ]


_READ_ONLY = 1
_capsule_name = ctypes.pythonapi.PyCapsule_GetName
_capsule_name.restype, _capsule_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype, _capsule_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]


def from_capsule(capsule, writable=False, source=None, written="out"):
    """A view of a DLPack capsule. The capsule is borrowed, not consumed: held, its destructor releases the tensor."""
    try:
        name = _capsule_name(capsule)
    except (ValueError, ctypes.ArgumentError):
        name = None
    if name == b"dltensor_versioned":
        managed = ctypes.cast(_capsule_pointer(capsule, name), ctypes.POINTER(_Versioned)).contents
        if managed.major != 1:
            raise refusal(
                "MISUSE_TENSOR",
                f"DLPack {managed.major}.{managed.minor} is another major than 1",
                "__dlpack__",
                managed.major,
            )
        if writable and managed.flags & _READ_ONLY:
            raise refusal("MISUSE_TENSOR", f"{written} is read-only", written)
        record = managed.tensor
    elif name == b"dltensor":
        record = ctypes.cast(_capsule_pointer(capsule, name), ctypes.POINTER(_abi.Tensor)).contents
    else:
        raise refusal(
            "MISUSE_TENSOR", f"__dlpack__ gave {'a used capsule' if name else 'no DLPack capsule'}", "__dlpack__", name
        )
    return View(record, (source, capsule))


def from_dlpack(x, name="x", writable=False, stream=None):
    """A view of an object with __dlpack__."""
    keywords = {}
    if stream is not None or _device_type(x) in (_abi.CUDA, _abi.CUDA_MANAGED):
        keywords["stream"] = stream or 1  # 1 is the legacy default stream
    try:
        try:
            capsule = x.__dlpack__(max_version=(1, 0), **keywords)
        except TypeError:  # a producer older than DLPack 1
            capsule = x.__dlpack__(**keywords)
    except MemoryError:
        raise
    except Exception as error:  # BufferError (sparse, quantized), ValueError (meta), RuntimeError (functorch), ...
        raise unreadable(x, name, error) from error
    seen = from_capsule(capsule, writable, x, name)
    if not seen.record.data and all(seen.shape):
        raise unreadable(x, name, ValueError(_NULL))
    return seen


def _device_type(x):
    try:
        return int(x.__dlpack_device__()[0])
    except MemoryError:
        raise
    except Exception:  # __dlpack__ itself will say why
        return _abi.CPU


def view(x, name="x", writable=False, stream=None):
    """A view of whatever holds an array."""
    if isinstance(x, np.ndarray):
        reject_masked(x, name)
        return from_numpy(x, writable, name)
    array = torch_array(x) if is_torch(x) else None
    if array is not None:
        return from_numpy(array, writable, name)
    x = plain(x, name, writable)
    if hasattr(type(x), "__dlpack__"):
        return from_dlpack(x, name, writable, stream)
    try:
        return from_numpy(np.asarray(memoryview(x)), writable, name)
    except TypeError:
        pass
    if hasattr(type(x), "__array__") and not writable:
        return from_numpy(np.asarray(x))
    text = f"{name} is {type_name(x)}; a numpy array, an object with __dlpack__ or a buffer is needed"
    raise refusal("MISUSE_TENSOR" if writable else "TYPE_INPUT_DTYPE", text, name, type_name(x), wrong_type=True)


def to_numpy(x, name="x"):
    """An ndarray of whatever holds an array, without copying where numpy can look at it."""
    if isinstance(x, np.ndarray):
        reject_masked(x, name)
        return x
    array = torch_array(x) if is_torch(x) else None
    if array is not None:
        return array
    x = plain(x, name)
    try:
        array = np.from_dlpack(x) if hasattr(type(x), "__dlpack__") else np.asarray(x)
    except (Error, MemoryError):
        raise
    except Exception as error:
        raise unreadable(x, name, error) from error
    if array.size and not array.__array_interface__["data"][0]:
        raise unreadable(x, name, ValueError(_NULL))
    return array


def quick(x):
    """An ndarray looking at x where numpy can make one fast; else x, for `view` to read or refuse."""
    if is_torch(x):
        array = torch_array(x)
        return x if array is None else array
    if isinstance(x, np.ndarray):  # a subclass: memmap, matrix; a masked array is for `view` to refuse
        return x if isinstance(x, np.ma.MaskedArray) else x.view(np.ndarray)
    if hasattr(type(x), "__dlpack__") and _device_type(x) == _abi.CPU:
        try:
            array = np.from_dlpack(plain(x, "x"))
        except Exception:  # bfloat16, an old producer, a refusal: view() knows more of DLPack than numpy
            return x
        return array if array.size == 0 or array.__array_interface__["data"][0] else x
    return x


def quick_out(out):
    """An ndarray looking at an output where that is fast, else `out`, for `view` to read or refuse."""
    if not is_torch(out):
        return out
    array = torch_array(plain(out, "out", writable=True))
    return out if array is None else array


def is_tensor(x):
    """Whether an argument's value is passed as a tensor."""
    return isinstance(x, np.ndarray) or hasattr(type(x), "__dlpack__")
