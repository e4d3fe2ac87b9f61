# SPDX-License-Identifier: Apache-2.0
"""Results that are torch tensors on the host. Large ones lie in blocks of the pool (pool.py).

In:  a tensor whose type and device the result shares, its shape and strides (dense, in any order of axes).
Out: a new tensor, no view of another. Its storage refers to the block; when the storage goes, the block is free.
Such a storage cannot be resized: resize_() to more elements is refused by torch.
"""

import sys
from math import prod

from . import pool
from ._device import strides_like


def new_strided(x, shape, strides):
    """x.new_empty_strided, from the pool where it is large."""
    size = x.element_size() * prod(shape)
    memory = pool.take(size) if size >= pool.SMALLEST and x.device.type == "cpu" else None
    if memory is None:
        return x.new_empty_strided(shape, strides)
    storage = sys.modules["torch"].from_numpy(memory).untyped_storage()
    return x.new_empty(0).set_(storage, 0, shape, strides)


def new_like(x, shape):
    """A result of `shape` in x's memory format."""
    return new_strided(x, shape, strides_like(x, shape))
