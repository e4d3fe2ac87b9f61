# SPDX-License-Identifier: Apache-2.0
"""Into which tiles y is cut: all of one shape, beginning where phases begin, small enough for the memory.

In:  Axes, the bytes a tile may cost, what one costs; or the extents of a tile as the caller wants them
Out: Grid: the extents of a tile along every axis of y, and its boxes in C order; the first of an axis is shorter where
     the first phase begins before output 0
     The batch is cut first (nothing is read twice), then the spatial axes from the front, so that what is read and
     written stays in long runs. A spatial extent is halved no further than kHalos halos of the window while another
     axis can be cut.
Refuses: a memory limit that not even the smallest tile keeps; extents that are no positive ints
"""

import math

from .._errors import refusal
from ._axes import counts

HALOS = 8  # a tile reads at most a ninth more than it owns


def ceil_div(a, b):
    return -(-a // b)


class Grid:
    """aligned: tiles begin where phases do; else, as chunks of an array must, at multiples of their extents."""

    def __init__(self, axes, tile, aligned=False):
        self.axes, self.tile, self.aligned, ahead = axes, tuple(tile), aligned, [0] * len(tile)
        for axis, stride, first in zip(axes.spatial, axes.strides, axes.ahead):
            if aligned and self.tile[axis] < axes.y_shape[axis] and self.tile[axis] % stride == 0:
                ahead[axis] = first
        self.ahead = tuple(ahead)
        self.counts = tuple(ceil_div(e + first, t) for e, first, t in zip(axes.y_shape, self.ahead, self.tile))

    def __len__(self):
        return math.prod(self.counts)

    def position(self, index):
        """Where tile `index` stands along each axis."""
        out = []
        for count in reversed(self.counts):
            index, at = divmod(index, count)
            out.append(at)
        return out[::-1]

    def _box_at(self, position):
        cuts = zip(position, self.tile, self.ahead, self.axes.y_shape)
        return self.axes.box([slice(max(0, at * t - a), min((at + 1) * t - a, whole)) for at, t, a, whole in cuts])

    def box(self, index):
        return self._box_at(self.position(index))

    def window(self):
        """Extents that no tile's window of x exceeds: what a tile in the middle reads, or all of x where even that one
        meets an end. Windows of another phase are one position longer at most."""
        axes, out = self.axes, list(self.axes.x_shape)
        if axes.batch is not None:
            out[axes.batch] = self.tile[axes.batch]
        for axis, stride in zip(axes.spatial, axes.strides):
            tile, whole = self.tile[axis], axes.y_shape[axis]
            begin = max(0, ((whole - tile) // 2 + self.ahead[axis]) // stride * stride - self.ahead[axis])
            first, last = axes.window(axis, begin, begin + tile)
            if first > 0 and last < out[axis]:
                out[axis] = min(out[axis], last - first + (tile % stride > 0))
        return tuple(out)

    def inner(self):
        """A box whose window meets no end of x, where there is one."""
        return self._box_at([min(1, count - 1) for count in self.counts])


def _units(axes, axis, x_chunk, y_chunk):
    """Tiles begin at multiples of the first: of the stride, and of a chunk of y. Of the second where they are large:
    of what a chunk of x becomes."""
    stride = axes.strides[axes.spatial.index(axis)] if axis in axes.spatial else 1
    unit = math.lcm(stride, y_chunk[axis])
    if unit >= axes.y_shape[axis] and unit > stride:  # one chunk holds nearly all: phases matter less than chunks
        unit = y_chunk[axis]
    return unit, unit * max(1, round(stride * x_chunk[axis] / unit))


def _rounded(extent, unit, large):
    """At least `extent`, in whole units; in large ones where that is not much more."""
    unit = large if extent >= 3 * large else unit
    return ceil_div(extent, unit) * unit


def _halo(axes, axis):
    """Positions of y that the window reaches beyond its box."""
    whole = [slice(0, extent) for extent in axes.y_shape]
    stride = axes.strides[axes.spatial.index(axis)]
    at = axes.y_shape[axis] // 2 // stride * stride
    whole[axis] = slice(at, min(at + stride, axes.y_shape[axis]))
    return (counts(axes.box(whole).x)[axis] - 1) * stride


def chosen(axes, cost, budget, x_chunk=None, y_chunk=None, aligned=False):
    """The Grid with the fewest tiles whose cost(grid) is within budget. Chunks of x and y, per axis; None: any cut."""
    aligned = aligned and y_chunk is None
    ones = (1,) * len(axes.y_shape)
    x_chunk, y_chunk = x_chunk or ones, y_chunk or ones
    tile = list(axes.y_shape)
    order = ([axes.batch] if axes.batch is not None else []) + list(axes.spatial)
    units = {axis: _units(axes, axis, x_chunk, y_chunk) for axis in order}
    least = {axis: units[axis][0] for axis in order}
    wanted = {a: _rounded(HALOS * _halo(axes, a) if a in axes.spatial else 1, least[a], least[a]) for a in order}
    for floor in (wanted, least):
        for axis in order:
            parts = 1
            while tile[axis] > floor[axis] and cost(Grid(axes, tile, aligned)) > budget:
                parts = max(parts + 1, parts * 5 // 4)
                smaller = _rounded(ceil_div(axes.y_shape[axis], parts), *units[axis])
                tile[axis] = min(tile[axis], max(smaller, floor[axis]))
    need = cost(Grid(axes, tile, aligned))
    if need <= budget:
        return Grid(axes, tile, aligned)
    text = f"memory: the smallest tile, {tuple(tile)}, needs {need} bytes beside what the process holds; "
    text += f"{budget} are left"
    raise refusal("MISUSE_VALUE", text, "memory", budget, f">= {need} bytes more than the process holds")


def given(axes, tile, aligned=False):
    """The Grid of the caller's own extents: an int per spatial axis of y, or per axis with the batch in front.
    They need not be multiples of the strides; tiles then share fewer plans."""
    order = ([axes.batch] if axes.batch is not None else []) + list(axes.spatial)
    try:
        extents = [int(value.__index__()) for value in tile]
    except (TypeError, AttributeError):
        extents = []
    if len(extents) not in (len(axes.spatial), len(order)) or any(value < 1 for value in extents):
        text = f"tile is {tile!r}; an extent per spatial axis of y is needed, {len(axes.spatial)} ints from 1"
        raise refusal("MISUSE_VALUE", text, "tile", tile, f"{len(axes.spatial)} ints from 1")
    out = list(axes.y_shape)
    for axis, value in zip(order[-len(extents) :], extents):
        out[axis] = min(value, axes.y_shape[axis])
    return Grid(axes, out, aligned)
