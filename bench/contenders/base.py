# SPDX-License-Identifier: Apache-2.0
"""What a contender is.

In:  a bench.layers.Layer, its Operands, and the Setting of the run.
Out: a Contender whose time(calls) runs the layer `calls` times and returns the seconds of all of them.
Layout "first": x and y are dense (n, c, axes..); "last": dense (n, axes.., c). Both ends have the same layout for
everyone; a library that must convert inside converts inside the timed call.
Type "f32", "f16" or "bf16": x, weight, bias and y lie in it for everyone. A library without kernels of a 16-bit type
converts inside the timed call and says so.
"""

import contextlib
import importlib
import math
import os
import pathlib
import time
from dataclasses import dataclass, field

import numpy as np

CONVERTING = "converts inside"
BYTES = {"f32": 4, "f16": 2, "bf16": 2}


def element(dtype):
    """The numpy type of "f32", "f16" or "bf16"; bf16 needs ml_dtypes."""
    if dtype == "bf16":
        return np.dtype(importlib.import_module("ml_dtypes").bfloat16)
    return np.dtype({"f32": np.float32, "f16": np.float16}[dtype])


class Refused(Exception):
    """This contender does not do this layer; the text says why."""


@dataclass
class Setting:
    layout: str  # "first" or "last"
    threads: int
    build: pathlib.Path | None  # where bench_onednn and bench_peaks lie
    scratch: pathlib.Path  # files that pass operands to other processes
    peers: list | None = None  # modules to take; None: all
    engines: list | None = None  # engines of ours to time apart from auto; None: every one but reference
    dtype: str = "f32"  # "f32", "f16" or "bf16"
    which_pass: str = "fwd"  # "fwd": y; "dgrad": dx; "wgrad": dw, with db where the layer has a bias
    versions: dict = field(default_factory=dict)
    crashed: dict = field(default_factory=dict)  # {(layer's id, contender): signal}: who ended the process there


class Contender:
    """name: shown; pays_for_y: "reuse" writes into memory given before, "alloc" makes new memory in every call."""

    pays_for_y = "reuse"
    note = ""

    def __init__(self, name):
        self.name = name

    def setup(self):
        """Everything before the first call: creation, compilation, packing."""

    def once(self):
        """One call."""
        raise NotImplementedError

    def time(self, calls):
        once, start = self.once, time.perf_counter()
        for _ in range(calls):
            once()
        return time.perf_counter() - start

    def result(self):
        """The last call's y as a channels-first view, valid until the next call of anybody."""
        raise NotImplementedError

    def results(self):
        """What the last call wrote: [y], [dx], or [dw] with db behind it; x and y as channels-first views."""
        return [self.result()]

    def facts(self):
        """What else is known: engine, workspace, ..."""
        return {}

    def close(self):
        """Lets go of everything."""


@contextlib.contextmanager
def silent():
    """Keeps the standard output free of what a library writes there, past Python too."""
    held, nothing = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    try:
        yield
    finally:
        os.dup2(held, 1)
        os.close(held)
        os.close(nothing)


def as_first(a):
    """A channels-first view of a channels-last array."""
    return np.moveaxis(a, -1, 1)


def aligned(shape, dtype=np.float32):
    """A new array that begins with a cache line, as the frameworks' own tensors do (numpy's large arrays begin 16 bytes
    behind one)."""
    size = np.dtype(dtype).itemsize * math.prod(shape)
    memory = np.empty(size + 64, np.uint8)
    at = -memory.ctypes.data % 64
    return memory[at : at + size].view(dtype).reshape(shape)


def touched(shape, dtype):
    """As aligned, full of zeros, its pages there."""
    array = aligned(shape, dtype)
    array.fill(0)
    return array


class Operands:
    """One layer's memory, shared by the contenders of this process: w and b as the layer has them, x and y in the run's
    layout, all in the run's type.

    y is touched, so that no call pays for its pages; each contender that does not make its own writes into it.
    Of gradients: dy is read in place of y; dx, or dw and db, are written.
    """

    def __init__(self, layer, setting):
        dtype = element(setting.dtype)
        self.x_first, self.w, self.b = (None if a is None else a.astype(dtype, copy=False) for a in layer.operands())
        given = self.x_first if setting.layout == "first" else np.moveaxis(self.x_first, 1, -1)
        self.x = aligned(given.shape, dtype)
        self.x[...] = given
        if setting.layout == "first":
            self.x_first = self.x
        y_shape = layer.y_shape if setting.layout == "first" else (layer.n, *layer.o, layer.cout)
        if setting.which_pass == "fwd":
            self.y = touched(y_shape, dtype)
            return
        self.dy, self.dy_first = aligned(y_shape, dtype), layer.gradient().astype(dtype, copy=False)
        self.dy[...] = self.dy_first if setting.layout == "first" else np.moveaxis(self.dy_first, 1, -1)
        if setting.layout == "first":
            self.dy_first = self.dy
        written = {"dx": self.x.shape} if setting.which_pass == "dgrad" else {"dw": self.w.shape}
        if setting.which_pass == "wgrad" and self.b is not None:
            written["db"] = self.b.shape
        self.written = {name: touched(shape, dtype) for name, shape in written.items()}
