# SPDX-License-Identifier: Apache-2.0
"""ctconv.dask.conv_transpose: y = layer(x) over dask arrays, lazily, block by block.

    y = ctconv.dask.conv_transpose(x, layer)                    # x: a dask array, or an xarray.DataArray of one
    y.to_zarr("y.zarr")                                         # threads, processes or a distributed cluster compute

In:  x in any chunks; a ctconv.Layer with its weight; maybe the chunks of y
Out: y, lazy. Every block reads of x what its region's window holds: of a neighbour only the halo travels.
     With the default reproducible=1 the bits are those of one whole call, for any chunks, threads and machines.
     The layer is one entry of the graph: a distributed worker is sent the weights once, and keeps the plans. Processes
     of dask's own pool are sent them with every block, and make the layer of them once.
Refuses: what is no dask array, unknown extents, chunks that are zero or do not add up; what the layer refuses.
"""

import functools
import itertools
import math
import operator
import pickle
import threading
from collections import OrderedDict, namedtuple

import dask.array
import numpy as np
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph

from ._errors import refusal
from .tiles._axes import Axes, layer_of, with_options
from .tiles._run import digest

__all__ = ["conv_transpose"]

_LAYERS_HELD = 8  # layers with their plans that a process keeps for further calls
_lock, _held = threading.Lock(), OrderedDict()

# A part of x that a block reads: in which chunk of the axis, where in it, where in the window.
_Part = namedtuple("_Part", "chunk inside window")


class _Shared:
    """A layer in a graph. However often its bytes reach a process, there is one layer of them."""

    def __init__(self, layer, token):
        self.layer, self.token, self._packed = layer, token, None

    def __reduce__(self):
        if self._packed is None:
            self._packed = pickle.dumps(self.layer, protocol=5)
        return _shared, (self.token, self._packed)

    def __sizeof__(self):
        return object.__sizeof__(self) + sum(own.array.nbytes for own in self.layer._weights if own is not None)


def _shared(token, packed):
    with _lock:
        found = _held.get(token)
        if found is None:
            found = _held[token] = _Shared(pickle.loads(packed), token)
            found._packed = packed
            while len(_held) > _LAYERS_HELD:
                _held.popitem(last=False)
        _held.move_to_end(token)
        return found


# What one block is: all but its numbers.
_Work = namedtuple("_Work", "region x_begin x_shape window places size")


def _block(work, shared, *pieces):
    """One block of y from the pieces of its window."""
    if len(pieces) == 1:
        window = np.asarray(pieces[0])
    else:
        window = np.empty(work.window, pieces[0].dtype)
        for place, piece in zip(work.places, pieces):
            window[place] = piece
    return shared.layer(window, *work.size, region=work.region, x_begin=work.x_begin, x_shape=work.x_shape)


def _wrong(name, value, text, legal="", **more):
    return refusal("MISUSE_VALUE", text, name, value, legal, **more)


def _edges(chunks):
    return [0, *itertools.accumulate(chunks)]


def _cut(extent, edges):
    """Chunks of an extent that end at the edges inside it."""
    inside = sorted({edge for edge in edges if 0 < edge < extent})
    return tuple(b - a for a, b in zip([0, *inside], [*inside, extent]))


def _own_chunks(axes, x_chunks):
    """y's chunks where none are asked for: what each chunk of x becomes, cut at multiples of the stride."""
    out = [(extent,) for extent in axes.y_shape]
    if axes.batch is not None:
        out[axes.batch] = _cut(axes.y_shape[axes.batch], _edges(x_chunks[axes.batch]))
    for axis, stride in zip(axes.spatial, axes.strides):
        out[axis] = _cut(axes.y_shape[axis], [edge * stride for edge in _edges(x_chunks[axis])[:-1]])
    return tuple(out)


def _aligned(axes, chunks):
    """Chunks that dask chose, moved to multiples of the strides."""
    out = list(chunks)
    for axis, stride in zip(axes.spatial, axes.strides):
        edges = [max(stride, edge // stride * stride) for edge in _edges(chunks[axis])[1:-1]]
        out[axis] = _cut(axes.y_shape[axis], edges)
    return tuple(out)


def _chunks(axes, x_chunks, given, dtype):
    """y's chunks as the caller wants them."""
    own = _own_chunks(axes, x_chunks)
    if given is None:
        return own
    if isinstance(given, dict):
        ndim, named = len(own), {}
        for axis, value in given.items():
            if not isinstance(axis, int) or not -ndim <= axis < ndim:
                raise _wrong("chunks", axis, f"chunks names axis {axis!r}; y has the axes 0 to {ndim - 1}")
            named[axis % ndim] = value
        given = tuple(named.get(axis, own[axis]) for axis in range(ndim))
    chosen = given == "auto"
    if chosen:
        given = tuple(-1 if axis == axes.channels else "auto" for axis in range(len(own)))
    try:
        out = dask.array.core.normalize_chunks(given, shape=axes.y_shape, dtype=dtype)
    except (ValueError, TypeError, ZeroDivisionError, IndexError) as error:
        raise _wrong("chunks", given, f"chunks is {given!r}, for a y of shape {axes.y_shape}: {error}") from None
    if any(size < 1 for sizes in out for size in sizes):
        raise _wrong("chunks", given, f"chunks is {given!r}; every chunk needs an extent of 1 at least", "from 1")
    return _aligned(axes, out) if chosen else out


def _parts(first, last, edges):
    """What of the chunks between edges lies in [first, last)."""
    out = []
    for chunk, (begin, end) in enumerate(zip(edges, edges[1:])):
        low, high = max(first, begin), min(last, end)
        if low < high:
            whole = (low, high) == (begin, end)
            inside = slice(None) if whole else slice(low - begin, high - begin)
            out.append(_Part(chunk, inside, slice(low - first, high - first)))
    return out


class _Axis:
    """Along one axis of y, per chunk: its begin and end, the window of x it reads, and where that lies."""

    def __init__(self, axes, axis, y_chunks, x_chunks):
        y_edges, x_edges = _edges(y_chunks), _edges(x_chunks)
        self.boxes = list(zip(y_edges, y_edges[1:]))
        if axis == axes.channels:
            self.windows = [(0, axes.x_shape[axis])]
        elif axis == axes.batch:
            self.windows = self.boxes
        else:
            self.windows = [axes.window(axis, *box) for box in self.boxes]
        self.parts = [_parts(*window, x_edges) for window in self.windows]


def _graph(name, x, axes, chunks, shared, size):
    """{key: task} of all blocks of y."""
    along = [_Axis(axes, axis, chunks[axis], x.chunks[axis]) for axis in range(x.ndim)]
    out, held = {name + "-layer": shared}, name + "-layer"
    for at in itertools.product(*(range(len(sizes)) for sizes in chunks)):
        windows = [along[axis].windows[i] for axis, i in enumerate(at)]
        boxes = [along[axis].boxes[i] for axis, i in enumerate(at)]
        keys, places = [], []
        for parts in itertools.product(*(along[axis].parts[i] for axis, i in enumerate(at))):
            key, inside = (x.name, *(part.chunk for part in parts)), tuple(part.inside for part in parts)
            if any(part != slice(None) for part in inside):
                whole, key = key, (name + "-part", *at, *(part.chunk for part in parts))
                out[key] = (operator.getitem, whole, inside)
            keys.append(key)
            places.append(tuple(part.window for part in parts))
        region = tuple(tuple(boxes[axis][side] for axis in axes.spatial) for side in (0, 1))
        x_begin = tuple(windows[axis][0] for axis in axes.spatial)
        window = tuple(last - first for first, last in windows)
        work = _Work(region, x_begin, axes.x_shape, window, places, size)
        out[(name, *at)] = (functools.partial(_block, work), held, *keys)
    return out


def _of_dataarray(array, layer, chunks, keywords):
    """An xarray.DataArray again: its names and attributes, and the coordinates of what has not changed."""
    if isinstance(chunks, dict):
        chunks = {array.dims.index(dim) if dim in array.dims else dim: value for dim, value in chunks.items()}
    y, axes = _lazy(array.data, layer, chunks, **keywords)
    changed = {array.dims[axis] for axis in (axes.channels, *axes.spatial)}
    coords = {name: coord for name, coord in array.coords.items() if not changed & set(coord.dims)}
    return type(array)(y, dims=array.dims, coords=coords, name=array.name, attrs=array.attrs)


def _lazy(x, layer, chunks, output_size, threads, reproducible):
    if not isinstance(x, dask.array.Array):
        text = f"array is a {type(x).__name__}; a dask array is needed (dask.array.from_array, DataArray.chunk)"
        raise _wrong("array", type(x).__name__, text, wrong_type=True)
    if any(math.isnan(extent) for extent in x.shape):
        text = f"array has extents that dask does not know, {x.shape}: call array.compute_chunk_sizes() first"
        raise _wrong("array", x.shape, text)
    layer = layer_of(layer, x.shape)
    layer = with_options(layer, threads=layer._options["threads"] or threads, reproducible=reproducible)
    axes = Axes(layer, x.shape, output_size)
    axes.judge(x.dtype)
    if len(x.chunks[axes.channels]) > 1:
        x = x.rechunk({axes.channels: -1})
    wanted = _chunks(axes, x.chunks, chunks, x.dtype)
    cut = tuple((axes.y_shape[a],) if a == axes.channels else sizes for a, sizes in enumerate(wanted))
    made_of = [repr(layer), repr(layer._options), *map(digest, layer._weights), repr(output_size)]
    name = "ctconv-" + tokenize(x.name, made_of, cut)
    size = () if output_size is None else (output_size,)
    graph = _graph(name, x, axes, cut, _Shared(layer, tokenize(made_of)), size)
    graph = HighLevelGraph.from_collections(name, graph, dependencies=[x])
    y = dask.array.Array(graph, name, cut, dtype=x.dtype)
    return (y if cut == wanted else y.rechunk(wanted)), axes


def conv_transpose(array, layer, chunks=None, *, output_size=None, threads=1, reproducible=1):
    """layer(array), lazily: a dask array for a dask array, an xarray.DataArray for one.

    array         of any chunks; those of the channels are joined first
    layer         a ctconv.Layer with its weight, or a drop-in class
    chunks        of y, as dask spells them (an int, a tuple per axis, a dict by axis or by name, "auto");
                  None: what each chunk of x becomes. Cuts at multiples of the strides share plans; any are right
    output_size   of the call, where the dialect's has one
    threads       of one block, where the layer names none: dask shares the cores out
    reproducible  1: every block has the reference's bits, so that no seam shows whatever machine computed it
    """
    keywords = {"output_size": output_size, "threads": threads, "reproducible": reproducible}
    if type(array).__module__.partition(".")[0] == "xarray" and hasattr(array, "dims"):
        return _of_dataarray(array, layer, chunks, keywords)
    return _lazy(array, layer, chunks, **keywords)[0]
