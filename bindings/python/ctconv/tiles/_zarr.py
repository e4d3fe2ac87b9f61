# SPDX-License-Identifier: Apache-2.0
"""Boxes of Zarr arrays, by the package zarr, version 3 or later; imported when it is first needed.

In:  a path, or an open zarr.Array; a box as slices
Out: dense ndarrays of the box; whole chunks in a new array
     Tiles are whole chunks of the new array, so that no chunk is written twice or by two tiles.
     A chunk that is not there reads as the fill value: that is Zarr's rule, and no fault.
Refuses: zarr older than 3; a chunk that cannot be read, by its name
"""

import itertools
import math
import os
import shutil
import zlib

import numpy as np

from .._errors import refusal
from ._errors import storage_error


def package():
    try:
        import zarr
    except ImportError as error:
        raise ImportError("Zarr arrays need the package zarr, version 3 or later: pip install 'zarr>=3'") from error
    if int(zarr.__version__.split(".")[0]) < 3:
        raise ImportError(f"zarr {zarr.__version__} is too old: version 3 or later is needed (pip install 'zarr>=3')")
    return zarr


def is_array(x):
    return type(x).__module__.partition(".")[0] == "zarr" and hasattr(x, "chunks")


def is_path(path):
    """Whether a path names a Zarr array: its ending, or a folder that holds one."""
    return os.fspath(path).rstrip("/").endswith(".zarr") or os.path.isfile(os.path.join(path, "zarr.json"))


class Reader:
    """x in a Zarr array."""

    def __init__(self, source):
        zarr = package()
        self.path = str(getattr(source, "store_path", source))
        if not is_array(source):
            try:
                source = zarr.open_array(os.fspath(source), mode="r")
            except FileNotFoundError:
                raise
            except Exception as error:
                raise storage_error(error, f"{self.path} is no Zarr array that can be opened") from error
        self._array, self._zarr = source, zarr
        self.shape, self.dtype, self.chunk = tuple(source.shape), np.dtype(source.dtype), tuple(source.chunks)

    def close(self):
        pass

    def identity(self):
        """The shape, and the numbers of the first and the last chunk: no store tells when it was changed."""
        first = tuple(slice(0, min(c, s)) for c, s in zip(self.chunk, self.shape))
        last = tuple(slice((s - 1) // c * c, s) for c, s in zip(self.chunk, self.shape))
        sums = [zlib.crc32(np.ascontiguousarray(self.read(box, None)).tobytes()) for box in (first, last)]
        return {"shape": list(self.shape), "dtype": self.dtype.str, "chunk": list(self.chunk), "ends": sums}

    def cost(self, extents):
        """The window, and the chunks that zarr holds at a time, encoded and decoded."""
        touched = math.prod(-(-e // c) + 1 for e, c in zip(extents, self.chunk))
        at_once = min(touched, int(self._zarr.config.get("async.concurrency", 10)))
        return self.dtype.itemsize * (math.prod(extents) + 2 * at_once * math.prod(self.chunk))

    def read(self, box, _buffer):
        try:
            return np.ascontiguousarray(self._array[box])
        except Exception as error:
            named, reason = self._damaged(box) or (f"the box {_text(box)}", error)
            raise storage_error(reason, f"{self.path}: {named} cannot be read") from error

    def _damaged(self, box):
        """The first chunk of a box that cannot be read alone, and why."""
        ranges = [range(part.start // c, (part.stop - 1) // c + 1) for part, c in zip(box, self.chunk)]
        for at in itertools.product(*ranges):
            cell = tuple(slice(i * c, min((i + 1) * c, s)) for i, c, s in zip(at, self.chunk, self.shape))
            try:
                self._array[cell]
            except Exception as error:
                return f"chunk {at}", error
        return None


def _text(box):
    return "[" + ", ".join(f"{part.start}:{part.stop}" for part in box) + "]"


class Writer:
    """y in a Zarr array: a new one at a path, or one that the caller opened."""

    def __init__(self, target, shape, dtype, chunks=None):
        self._zarr = package()
        self.shape, self.dtype, self.chunks = tuple(shape), np.dtype(dtype), chunks
        self._given = target if is_array(target) else None
        self._array = self._given
        self.path = str(getattr(target, "store_path", target))
        if self._given is not None:
            self._judge(self._given, "out")
            self.chunks = tuple(getattr(target, "shards", None) or target.chunks)

    def _judge(self, array, name):
        if tuple(array.shape) != self.shape or np.dtype(array.dtype) != self.dtype:
            text = f"{name} is {tuple(array.shape)} {array.dtype}; y is {self.shape} {self.dtype}"
            raise refusal("MISUSE_Y_SHAPE", text, name, tuple(array.shape), str(self.shape))

    def create(self):
        if self._given is not None:
            return
        try:
            if os.path.isdir(self.path):
                shutil.rmtree(self.path)
            self._array = self._zarr.create_array(
                self.path, shape=self.shape, chunks=self.chunks, dtype=self.dtype, fill_value=0
            )
        except Exception as error:
            raise storage_error(error, f"{self.path} cannot be made, and nothing was computed") from error

    def reopen(self):
        """Raises FileNotFoundError where there is none, ValueError where it is another array."""
        if self._given is not None:
            return
        try:
            self._array = self._zarr.open_array(self.path, mode="r+")
        except FileNotFoundError:
            raise
        except Exception as error:
            raise ValueError(f"{self.path} is not the array that was begun: {error}") from error
        if (tuple(self._array.shape), np.dtype(self._array.dtype)) != (self.shape, self.dtype):
            raise ValueError(f"{self.path} is not the array that was begun")

    def close(self):
        pass

    def cost(self, extents):
        """What stands encoded, beside y itself."""
        return 2 * self.dtype.itemsize * math.prod(extents)

    def write(self, box, array):
        try:
            self._array[box] = array
        except Exception as error:
            raise storage_error(error, f"{self.path}: {_text(box)} cannot be written") from error

    def sync(self):
        """zarr knows no such thing."""
