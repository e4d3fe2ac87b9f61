# SPDX-License-Identifier: Apache-2.0
"""How a layer's x and y lie, and what a box of y reads of x.

In:  a Layer with its weight, the shape of the whole x, maybe output_size
Out: Axes: which axis is the batch, which run in space, their strides; Box: slices of y, slices of x, the call's region
     Boxes whose begins differ by multiples of the strides meet their windows alike: they share a plan. They cost least
     where they begin at multiples of the strides less `ahead`: there no phase of theirs has a row more than another.
Refuses: what the layer refuses of x_shape; an output without elements; a layer without its weight.
"""

from collections import namedtuple

import numpy as np

from .. import _region
from .._errors import Error, refusal
from .._layer import _UNSET, Layer

# y, x: a slice per axis of y and of the whole x; region, x_begin: as Layer takes them.
Box = namedtuple("Box", "y x region x_begin")


def counts(slices):
    """The extents of a box."""
    return tuple(part.stop - part.start for part in slices)


def layer_of(layer, x_shape=None):
    """The ctconv.Layer of what computes: one itself, or a drop-in class such as ctconv.torch.ConvTranspose3d."""
    if not isinstance(layer, Layer) and callable(getattr(layer, "layer", None)):
        layer = layer.layer(x_shape)
    if not isinstance(layer, Layer):
        text = f"layer is a {type(layer).__name__}; a ctconv.Layer with its weight is needed"
        raise refusal("MISUSE_VALUE", text, "layer", type(layer).__name__, wrong_type=True)
    if layer._weights[0] is None:
        text = "the layer has no weight of its own, and no call gives one: make the layer with its weight"
        raise refusal("MISUSE_WEIGHT_MISSING", text, "weight", None)
    return layer


def with_options(layer, **changes):
    """The layer with some of its options changed; weights are shared, not copied."""
    state = layer.__getstate__()
    state["_options"] = {**state["_options"], **changes, "borrow_weights": False}
    state["_runner"] = state["_options"]["runner"]
    twin = type(layer).__new__(type(layer))
    twin.__setstate__(state)
    return twin


class Axes:
    """x_shape, y_shape; batch (an axis, or None), channels, spatial: axes of both; strides, ahead: of spatial axes."""

    def __init__(self, layer, x_shape, output_size=None):
        self.layer, self.x_shape = layer, tuple(int(extent) for extent in x_shape)
        self._size = () if output_size is None else (output_size,)
        self.y_shape = layer.output_shape(self.x_shape, *self._size)
        if 0 in self.y_shape:
            text = f"the output of an x of shape {self.x_shape} is {self.y_shape}: it has no elements to compute"
            raise refusal("SHAPE_OUTPUT_EMPTY", text, "x", self.x_shape, "extents from 1")
        ndim = len(self.x_shape)
        self.batch = 0 if self._has_rank(ndim - 2) else None
        first = 0 if self.batch is None else 1
        last = "layout: channels last\n" in layer.describe()
        self.channels = ndim - 1 if last else first
        self.spatial = tuple(range(first, ndim - 1) if last else range(first + 1, ndim))
        self.strides = tuple(self._stride(axis) for axis in self.spatial)
        self.ahead = tuple(self._ahead(axis, stride) for axis, stride in zip(self.spatial, self.strides))

    def _has_rank(self, rank):
        """Whether the layer has so many spatial axes."""
        if rank < 1:
            return False
        try:
            self.layer.region_window(self.x_shape, (0,) * rank, (1,) * rank, *self._size)
        except Error:
            return False
        return True

    def _grown(self, axis):
        """y's shape for an x with one position more along an axis; None where that is no input of the layer."""
        shape = tuple(extent + (a == axis) for a, extent in enumerate(self.x_shape))
        try:
            return self.layer.output_shape(shape, *self._size)
        except Error:
            return None

    def _stride(self, axis):
        grown = self._grown(axis)
        step = 0 if grown is None else grown[axis] - self.y_shape[axis]
        if step > 0:
            return step
        a = self.spatial.index(axis)  # an output_size holds the extent fast
        given = next((self.layer.args[key] for key in ("stride", "strides") if key in self.layer.args), 1)
        try:
            step = given if isinstance(given, int) else given[a]
        except (TypeError, IndexError):
            step = 1
        return step if isinstance(step, int) and step > 0 else 1

    def _ahead(self, axis, stride):
        """How far before output 0 the first phase begins: windows end one input later from each first phase on."""
        first_end = self.window(axis, 0, 1)[1]
        low, high = 0, self.y_shape[axis]
        while low < high:
            middle = (low + high) // 2
            if self.window(axis, middle, middle + 1)[1] > first_end:
                high = middle
            else:
                low = middle + 1
        return -low % stride if low < self.y_shape[axis] else 0

    def judge(self, dtype):
        """What the layer says of x's element type, before anything is made."""
        one = self.box([slice(0, e if a == self.channels else 1) for a, e in enumerate(self.y_shape)])
        self.compute(np.zeros(counts(one.x), dtype), one, np.empty(counts(one.y), dtype))

    def box(self, y_slices):
        """The Box of slices of y, one per axis; those of the channels must be whole."""
        begin = tuple(y_slices[axis].start for axis in self.spatial)
        end = tuple(y_slices[axis].stop for axis in self.spatial)
        x_begin, x_end = self.layer.region_window(self.x_shape, begin, end, *self._size)
        x = [slice(0, extent) for extent in self.x_shape]
        if self.batch is not None:
            x[self.batch] = y_slices[self.batch]
        for axis, first, last in zip(self.spatial, x_begin, x_end):
            x[axis] = slice(first, last)
        return Box(tuple(y_slices), tuple(x), (begin, end), x_begin)

    def window(self, axis, begin, end):
        """[first, last) of x that [begin, end) of y reads along one spatial axis."""
        a, rank = self.spatial.index(axis), len(self.spatial)
        box = [tuple(value if i == a else other for i in range(rank)) for value, other in ((begin, 0), (end, 1))]
        first, last = self.layer.region_window(self.x_shape, *box, *self._size)
        return first[a], last[a]

    def compute(self, window, box, out):
        """One box, from its window of x."""
        self.layer(window, *self._size, region=box.region, x_begin=box.x_begin, out=out)

    def workspace(self, box):
        """Bytes that computing the box needs beside its window and its part of y."""
        slot = self.layer._shape_call(counts(box.x), *(self._size or (_UNSET,)), None, None)
        _region.fill(slot.call, slot.keep, box.region, box.x_begin, None)
        return self.layer._workspace_bytes(slot.call, slot.error)
