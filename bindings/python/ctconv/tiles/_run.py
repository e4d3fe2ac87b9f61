# SPDX-License-Identifier: Apache-2.0
"""One run: every tile of y read, computed, written and noted, within the memory limit.

In:  a Layer, x, where y goes; the options of run()
Out: y whole at its place, a Report; or an exception, and what was written is kept for the same call to go on with
     A thread reads the next window and another writes the last tile while the layer computes the one between.
     OUT.part holds y until it is whole, OUT.journal says which tiles it holds; both are gone at the end.
"""

import concurrent.futures
import hashlib
import math
import os
import shutil
import time
from collections import namedtuple

import numpy as np

from .. import _abi
from .._errors import refusal
from .._kept import Kept, kept
from . import _grid, _memory, _npy, _zarr
from ._axes import Axes, counts, layer_of
from ._errors import StorageError, wrong
from ._journal import ANEW, Journal
from ._progress import Progress

Report = namedtuple("Report", "shape tiles tile resumed seconds bytes path")
Report.__doc__ = (
    "y's shape; tiles in all, the extents of one; tiles that an earlier run had written; this run's "
    "seconds and bytes of y; where y is"
)
Report.__module__ = "ctconv.tiles"

_MARGIN = 16 << 20  # bytes: threads, lists, what the allocator keeps
_MOST = 256 << 20  # bytes of a tile and its window: a kill costs no more than this work
_SYNCS_APART = 0.1  # seconds
_MOST_CHUNK = 64 << 20  # where a tile is a chunk of a Zarr array


class _Array:
    """x as an array in memory, or a numpy.memmap."""

    def __init__(self, array):
        self.path, self._array, self.chunk = "x", array, None
        self.shape, self.dtype = tuple(array.shape), array.dtype

    def close(self):
        pass

    def identity(self):
        return {"shape": list(self.shape), "dtype": self.dtype.str}

    def cost(self, _extents):
        return 0

    def read(self, box, _buffer):
        return self._array[box]


def reader_of(x):
    if _zarr.is_array(x):
        return _zarr.Reader(x)
    if isinstance(x, (str, os.PathLike)):
        if not os.path.exists(x):
            raise FileNotFoundError(2, "x: there is no such file", os.fspath(x))
        return _zarr.Reader(x) if _zarr.is_path(x) else _npy.Reader(x)
    if isinstance(x, np.ndarray):
        return _Array(x)
    text = f"x is a {type(x).__name__}; a path, a numpy array or a zarr.Array is needed"
    raise refusal("TYPE_INPUT_DTYPE", text, "x", type(x).__name__, wrong_type=True)


def _keep_input(x, out):
    """y never takes the place of x."""
    paths = all(isinstance(p, (str, os.PathLike)) for p in (x, out))
    if paths and os.path.exists(out) and os.path.samefile(x, out):
        raise wrong("out", os.fspath(out), f"{os.fspath(out)} is x itself, which would be lost; give another path")


def digest(own):
    """Of a weight or bias as the layer holds it."""
    if own is None:
        return None
    held = own if isinstance(own, Kept) else kept(own)
    return hashlib.sha256(held.array.reshape(-1).view(np.uint8)).hexdigest()[:16]


def identity_of(layer, source, axes, output_size):
    """What two runs must share so that one may finish the other's work."""
    names = ("engine", "activation", "activation_alpha", "activation_beta", "reproducible", "math", "allow_tf32")
    return {
        "library": _abi.lib.ctconv_version_string().decode(),
        "layer": repr(layer),
        "options": {name: repr(layer._options[name]) for name in names},
        "weight": digest(layer._weights[0]),
        "bias": digest(layer._weights[1]),
        "output_size": repr(output_size),
        "x": source.identity(),
        "y": list(axes.y_shape),
        "ahead": list(axes.ahead),
    }


def _chunks_of(given, shape):
    """An extent from 1 per axis of y, none longer than y."""
    try:
        chunks = [int(value.__index__()) for value in given]
    except (TypeError, AttributeError):
        chunks = []
    if len(chunks) != len(shape) or any(value < 1 for value in chunks):
        text = f"chunks is {given!r}; an extent per axis of y is needed, {len(shape)} ints from 1"
        raise wrong("chunks", given, text, f"{len(shape)} ints from 1")
    return tuple(map(min, chunks, shape))


class _Place:
    """Where y is made, and where it stands when it is whole."""

    def __init__(self, out, shape, dtype, chunks, overwrite, journal):
        self.given = _zarr.is_array(out)
        if not self.given and not isinstance(out, (str, os.PathLike)):
            text = f"out is a {type(out).__name__}; a path or a zarr.Array is needed"
            raise refusal("TYPE_ARGUMENT_NAME", text, "out", type(out).__name__, wrong_type=True)
        self.final = None if self.given else os.fspath(out).rstrip("/")
        self.zarr = self.given or _zarr.is_path(self.final)
        if self.given and journal is None:
            raise wrong("journal", None, "out is an open array: journal= must say where the journal lies")
        if not self.given and os.path.isdir(self.final) and not (self.zarr and overwrite):
            hint = "overwrite=True (--overwrite) replaces it" if self.zarr else "a file name is needed"
            raise wrong("out", self.final, f"{self.final} is there already, a folder; {hint}")
        self.part = None if self.given else self.final + ".part"
        self.journal = self.final + ".journal" if journal is None else os.fspath(journal)
        target = out if self.given else self.part
        if chunks is not None:
            chunks = _chunks_of(chunks, shape)
        self.writer = _zarr.Writer(target, shape, dtype, chunks) if self.zarr else _npy.Writer(target, shape, dtype)

    def chunks(self):
        """Those that are there already or asked for; None: any."""
        return self.writer.chunks if self.zarr else None

    def settle(self, grid):
        """The chunks of a new Zarr array; a tile must be whole chunks of any."""
        if not self.zarr:
            return
        if self.writer.chunks is None:
            self.writer.chunks = grid.tile
        for tile, chunk, extent in zip(grid.tile, self.writer.chunks, grid.axes.y_shape):
            if tile % chunk and tile != extent:
                text = f"a tile of {grid.tile} is not made of whole chunks of {self.writer.chunks}"
                raise wrong("tile", grid.tile, text, "multiples of the chunks")

    def finish(self):
        """From the part to the whole, in one step."""
        self.writer.close()
        if self.given:
            return
        if os.path.isdir(self.final):
            shutil.rmtree(self.final)
        os.replace(self.part, self.final)
        folder = os.open(os.path.dirname(os.path.abspath(self.final)), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def number(self):
        """The system's number of the part, which a rename keeps."""
        return None if self.given else os.stat(self.part).st_ino

    def is_finished(self, journal):
        """Whether the journal's y stands at its place, and only the journal of it is left."""
        if self.given or os.path.exists(self.part) or not os.path.exists(self.final):
            return False
        return os.stat(self.final).st_ino == journal.part


class _Work:
    """The tiles of one run, and the buffers they go through."""

    def __init__(self, grid, source, writer):
        self.grid, self.source, self.writer, self.dtype = grid, source, writer, writer.dtype
        sides = 1 if len(grid) == 1 else 2
        reads = source.chunk is None and not isinstance(source, _Array)
        window = source.dtype.itemsize * math.prod(grid.window()) if reads else 0
        tile = self.dtype.itemsize * math.prod(grid.tile)
        self._windows = [np.empty(window, np.uint8) for _ in range(sides)]
        self._tiles = [np.empty(tile, np.uint8) for _ in range(sides)]

    def load(self, turn, index):
        box = self.grid.box(index)
        return box, self.source.read(box.x, self._windows[turn % len(self._windows)])

    def tile(self, turn, shape):
        memory = self._tiles[turn % len(self._tiles)][: self.dtype.itemsize * math.prod(shape)]
        return memory.view(self.dtype).reshape(shape)

    def run(self, todo, journal, progress):
        notes = _Notes(self.writer, journal)
        try:
            self._each(todo, notes, progress)
        finally:
            notes.flush()

    def _each(self, todo, notes, progress):
        writes = [None] * len(self._tiles)

        def store(index, box, y):
            self.writer.write(box.y, y)
            notes.add(index)
            progress.step(y.nbytes)

        with _Hand("read") as reader, _Hand("write") as writer:
            coming = reader.submit(self.load, 0, todo[0])
            for turn, index in enumerate(todo):
                box, window = coming.result()
                if turn + 1 < len(todo):
                    coming = reader.submit(self.load, turn + 1, todo[turn + 1])
                slot = turn % len(writes)
                if writes[slot] is not None:
                    writes[slot].result()
                y = self.tile(turn, counts(box.y))
                self.grid.axes.compute(window, box, y)
                del window
                writes[slot] = writer.submit(store, index, box, y)
            for write in writes:
                if write is not None:
                    write.result()


class _Notes:
    """Tiles are noted when they are on the disk, which is asked for ten times a second at most."""

    def __init__(self, writer, journal):
        self._writer, self._journal, self._waiting, self._last = writer, journal, [], time.monotonic()

    def add(self, index):
        self._waiting.append(index)
        if time.monotonic() - self._last > _SYNCS_APART:
            self.flush()

    def flush(self):
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._writer.sync()
            self._journal.add(waiting)
        self._last = time.monotonic()


class _Hand(concurrent.futures.ThreadPoolExecutor):
    """One thread; what it has begun is finished whatever happens, what it has not is dropped."""

    def __init__(self, name):
        super().__init__(1, thread_name_prefix=f"ctconv-tiles-{name}")

    def __exit__(self, *_):
        self.shutdown(wait=True, cancel_futures=True)


def _cost(source, writer):
    """A function: the bytes that a grid's tiles take, the layer's own workspace left out."""

    def cost(grid):
        sides = 1 if len(grid) == 1 else 2
        tile = writer.dtype.itemsize * math.prod(grid.tile)
        return sides * (source.cost(grid.window()) + tile) + writer.cost(grid.tile)

    return cost


def _chosen(axes, limit, source, place):
    """The Grid for a memory limit; the workspace is asked for once the tile is known."""
    held = _memory.resident() + _MARGIN
    weights = sum(own.array.nbytes for own in axes.layer._weights if isinstance(own, Kept))
    left, most = limit - held - 2 * weights, _MOST_CHUNK if place.zarr else _MOST
    if left <= 0:
        text = f"memory is {limit} bytes; the process itself takes {limit - left}, before any tile"
        raise wrong("memory", limit, text, f"> {limit - left}")
    cost, chunks = _cost(source, place.writer), (source.chunk, place.chunks())
    room = min(left, most * 2)
    for _ in range(8):
        grid = _grid.chosen(axes, cost, room, *chunks, not place.zarr)
        need = cost(grid) + axes.workspace(grid.inner())
        if need <= left:
            return grid
        room = int(cost(grid) * min(0.9, left / need))
    return _grid.chosen(axes, lambda g: cost(g) + axes.workspace(g.inner()), left, *chunks, not place.zarr)


def _started(axes, journal, place, make, fresh):
    """The Grid, and whether it is a new one; y's file is open. Goes on where an earlier run stopped, else begins."""
    if not fresh and journal.read():
        grid = _grid.Grid(axes, journal.grid, not place.zarr)
        if place.is_finished(journal) and len(journal.done) == len(grid):
            return grid, False
        try:
            place.writer.reopen()
            return grid, False
        except FileNotFoundError:
            pass  # nothing is left to go on with
        except ValueError as error:
            raise wrong("out", place.part, f"{error}; {ANEW}") from None
    grid = make()
    journal.forget()
    place.writer.create()
    journal.begin(list(grid.tile), place.number())
    return grid, True


def run(
    layer,
    x,
    out,
    *,
    memory="1G",
    tile=None,
    output_size=None,
    chunks=None,
    journal=None,
    progress=None,
    fresh=False,
    overwrite=False,
):
    """y = layer(x), tile by tile, for x and y beyond memory. Returns a Report.

    layer      a ctconv.Layer with its weight; with reproducible=1 y has the bits of one whole call
    x          a path (.npy, or a folder in Zarr format 3), a numpy array or memmap, or a zarr.Array
    out        a path: ending in .zarr a Zarr array, else a .npy; or a zarr.Array to write into (give journal= then)
    memory     the most this process may hold while it runs, itself included: 2**30, "2G", "512M"
    tile       extents of a tile, one per spatial axis of y; None: chosen, as large as memory allows
    chunks     of a new Zarr array, one extent per axis of y; None: a tile is a chunk
    journal    None: OUT.journal
    progress   None: a line on a terminal; True: lines on standard error; False: nothing; or a function of a State
    fresh      True: what an earlier run wrote is forgotten       overwrite   True: an old Zarr array is replaced
    A call that was killed, or ran into a full disk, goes on when it is made again. y appears at its place when it is
    whole; until then OUT.part holds it. The numbers of x must not change meanwhile.
    """
    limit, source, start = _memory.parsed(memory), reader_of(x), time.monotonic()
    try:
        _keep_input(x, out)
        layer = layer_of(layer, source.shape)
        axes = Axes(layer, source.shape, output_size)
        place = _Place(out, axes.y_shape, source.dtype, chunks, overwrite, journal)
        axes.judge(source.dtype)
        identity = identity_of(layer, source, axes, output_size)
        with Journal(place.journal, identity) as journal:
            return _run(axes, source, place, journal, (limit, tile, progress, fresh, start))
    finally:
        source.close()


def _run(axes, source, place, journal, how):
    limit, tile, progress, fresh, start = how

    def make():
        grid = _chosen(axes, limit, source, place) if tile is None else _grid.given(axes, tile, not place.zarr)
        place.settle(grid)
        _keeps(grid, limit, source, place)
        return grid

    try:
        grid, new = _started(axes, journal, place, make, fresh)
    except BaseException:
        journal.remove_empty()
        raise
    if not new:
        _keeps(grid, limit, source, place)
    todo = [index for index in range(len(grid)) if index not in journal.done]
    size = 0
    if todo:
        size = _worked(grid, source, place, journal, todo, progress)
    if not place.is_finished(journal):
        place.finish()
    journal.remove()
    seconds, path = time.monotonic() - start, place.final or place.writer.path
    return Report(axes.y_shape, len(grid), grid.tile, len(grid) - len(todo), seconds, size, path)


def _keeps(grid, limit, source, place):
    """Refuses tiles, given or of an earlier run, that would not keep the limit."""
    need = _memory.resident() + _cost(source, place.writer)(grid) + grid.axes.workspace(grid.inner())
    if need > limit:
        text = f"tiles of {grid.tile} need {need} bytes with what the process holds; memory is {limit}"
        raise wrong("memory", limit, text, f">= {need}")


def _worked(grid, source, place, journal, todo, progress):
    """Bytes of y that this run wrote."""
    shown = Progress(progress, len(grid), len(grid) - len(todo))
    try:
        _Work(grid, source, place.writer).run(todo, journal, shown)
    except StorageError as error:
        where = place.part or place.writer.path
        text = f"{error}. {len(journal.done)} of {len(grid)} tiles are kept in {where}: "
        text += "the same call goes on from there"
        raise StorageError(error.errno, text) from error
    finally:
        shown.close()
        place.writer.close()
    return shown.bytes
