# SPDX-License-Identifier: Apache-2.0
"""Descriptors and what can be asked of one without an op.

In:  a dialect's name and its arguments in that dialect's own words.
Out: check, weight_shape, bias_shape, init_weight, init_bias; and the lists of dialects and engines.
Refuses: what the dialect documents, in its documented order.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any, NamedTuple, Sequence

import numpy as np

from . import _abi
from ._abi import lib
from ._errors import MISUSE_NULL, Error, raised, refusal, shown
from ._tensors import dtype_of, element_of, from_numpy, shape_record
from ._types import Arguments
from ._values import to_value


class Argument(NamedTuple):
    """One argument of a dialect: its default as documented (text, '' where required); position -1: by name only."""

    name: str
    default: str
    position: int
    required: bool


Argument.__module__ = "ctconv"

_FLOAT32 = (_abi.FLOAT, 32)


def plain(name):
    """A name as bytes that C reads whole."""
    return str(name).replace("\0", "\\0").encode("utf-8", "backslashreplace")


def seed_of(seed):
    """A seed as 64 bits. Any whole number is one."""
    try:
        return seed.__index__() % 2**64
    except (AttributeError, TypeError):
        text = f"seed is {shown(seed)}; a whole number is needed"
        raise refusal("MISUSE_OPTION", text, "seed", seed, "a whole number", wrong_type=True) from None


class Descriptor:
    """An owned ctconv_desc with its arguments set."""

    def __init__(self, dialect, args):
        self.handle, self.error = ctypes.c_void_p(), _abi.ErrorRecord()
        self.done(lib.ctconv_desc_create(plain(dialect), self.handle, self.error))
        try:
            items = dict(args).items()
        except (TypeError, ValueError):
            text = f"the arguments are {type(args).__name__}; a dict of values by name is needed"
            raise refusal("TYPE_ARGUMENT_NAME", text, "args", type(args).__name__) from None
        for name, obj in items:
            keep = []
            # A failed set is remembered by the library and returned by the next question.
            lib.ctconv_desc_set(self.handle, plain(name), to_value(obj, keep))

    def __del__(self, lib=lib):  # bound here: modules are emptied late in the interpreter's shutdown
        handle, self.handle = self.__dict__.get("handle"), None
        if handle and lib is not None:
            lib.ctconv_desc_destroy(handle)

    def done(self, status):
        if status:
            raise raised(status, self.error)

    def validate(self):
        self.done(lib.ctconv_desc_validate(self.handle, self.error))

    def specs(self, x_shape=None, element=_FLOAT32):
        """Specs of weight and bias."""
        weight, bias = _abi.Spec(), _abi.Spec()
        x = None if x_shape is None else shape_record(x_shape, element)
        try:
            self.done(lib.ctconv_desc_weight_spec(self.handle, x and x.pointer, weight, bias, self.error))
        except Error as error:
            if error.status == MISUSE_NULL and error.argument == "x":  # as the argument is called here
                error.argument, error.range = "x_shape", "a shape"
                error.args = (str(error).replace("x: ", "x_shape: ", 1).partition("; legal: ")[0] + "; legal: a shape",)
            raise
        return weight, bias

    def initial(self, which, seed, x_shape=None, dtype=None):
        """A fresh weight (which 0) or bias (which 1) by the dialect's initialiser; None where there is no bias."""
        element = _FLOAT32 if dtype is None else element_of(np.dtype(dtype))
        seed = seed_of(seed)
        spec = self.specs(x_shape, element)[which]
        if spec.ndim == 0:
            return None
        out = np.empty(
            tuple(spec.shape[: spec.ndim]),
            dtype_of((spec.dtype_code, spec.dtype_bits)) if dtype is None else np.dtype(dtype),
        )
        fill = lib.ctconv_init_bias if which else lib.ctconv_init_weight
        self.done(fill(self.handle, seed, from_numpy(out, True).pointer, self.error))
        return out


def shape_of(spec):
    return tuple(spec.shape[: spec.ndim])


def check(dialect: str, args: Arguments) -> None:
    """Judges the arguments that need no tensor; raises the first fault in the dialect's documented order."""
    Descriptor(dialect, args).validate()


def weight_shape(
    dialect: str, args: Arguments, x_shape: Sequence[int] | None = None, x_dtype: Any = "float32"
) -> tuple[int, ...]:
    """The weight's shape in the dialect's axis order; x_shape where the kernel or the channels are derived from the
    input."""
    return shape_of(Descriptor(dialect, args).specs(x_shape, element_of(np.dtype(x_dtype)))[0])


def bias_shape(
    dialect: str, args: Arguments, x_shape: Sequence[int] | None = None, x_dtype: Any = "float32"
) -> tuple[int, ...] | None:
    """The bias's shape, or None where the arguments say there is none."""
    spec = Descriptor(dialect, args).specs(x_shape, element_of(np.dtype(x_dtype)))[1]
    return shape_of(spec) if spec.ndim else None


def init_weight(
    dialect: str, args: Arguments, seed: int, x_shape: Sequence[int] | None = None, dtype: Any = None
) -> np.ndarray[Any, Any]:
    """A new weight by the dialect's initialiser. The same seed gives the same bits on every machine."""
    return Descriptor(dialect, args).initial(0, seed, x_shape, dtype)


def init_bias(
    dialect: str, args: Arguments, seed: int, x_shape: Sequence[int] | None = None, dtype: Any = None
) -> np.ndarray[Any, Any] | None:
    """A new bias by the dialect's initialiser; None where the arguments say there is none."""
    return Descriptor(dialect, args).initial(1, seed, x_shape, dtype)


def dialects() -> list[str]:
    """The names of the documented operators."""
    return [lib.ctconv_dialect_name(i).decode() for i in range(lib.ctconv_dialect_count())]


def dialect_arguments(name: str) -> list[Argument]:
    """The arguments of a dialect in the original's positional order."""
    Descriptor(name, {})  # refuses an unknown name with the list of known ones
    out, record = [], _abi.ArgumentRecord()
    while lib.ctconv_dialect_argument(plain(name), len(out), record) == 0:
        out.append(Argument(record.name.decode(), record.default_text.decode(), record.position, bool(record.required)))
    return out


_CUDA_FILE, _CUDA_ENGINES = "libctconv_cuda.so", ("cudnn", "cuda")
_CUDA_UNASKED = "cuda: in libctconv_cuda.so, opened on first use"


class _SymbolInfo(ctypes.Structure):
    """Dl_info of the C library."""

    _fields_ = [
        ("file", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    ]


def _own_folder():
    """Where the loaded library lies, as the loader knows it (CTCONV_LIBRARY may be a bare name)."""
    info, here = _SymbolInfo(), ctypes.cast(lib.ctconv_version, ctypes.c_void_p)
    found = ctypes.CDLL(None).dladdr(here, ctypes.byref(info))
    return os.path.dirname(os.fsdecode(info.file)) if found and info.file else ""


def cuda_module():
    """The CUDA module's path, or None: CTCONV_CUDA_MODULE, else beside the library, else in the loader's folders."""
    named = os.environ.get("CTCONV_CUDA_MODULE")
    if named:
        return named if os.path.isfile(named) else None
    folders = [_own_folder(), *os.environ.get("LD_LIBRARY_PATH", "").split(":"), "/usr/local/lib", "/usr/lib"]
    return next((path for path in (os.path.join(f, _CUDA_FILE) for f in folders if f) if os.path.isfile(path)), None)


def engines() -> list[str]:
    """The engines that are there, in the order `auto` asks them. Those of the CUDA module need its file."""
    names = [lib.ctconv_engine_name(i).decode() for i in range(lib.ctconv_engine_count())]
    return [name for name in names if name not in _CUDA_ENGINES or cuda_module()]


def build_info() -> str:
    """`key: value` lines about the loaded library: compiler, targets, cpu, onednn, cuda."""
    text, found = lib.ctconv_build_info().decode(), cuda_module()
    if found:
        return text.replace(_CUDA_UNASKED, f"cuda: {found}, opened on first use")
    return text.replace(_CUDA_UNASKED, f"cuda: not installed ({_CUDA_FILE} is not beside the library)")
