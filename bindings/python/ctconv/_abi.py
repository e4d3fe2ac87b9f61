"""The C boundary: ctconv.h spelt in ctypes, and the one loaded library.

In:  the shared library named by CTCONV_LIBRARY, else the one inside this package.
Out: `lib` with every function's types set, and the records byte for byte as the header lays them out.
Refuses: a library that is absent (ImportError names both places) or of another major version.
"""

import ctypes
import os
import pathlib
from ctypes import (
    POINTER,
    c_char,
    c_char_p,
    c_double,
    c_int32,
    c_int64,
    c_size_t,
    c_uint8,
    c_uint16,
    c_uint64,
    c_void_p,
)

MAX_NDIM = 8

# DLPack's numbers.
INT, UINT, FLOAT, OPAQUE, BFLOAT, COMPLEX, BOOL = 0, 1, 2, 3, 4, 5, 6
CPU, CUDA, CUDA_HOST, CUDA_MANAGED = 1, 2, 3, 13

# ctconv_value tags.
NONE, VALUE_BOOL, VALUE_INT, VALUE_FLOAT, VALUE_STRING, VALUE_TUPLE, VALUE_LIST, VALUE_TENSOR, VALUE_OTHER = range(9)


class Tensor(ctypes.Structure):
    """ctconv_tensor, which is also DLPack's DLTensor."""

    _fields_ = [
        ("data", c_void_p),
        ("device_type", c_int32),
        ("device_id", c_int32),
        ("ndim", c_int32),
        ("dtype_code", c_uint8),
        ("dtype_bits", c_uint8),
        ("dtype_lanes", c_uint16),
        ("shape", POINTER(c_int64)),
        ("strides", POINTER(c_int64)),
        ("byte_offset", c_uint64),
    ]


class Spec(ctypes.Structure):
    _fields_ = [
        ("ndim", c_int32),
        ("dtype_code", c_uint8),
        ("dtype_bits", c_uint8),
        ("dtype_lanes", c_uint16),
        ("shape", c_int64 * MAX_NDIM),
    ]


class Value(ctypes.Structure):
    pass


Value._fields_ = [
    ("tag", c_int32),
    ("reserved", c_int32),
    ("i", c_int64),
    ("f", c_double),
    ("text", c_char_p),
    ("items", POINTER(Value)),
    ("tensor", POINTER(Tensor)),
]


class _Record(ctypes.Structure):
    """A record that grows: struct_size is always filled in, everything else starts as zero."""

    def __init__(self, **fields):
        super().__init__(struct_size=ctypes.sizeof(self), **fields)


class ErrorRecord(_Record):
    _fields_ = [
        ("struct_size", c_size_t),
        ("status", c_int32),
        ("kind", c_int32),
        ("element", c_int32),
        ("native_code", c_int32),
        ("argument", c_char * 32),
        ("value", c_char * 64),
        ("range", c_char * 96),
        ("message", c_char * 512),
    ]


TASK = ctypes.CFUNCTYPE(None, c_void_p, c_int64, c_int32)
PARALLEL_FOR = ctypes.CFUNCTYPE(None, c_void_p, c_int64, TASK, c_void_p)


class RunnerRecord(_Record):
    _fields_ = [
        ("struct_size", c_size_t),
        ("user", c_void_p),
        ("workers", c_int32),
        ("reserved", c_int32),
        ("parallel_for", PARALLEL_FOR),
    ]


class OptionsRecord(_Record):
    _fields_ = [
        ("struct_size", c_size_t),
        ("device", c_char_p),
        ("engine", c_char_p),
        ("runner", POINTER(RunnerRecord)),
        ("allocator", c_void_p),
        ("threads", c_int32),
        ("plan_limit", c_int32),
        ("workspace_limit", c_size_t),
        ("activation", c_int32),
        ("tuning", c_int32),
        ("activation_alpha", c_double),
        ("activation_beta", c_double),
        ("reproducible", c_int32),
        ("allow_tf32", c_int32),
        ("borrow_weights", c_int32),
        ("reserved", c_int32),
        ("math", c_int32),
        ("reserved2", c_int32),
    ]


class Call(_Record):
    _fields_ = [
        ("struct_size", c_size_t),
        ("x", POINTER(Tensor)),
        ("y", POINTER(Tensor)),
        ("weight", POINTER(Tensor)),
        ("bias", POINTER(Tensor)),
        ("output_size", POINTER(Value)),
        ("workspace", c_void_p),
        ("workspace_bytes", c_size_t),
        ("stream", c_void_p),
    ]


class ArgumentRecord(_Record):
    _fields_ = [
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("default_text", c_char_p),
        ("position", c_int32),
        ("required", c_int32),
    ]


_E, _T = POINTER(ErrorRecord), POINTER(Tensor)
_PROTOTYPES = {
    "ctconv_desc_create": (c_int32, [c_char_p, POINTER(c_void_p), _E]),
    "ctconv_desc_set": (c_int32, [c_void_p, c_char_p, POINTER(Value)]),
    "ctconv_desc_validate": (c_int32, [c_void_p, _E]),
    "ctconv_desc_weight_spec": (c_int32, [c_void_p, _T, POINTER(Spec), POINTER(Spec), _E]),
    "ctconv_init_weight": (c_int32, [c_void_p, c_uint64, _T, _E]),
    "ctconv_init_bias": (c_int32, [c_void_p, c_uint64, _T, _E]),
    "ctconv_desc_destroy": (None, [c_void_p]),
    "ctconv_create": (c_int32, [c_void_p, _T, _T, POINTER(OptionsRecord), POINTER(c_void_p), _E]),
    "ctconv_output_spec": (c_int32, [c_void_p, POINTER(Call), POINTER(Spec), _E]),
    "ctconv_prepare": (c_int32, [c_void_p, POINTER(Call), POINTER(c_size_t), _E]),
    "ctconv_execute": (c_int32, [c_void_p, POINTER(Call), _E]),
    "ctconv_describe": (c_int32, [c_void_p, POINTER(Call), c_char_p, c_size_t, POINTER(c_size_t), _E]),
    "ctconv_destroy": (None, [c_void_p]),
    "ctconv_version": (c_int32, []),
    "ctconv_version_string": (c_char_p, []),
    "ctconv_build_info": (c_char_p, []),
    "ctconv_status_name": (c_char_p, [c_int32]),
    "ctconv_status_kind": (c_int32, [c_int32]),
    "ctconv_status_text": (c_char_p, [c_int32]),
    "ctconv_dialect_count": (c_int32, []),
    "ctconv_dialect_name": (c_char_p, [c_int32]),
    "ctconv_dialect_argument": (c_int32, [c_char_p, c_int32, POINTER(ArgumentRecord)]),
    "ctconv_engine_count": (c_int32, []),
    "ctconv_engine_name": (c_char_p, [c_int32]),
}


def _load():
    named = os.environ.get("CTCONV_LIBRARY")
    inside = pathlib.Path(__file__).resolve().parent / "libctconv.so"
    path = named or str(inside)
    try:
        # CDLL releases the interpreter lock during every call.
        library = ctypes.CDLL(path)
    except OSError as error:
        where = f"CTCONV_LIBRARY={named}" if named else f"{inside} (CTCONV_LIBRARY is not set)"
        raise ImportError(f"the ctconv shared library cannot be loaded from {where}: {error}") from None
    for name, (result, arguments) in _PROTOTYPES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    number = library.ctconv_version()
    if number // 10000 != 0:
        raise ImportError(f"{path} is libctconv {library.ctconv_version_string().decode()}; this package speaks 0.x")
    return library


lib = _load()
