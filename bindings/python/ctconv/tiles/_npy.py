# SPDX-License-Identifier: Apache-2.0
"""Boxes of arrays in .npy files, read and written by position.

In:  a path; a box as slices, one per axis
Out: dense ndarrays of the box; boxes in a new file
     Nothing is mapped: a full disk is then an error and no SIGBUS, a file cut short too, and no page counts against a
     memory limit but those of the arrays themselves.
     The room of a new file is reserved before anything is computed, where the file system can.
Refuses: what is no .npy of versions 1 and 2, object types, a file shorter than its header promises
"""

import math
import os

import numpy as np

from ._axes import counts
from ._errors import storage_error

_SHORT = 16384  # bytes: shorter runs are read with what lies between them
_SPAN = 1 << 20  # bytes of one such read


def runs(shape, slices, itemsize):
    """(offsets, bytes): where the contiguous pieces of a box begin in a C-ordered array, and how long each is."""
    extents = counts(slices)
    first = len(shape)
    while first > 0 and (first == len(shape) or extents[first] == shape[first]):
        first -= 1
    strides = [itemsize * math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    offsets = np.array([slices[first].start * strides[first]] if shape else [0], np.int64)
    for axis in range(first - 1, -1, -1):
        at = (slices[axis].start + np.arange(extents[axis], dtype=np.int64)) * strides[axis]
        offsets = (at[:, None] + offsets[None, :]).reshape(-1)
    return offsets, itemsize * math.prod(extents[first:])


def _read(fd, memory, offset, path):
    done = 0
    while done < len(memory):
        got = os.preadv(fd, [memory[done:]], offset + done)
        if got == 0:
            raise OSError(5, f"{path} ends {len(memory) - done} bytes early: it was cut short while it was read")
        done += got


def _write(fd, memory, offset):
    done = 0
    while done < len(memory):
        done += os.pwrite(fd, memory[done:], offset + done)


def bytes_of(array):
    """A dense array as flat bytes, also of types that know no buffer (bfloat16)."""
    return memoryview(array.reshape(-1).view(np.uint8))


class _File:
    def close(self):
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Reader(_File):
    """x in a .npy file."""

    def __init__(self, path):
        self.path, self._fd, self.chunk = os.fspath(path), None, None
        with open(self.path, "rb") as file:
            self.shape, self._fortran, self.dtype = _header(file, self.path)
            self._begin = file.tell()
            self._fd = os.dup(file.fileno())
        need, have = self._begin + self.dtype.itemsize * math.prod(self.shape), os.fstat(self._fd).st_size
        if have < need:
            self.close()
            raise ValueError(f"{self.path}: shape {self.shape} needs {need} bytes, the file has {have}")

    def identity(self):
        at = os.fstat(self._fd)
        return {"shape": list(self.shape), "dtype": self.dtype.str, "bytes": at.st_size, "changed": at.st_mtime_ns}

    def cost(self, extents):
        """Bytes of memory that reading a box takes at most, the result included."""
        return self.dtype.itemsize * math.prod(extents) + _SPAN

    def read(self, box, buffer):
        """The box, in the buffer's first bytes."""
        shape, slices = (self.shape[::-1], box[::-1]) if self._fortran else (self.shape, box)
        extents = counts(slices)
        size = self.dtype.itemsize * math.prod(extents)
        try:
            self._fill(shape, slices, buffer[:size])
        except OSError as error:
            raise storage_error(error, f"{self.path} cannot be read") from error
        out = buffer[:size].view(self.dtype).reshape(extents)
        return out.T if self._fortran else out

    def _fill(self, shape, slices, out):
        offsets, run = runs(shape, slices, self.dtype.itemsize)
        rows = out.reshape(-1, run) if run else out.reshape(0, 0)
        together = self._together(offsets, run)
        if together == 1:
            memory = memoryview(out)
            for i, offset in enumerate(offsets.tolist()):
                _read(self._fd, memory[i * run : (i + 1) * run], self._begin + offset, self.path)
            return
        step = int(offsets[1] - offsets[0])
        for i in range(0, len(offsets), together):
            span = np.empty((together - 1) * step + run, np.uint8)
            _read(self._fd, memoryview(span), self._begin + int(offsets[i]), self.path)
            rows[i : i + together] = np.lib.stride_tricks.as_strided(span, (together, run), (step, 1))

    @staticmethod
    def _together(offsets, run):
        """How many short runs that lie at equal steps are read at once: a divisor of their number."""
        if run >= _SHORT or len(offsets) < 2:
            return 1
        step = int(offsets[1] - offsets[0])
        if step > 16 * run:
            return 1
        other = np.diff(offsets) != step
        inner = int(np.argmax(other)) + 1 if other.any() else len(offsets)
        return max((k for k in range(1, inner + 1) if inner % k == 0 and (k - 1) * step + run <= _SPAN), default=1)


class Writer(_File):
    """y in a new .npy file, or in one that was begun earlier."""

    def __init__(self, path, shape, dtype):
        self.path, self.shape, self.dtype, self._fd = os.fspath(path), tuple(shape), np.dtype(dtype), None

    def create(self):
        head = _HeadOnly()
        described = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": self.shape}
        np.lib.format.write_array_header_1_0(head, described)
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            self._begin = len(head.data)
            _write(fd, memoryview(head.data), 0)
            _reserve(fd, self._begin + self.dtype.itemsize * math.prod(self.shape))
        except BaseException as error:
            os.close(fd)
            os.unlink(self.path)
            if isinstance(error, OSError):
                raise storage_error(error, f"there is no room for {self.path}, and nothing was computed") from error
            raise
        self._fd = fd

    def reopen(self):
        """Raises FileNotFoundError where there is none, ValueError where it is another array."""
        with open(self.path, "r+b") as file:
            shape, fortran, dtype = _header(file, self.path)
            self._begin = file.tell()
            need = self._begin + self.dtype.itemsize * math.prod(self.shape)
            if fortran or (shape, dtype) != (self.shape, self.dtype) or os.fstat(file.fileno()).st_size != need:
                raise ValueError(f"{self.path} is not the array that was begun")
            self._fd = os.dup(file.fileno())

    def cost(self, _extents):
        return 0  # written from where it was computed

    def write(self, box, array):
        offsets, run = runs(self.shape, box, self.dtype.itemsize)
        memory = bytes_of(array)
        try:
            for i, offset in enumerate(offsets.tolist()):
                _write(self._fd, memory[i * run : (i + 1) * run], self._begin + offset)
        except OSError as error:
            raise storage_error(error, f"{self.path} cannot be written") from error

    def sync(self):
        """Onto the disk: what the journal says is there outlives a loss of power."""
        try:
            os.fdatasync(self._fd)
        except OSError as error:
            raise storage_error(error, f"{self.path} cannot be written") from error


class _HeadOnly:
    def __init__(self):
        self.data = b""

    def write(self, data):
        self.data += data


def _header(file, path):
    """(shape, fortran_order, dtype); the file then stands at the first element."""
    try:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"version {version[0]}.{version[1]} is not known (1.0 and 2.0 are)")
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
    except ValueError as error:
        raise ValueError(f"{path} is no .npy file: {error}") from None
    if dtype.hasobject:
        raise ValueError(f"{path} holds Python objects; a plain float array is needed")
    return tuple(shape), fortran, dtype


def _reserve(fd, size):
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError as error:
        if error.errno in (28, 27, 122):  # ENOSPC, EFBIG, EDQUOT
            raise
        os.ftruncate(fd, size)
