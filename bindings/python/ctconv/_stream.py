# SPDX-License-Identifier: Apache-2.0
"""Stream: a 1-D layer over signals that never end.

In:  a Layer with its weight; then x in portions of any length, (n, channels, length) or in the dialect's own order.
Out: the outputs that are known by now, new ndarrays; one after the other they are layer(x) of the whole signal, with
     reproducible=1 to the bit.
Refuses: layers that are not 1-D, or whose sizes follow from the whole input (UNSUPPORTED_STREAM); bad portions, which
leave the stream as it was.
"""

from __future__ import annotations

import ctypes
import operator

import numpy as np

from . import _abi
from ._abi import lib
from ._errors import Error, raised, refusal, shown
from ._foreign import untraced
from ._kept import Kept
from ._layer import Layer
from ._tensors import View, dtype_of, element_of, view
from ._types import Array

_LONG = 1 << 20  # a length that pads do not eat up


class _Handle:
    """Owns a ctconv_stream and keeps the op alive, which must outlive it."""

    def __init__(self, handle, op):
        self.handle, self.op = handle, op

    def __del__(self, lib=lib):
        handle, self.handle = self.__dict__.get("handle"), None
        if handle and lib is not None:
            lib.ctconv_stream_destroy(handle)


def _count(value, name):
    """An int of 64 bits; what it may be is the library's to say."""
    try:
        count = None if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except TypeError:
        count = None
    if count is None or not -(2**63) <= count < 2**63:
        text = f"{name} is {shown(value)}; an int of at most 64 bits is needed"
        raise refusal("MISUSE_OPTION", text, name, value, "an int", wrong_type=count is None)
    return count


def _extents_of(layer, n):
    """y of a long x: which axis runs along the signal, and the other extents."""
    last = layer.channels_last
    weight = layer._weights[0]
    weight = weight.view if isinstance(weight, Kept) else weight
    shape = weight.shape if isinstance(weight, View) else ()
    pairs = [a * b for a, b in zip(shape, shape[1:])]
    given = layer.args.get("in_channels")
    for channels in ([given] if isinstance(given, int) else []) + [*shape, *pairs]:
        try:
            return 1 if last else 2, layer.output_shape((n, _LONG, channels) if last else (n, channels, _LONG))
        except Error:
            continue
    return 1 if last else 2, (n, 0, 0)  # a layer that takes no long signal


class Stream:
    """stream = Stream(layer, n=1); y = stream.push(x), as often as there is x; rest = stream.flush().

    layer     a 1-D ctconv.Layer with its weight, on the CPU        n   signals side by side
    chunk     the most inputs computed at once; 0: chosen
    parallel  False: the calling thread computes alone, in bounded time; True: the layer's own threads
    One thread at a time per stream; copy.copy(stream) goes on from the same state, apart from it.
    """

    def __init__(self, layer: Layer, n: int = 1, *, chunk: int = 0, parallel: bool = False) -> None:
        if not isinstance(layer, Layer):
            text = f"layer is a {type(layer).__name__}; a ctconv.Layer is needed"
            raise refusal("MISUSE_VALUE", text, "layer", type(layer).__name__, wrong_type=True)
        options, error, handle = _abi.StreamOptions(), _abi.ErrorRecord(), ctypes.c_void_p()
        n, options.chunk, options.parallel = _count(n, "n"), _count(chunk, "chunk"), int(bool(parallel))
        status = lib.ctconv_stream_create(layer._op.handle, n, options, handle, error)
        if status:
            raise raised(status, error)
        self.layer, self.n = layer, n
        self._stream = _Handle(handle, layer._op)
        self._axis, self._extents = _extents_of(layer, n)
        self._dtype = layer._element

    def __repr__(self):
        return f"ctconv.Stream({self.layer!r}, n={self.n})"

    def __copy__(self) -> Stream:
        twin, handle, error = object.__new__(type(self)), ctypes.c_void_p(), _abi.ErrorRecord()
        status = lib.ctconv_stream_clone(self._stream.handle, handle, error)
        if status:
            raise raised(status, error)
        vars(twin).update(vars(self))
        twin._stream = _Handle(handle, self.layer._op)
        return twin

    def clone(self) -> Stream:
        """A second stream that goes on from here."""
        return self.__copy__()

    def __deepcopy__(self, memo):
        return self.__copy__()

    def __reduce__(self):
        raise TypeError("a ctconv.Stream cannot be pickled: it is a running signal. clone() copies it here")

    @property
    def delay(self) -> int:
        """By how many outputs y lags: after I inputs max(0, I*stride - delay) have come out."""
        value, error = ctypes.c_int64(), _abi.ErrorRecord()
        lib.ctconv_stream_delay(self._stream.handle, value, error)
        return value.value

    def describe(self) -> str:
        """`key: value` lines: inputs, outputs, delay, history, chunk, warm_up, and the bytes held, which never grow."""
        text, error = ctypes.create_string_buffer(1024), _abi.ErrorRecord()
        status = lib.ctconv_stream_describe(self._stream.handle, text, len(text), None, error)
        if status:
            raise raised(status, error)
        return text.value.decode()

    @untraced
    def push(self, x: Array, out: Array = None) -> np.ndarray:
        """Appends x, a portion of any length, 0 included, and returns the outputs that are known by it.
        out: an array to write instead, with room for them; its written part is returned."""
        seen = view(x, "x")
        handle, x = self._stream.handle, seen.pointer
        return self._ask(lambda *rest: lib.ctconv_stream_push(handle, x, *rest), out, seen.dtype)

    @untraced
    def flush(self, out: Array = None) -> np.ndarray:
        """Returns what is left of y. The stream is then as new."""
        return self._ask(lambda *rest: lib.ctconv_stream_flush(self._stream.handle, *rest), out, None)

    def reset(self) -> None:
        """Forgets every input: the stream is as new."""
        lib.ctconv_stream_reset(self._stream.handle, None)

    def _ask(self, call, out, dtype):
        """How many outputs come; then the outputs. Nothing is appended before both are judged."""
        error, count = _abi.ErrorRecord(), ctypes.c_int64()
        status = call(None, count, error)
        if status:
            raise raised(status, error)
        if out is None:
            shape = list(self._extents)
            shape[self._axis] = count.value
            if dtype is None or element_of(dtype) != self._dtype:
                dtype = dtype_of(self._dtype)
            out = np.empty(shape, dtype)
        target = view(out, "out", writable=True)
        status = call(target.pointer, count, error)
        if status:
            raise raised(status, error)
        return out[(slice(None),) * self._axis + (slice(count.value),)]
