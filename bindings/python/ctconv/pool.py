# SPDX-License-Identifier: Apache-2.0
"""Memory of large results that is used again: new pages are what a large result costs most.

In:  sizes in bytes.   Out: numpy arrays of bytes on pages of their own, in huge pages where the system has them.

A block is used again only when nothing refers to it. Each result (ndarray or torch tensor) and each view of it holds a
reference to its block; a block with none but the pool's own is free. So no result ever changes after it was given.
What all blocks hold together stays within the limit. Beyond it results come from numpy or torch as without a pool.

    ctconv.pool.set_limit(0)      no pool; free blocks go back to the system (also CTCONV_POOL_BYTES=0)
    ctconv.pool.info()            what it holds
    ctconv.pool.clear()           gives the free blocks back
    ctconv.pool.keep_malloc()     for everyone else's memory: malloc keeps what is freed, in the whole process

A child made by fork begins with an empty pool. Python without reference counts of its own threads (PyPy, free-threaded
builds) has none.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
import threading
from typing import NamedTuple

import numpy as np

from ._errors import refusal

__all__ = ["Info", "clear", "info", "keep_malloc", "limit", "set_limit"]

SMALLEST = 1 << 20  # bytes; malloc keeps smaller ones itself
_HUGE = 2 << 20  # a huge page
_DEFAULT = 512 << 20


class Info(NamedTuple):
    limit: int  # bytes the pool may hold
    held: int  # bytes it holds
    free: int  # of them, bytes no result refers to
    blocks: int
    again: int  # results that took a block there was
    new: int  # results for which a block was made


def _countable() -> bool:
    return sys.implementation.name == "cpython" and getattr(sys, "_is_gil_enabled", lambda: True)()


def _of_environment() -> int:
    text = os.environ.get("CTCONV_POOL_BYTES", "").strip()
    try:
        return max(0, int(float(text))) if text else _DEFAULT
    except (ValueError, OverflowError):
        return _DEFAULT


def _block(size: int) -> np.ndarray:
    """Bytes of the system, the first one at a huge page. MAP_PRIVATE: after a fork each process has its own."""
    pages = mmap.mmap(-1, size + _HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    try:
        pages.madvise(mmap.MADV_HUGEPAGE)
    except (AttributeError, OSError, ValueError):  # a kernel without huge pages
        pass
    return np.frombuffer(pages, np.uint8)


class _Pool:
    def __init__(self) -> None:
        self.limit = _of_environment() if _countable() else 0
        self.forget()

    def forget(self) -> None:
        self._lock = threading.Lock()
        self._blocks: list = [np.empty(1, np.uint8)]  # ndarrays; the one used last stands last
        self._alone = self._references(0)  # what a block has that no result refers to
        self._blocks.clear()
        self._held = self._again = self._new = 0

    def _references(self, i: int) -> int:
        return sys.getrefcount(self._blocks[i])

    def _is_free(self, i: int) -> bool:
        return self._references(i) == self._alone

    def take(self, size: int) -> np.ndarray | None:
        """`size` bytes of a block, or None: take them elsewhere."""
        if not SMALLEST <= size <= self.limit:
            return None
        if not self._lock.acquire(blocking=False):  # another thread is here, or this one in a finaliser
            return None
        try:
            block = self._free_block(size)
            if block is None:
                block = self._new_block(-(-size // _HUGE) * _HUGE)
        finally:
            self._lock.release()
        if block is None:
            return None
        first = -block.__array_interface__["data"][0] % _HUGE
        return block[first : first + size]

    def _free_block(self, size: int) -> np.ndarray | None:
        """The least free block that holds `size` bytes and is not much larger."""
        best, least = -1, size + size // 4 + 3 * _HUGE
        for i in range(len(self._blocks)):
            there = self._blocks[i].size
            if size + _HUGE <= there < least and self._is_free(i):
                best, least = i, there
        if best < 0:
            return None
        self._again += 1
        self._blocks.append(self._blocks.pop(best))
        return self._blocks[-1]

    def _new_block(self, size: int) -> np.ndarray | None:
        self._drop_free(self.limit - size - _HUGE)
        if self._held + size + _HUGE > self.limit:
            return None
        try:
            block = _block(size)
        except (OSError, MemoryError):
            return None
        self._new += 1
        self._held += block.size
        self._blocks.append(block)
        return block

    def _drop_free(self, most: int) -> None:
        """Free blocks go, the one unused longest first, until at most `most` bytes are held."""
        i = 0
        while self._held > most and i < len(self._blocks):
            if self._is_free(i):
                self._held -= self._blocks[i].size
                del self._blocks[i]
            else:
                i += 1

    def set_limit(self, size: int) -> None:
        with self._lock:
            self.limit = size if _countable() else 0
            self._drop_free(self.limit)

    def clear(self) -> None:
        with self._lock:
            self._drop_free(0)

    def info(self) -> Info:
        with self._lock:
            free = sum(self._blocks[i].size for i in range(len(self._blocks)) if self._is_free(i))
            return Info(self.limit, self._held, free, len(self._blocks), self._again, self._new)


_pool = _Pool()
take = _pool.take
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.forget)


def limit() -> int:
    """Bytes the pool may hold; 0: there is none."""
    return _pool.limit


def set_limit(size: int) -> None:
    """At most `size` bytes from now on. Results that are in use keep their memory; it counts until they are gone."""
    if isinstance(size, bool) or not hasattr(size, "__index__") or size.__index__() < 0:
        wrong_type = not hasattr(size, "__index__")
        text = f"the pool's limit is {size!r}; a number of bytes from 0 is needed"
        raise refusal("MISUSE_OPTION", text, "size", size, "from 0", wrong_type=wrong_type)
    _pool.set_limit(size.__index__())


def clear() -> None:
    """Gives the blocks back to the system that no result refers to."""
    _pool.clear()


def info() -> Info:
    """What the pool holds now, and how often it was of use."""
    return _pool.info()


_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4  # malloc.h


def keep_malloc(size: int = 1 << 30) -> bool:
    """Tells malloc, for the whole process, to keep freed memory up to `size` bytes instead of giving it back: large
    tensors of torch then need no new pages in each pass. True where malloc has taken it (glibc's does).
    As MALLOC_TRIM_THRESHOLD_ and MALLOC_MMAP_THRESHOLD_ in the environment. It cannot be undone."""
    if isinstance(size, bool) or not hasattr(size, "__index__") or not 0 < size.__index__() < 2**31:
        text = f"size is {size!r}; a number of bytes from 1 to {2**31 - 1} is needed"
        raise refusal("MISUSE_OPTION", text, "size", size, wrong_type=not hasattr(size, "__index__"))
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    # An older glibc refuses thresholds above 32 MiB; there no request at all goes to mmap.
    large = mallopt(_MMAP_THRESHOLD, size.__index__()) or mallopt(_MMAP_MAX, 0)
    return bool(mallopt(_TRIM_THRESHOLD, size.__index__()) and large)
