# SPDX-License-Identifier: Apache-2.0
"""Memory of calls on the host: workspaces that all layers share, and new results.

Workspaces: a call takes a free one and puts it back. So no more are held than calls ran at the same time.
Results: a large one comes from the pool (pool.py), or from numpy, beginning with a cache line.
Refuses: what cannot be allocated.
"""

from math import prod

import numpy as np

from . import pool
from ._errors import refusal

HELD = 256 * 2**20  # larger workspaces go back to the system after the call

workspaces = []  # the free ones of all layers

_empty, _uint8 = np.empty, np.dtype(np.uint8)
_LARGE = 1 << 18  # bytes


class Workspace:
    __slots__ = ("buffer", "bytes", "address")

    def __init__(self, size):
        self.buffer, self.bytes = allocate((size,), _uint8, _apart), size
        self.address = self.buffer.__array_interface__["data"][0]


def take_workspace(needed):
    """A free workspace of at least `needed` bytes; else a new one in place of a smaller.
    So no more are held than calls ran at the same time."""
    try:
        last = workspaces.pop()
        if last.bytes >= needed:
            return last
    except IndexError:
        return Workspace(needed)
    for held in workspaces[:]:
        if held.bytes >= needed:
            try:
                workspaces.remove(held)
            except ValueError:  # another thread took it
                continue
            workspaces.append(last)
            return held
    return Workspace(needed)


def new(shape, dtype):
    """An array as numpy makes it; a large one begins with a cache line, which numpy's own do not:
    whole lines can then be written past the cache."""
    size = dtype.itemsize * prod(shape)
    if size < _LARGE:
        return _empty(shape, dtype)
    memory = pool.take(size)
    return _apart(shape, dtype) if memory is None else memory.view(dtype).reshape(shape)


def _apart(shape, dtype):
    size = dtype.itemsize * prod(shape)
    memory = _empty(size + 64, _uint8)
    at = -memory.__array_interface__["data"][0] % 64
    return memory[at : at + size].view(dtype).reshape(shape)


def allocate(shape, dtype, make=new):
    try:
        return make(shape, dtype)
    except (MemoryError, ValueError):  # ValueError: numpy's own limit on bytes
        text = f"an array of shape {shape} and type {dtype} cannot be allocated"
        raise refusal("NO_MEMORY", text, "y", shape) from None
