# SPDX-License-Identifier: Apache-2.0
"""ctconv.tiles: the bits of one whole call for random layers and tilings, memory limits, and what is refused."""

import os
import random
import subprocess
import sys

import ctconv
import ctconv.tiles
import numpy as np
import pytest

from ctconv.tiles import _grid, _journal, _memory, _npy, _progress
from ctconv.tiles._axes import Axes

D1, D2, D3 = (f"torch.nn.ConvTranspose{rank}d" for rank in (1, 2, 3))


def numbers(shape, dtype="f4", seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def layer_of(dialect, args, dtype="f4", **options):
    w = numbers(ctconv.weight_shape(dialect, args), dtype, 1)
    b = ctconv.bias_shape(dialect, args)
    return ctconv.Layer(dialect, args, w, None if b is None else numbers(b, dtype, 2), reproducible=1, **options)


def up3(**more):
    args = {"in_channels": 4, "out_channels": 3, "kernel_size": 3, "stride": 2, "padding": 1, **more}
    return layer_of(D3, args)


@pytest.fixture
def saved(tmp_path):
    x = numbers((2, 4, 7, 9, 8))
    np.save(tmp_path / "x.npy", x)
    return tmp_path / "x.npy", tmp_path / "y.npy", x


def random_case(rng):
    rank = rng.choice((1, 2, 2, 3))
    dialect = (D1, D2, D3)[rank - 1]
    groups = rng.choice((1, 1, 2))
    k, s, d = ([rng.randint(1, most) for _ in range(rank)] for most in (4, 3, 2))
    p = [rng.randint(0, d[a] * (k[a] - 1)) for a in range(rank)]
    extra = [rng.randint(0, max(s[a], d[a]) - 1) for a in range(rank)]
    args = {
        "in_channels": 2 * groups,
        "out_channels": 3 * groups,
        "kernel_size": tuple(k),
        "stride": tuple(s),
        "padding": tuple(p),
        "output_padding": tuple(extra),
        "dilation": tuple(d),
        "groups": groups,
        "bias": rng.random() < 0.7,
    }
    x_shape = (rng.randint(1, 3), 2 * groups, *(rng.randint(3, 9) for _ in range(rank)))
    return dialect, args, x_shape[1:] if rng.random() < 0.2 else x_shape


def test_any_tiling_has_the_bits_of_a_whole_call(tmp_path):
    rng, ran = random.Random(5), 0
    for turn in range(120):
        dialect, args, x_shape = random_case(rng)
        layer = layer_of(dialect, args, activation=rng.choice((None, "relu")))
        try:
            y_shape = layer.output_shape(x_shape)
        except ctconv.Error:
            continue
        x = numbers(x_shape, seed=turn)
        path = tmp_path / "x.npy"
        np.save(path, np.asfortranarray(x) if turn % 5 == 0 else x)
        rank = len(args["stride"])
        batch = len(x_shape) == rank + 2 and rng.random() < 0.5
        tile = tuple(rng.randint(1, extent + 2) for extent in (y_shape[:1] if batch else ()) + y_shape[-rank:])
        report = ctconv.tiles.run(layer, path, tmp_path / "y.npy", tile=tile, progress=False)
        assert report.shape == y_shape
        y = np.load(tmp_path / "y.npy")
        assert y.tobytes() == layer(x).tobytes(), (dialect, args, x_shape, tile)
        ran += report.tiles > 1
    assert ran > 60
    assert sorted(os.listdir(tmp_path)) == ["x.npy", "y.npy"]


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_other_types_and_channels_last(tmp_path, dtype):
    args = {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same", "data_format": "channels_last"}
    layer = ctconv.Layer("keras.layers.Conv2DTranspose", args, numbers((3, 3, 3, 4), dtype), reproducible=1)
    x = numbers((2, 11, 6, 4), dtype, 3)
    np.save(tmp_path / "x.npy", x)
    ctconv.tiles.run(layer, tmp_path / "x.npy", tmp_path / "y.npy", tile=(5, 4), progress=False)
    assert np.load(tmp_path / "y.npy").tobytes() == layer(x).tobytes()


def test_sizes_that_follow_from_the_whole(tmp_path):
    args = {"in_channels": 4, "out_channels": 3, "kernel_size": 3, "stride": 3, "padding": "SAME"}
    layer = ctconv.Layer("paddle.nn.Conv2DTranspose", args, numbers((4, 3, 3, 3)), reproducible=1)
    x = numbers((1, 4, 6, 7))
    ctconv.tiles.run(layer, x, tmp_path / "y.npy", tile=(5, 4), progress=False)
    assert np.load(tmp_path / "y.npy").tobytes() == layer(x).tobytes()
    layer = up3()
    x, size = numbers((1, 4, 5, 6, 7)), (10, 12, 14)
    ctconv.tiles.run(layer, x, tmp_path / "z.npy", tile=(3, 4, 5), output_size=size, progress=False)
    assert np.load(tmp_path / "z.npy").tobytes() == layer(x, size).tobytes()


def test_axes_are_told_apart():
    first = Axes(up3(), (2, 4, 5, 6, 7))
    assert first.ahead == (1, 1, 1) and Axes(up3(padding=(0, 1, 2), stride=3), (2, 4, 5, 6, 7)).ahead == (0, 1, 2)
    assert (first.batch, first.channels, first.spatial, first.strides) == (0, 1, (2, 3, 4), (2, 2, 2))
    alone = Axes(up3(), (4, 5, 6, 7))
    assert (alone.batch, alone.channels, alone.spatial) == (None, 0, (1, 2, 3))
    args = {"filters": 3, "kernel_size": 3, "strides": (2, 3)}
    keras = ctconv.Layer("keras.layers.Conv2DTranspose", args, numbers((3, 3, 3, 4)))
    last = Axes(keras, (1, 4, 4, 4))
    assert (last.batch, last.channels, last.spatial, last.strides) == (0, 3, (1, 2), (2, 3))
    args = {"in_channels": 4, "out_channels": 3, "kernel_size": 3, "stride": 2, "data_format": "NHWC"}
    args["output_size"] = (9, 9)
    sized = ctconv.Layer(
        "paddle.nn.functional.conv2d_transpose",
        {k: args[k] for k in ("stride", "output_size")} | {"data_format": "NHWC"},
        numbers((4, 3, 3, 3)),
    )
    held = Axes(sized, (1, 4, 4, 4))
    assert (held.channels, held.spatial, held.strides) == (3, (1, 2), (2, 2))


def test_tiles_are_chosen_within_a_budget_and_on_phases():
    axes = Axes(up3(), (2, 4, 200, 60, 64))
    for budget in (10**9, 10**8, 10**7, 10**6, 2 * 10**5):
        grid = _grid.chosen(axes, lambda g: 4 * int(np.prod(g.tile)), budget)
        assert 4 * int(np.prod(grid.tile)) <= budget
        for axis in axes.spatial:
            assert grid.tile[axis] % 2 == 0 or grid.tile[axis] == axes.y_shape[axis]
    slab = _grid.chosen(axes, lambda g: 4 * int(np.prod(g.tile)), 10**7)
    assert slab.tile[0] == 1 and slab.tile[3:] == axes.y_shape[3:]
    for budget in (10**7, 10**6, 10**5):  # where phases begin: the first tile is shorter by the padding
        grid = _grid.chosen(axes, lambda g: 4 * int(np.prod(g.tile)), budget, aligned=True)
        boxes = [grid.box(index) for index in range(len(grid))]
        for axis in axes.spatial:
            assert {box.y[axis].start % 2 for box in boxes if box.y[axis].start} <= {1}
            edges = sorted({(box.y[axis].start, box.y[axis].stop) for box in boxes})
            assert edges[0][0] == 0 and edges[-1][1] == axes.y_shape[axis]
            assert all(a[1] == b[0] for a, b in zip(edges, edges[1:]))
    chunked = _grid.chosen(axes, lambda g: 4 * int(np.prod(g.tile)), 3 * 10**6, None, (1, 3, 10, 20, 32))
    for tile, chunk, whole in zip(chunked.tile, (1, 3, 10, 20, 32), axes.y_shape):
        assert tile % chunk == 0 or tile == whole
    with pytest.raises(ctconv.Error, match="smallest tile"):
        _grid.chosen(axes, lambda g: 4 * int(np.prod(g.tile)), 10)


def test_no_window_is_larger_than_announced():
    rng = random.Random(3)
    for _ in range(60):
        dialect, args, x_shape = random_case(rng)
        layer = layer_of(dialect, args)
        try:
            axes = Axes(layer, x_shape)
        except ctconv.Error:
            continue
        tile = [rng.randint(1, axes.y_shape[axis]) for axis in axes.spatial]
        grid = _grid.given(axes, tile, rng.random() < 0.5)
        boxes = [grid.box(index) for index in range(len(grid))]
        bound = grid.window()
        for box in boxes:
            assert all(part.stop - part.start <= most for part, most in zip(box.x, bound))


def test_runs_of_a_box_are_its_bytes():
    rng = random.Random(1)
    for _ in range(200):
        shape = tuple(rng.randint(1, 5) for _ in range(rng.randint(1, 4)))
        a = np.arange(np.prod(shape), dtype="i2").reshape(shape)
        begin = [rng.randint(0, extent - 1) for extent in shape]
        box = tuple(slice(b, rng.randint(b + 1, extent)) for b, extent in zip(begin, shape))
        offsets, size = _npy.runs(shape, box, 2)
        assert b"".join(a.tobytes()[o : o + size] for o in offsets.tolist()) == a[box].tobytes()


@pytest.mark.parametrize("short", [1, 1 << 30])
def test_a_box_is_read_in_runs_or_with_what_lies_between(tmp_path, monkeypatch, short):
    monkeypatch.setattr(_npy, "_SHORT", short)
    rng, a = random.Random(2), numbers((3, 4, 5, 6))
    for order in "CF":
        np.save(tmp_path / "a.npy", np.asarray(a, order=order))
        reader = _npy.Reader(tmp_path / "a.npy")
        for _ in range(100):
            begin = [rng.randint(0, extent - 1) for extent in a.shape]
            box = tuple(slice(b, rng.randint(b + 1, extent)) for b, extent in zip(begin, a.shape))
            assert (reader.read(box, np.empty(a.nbytes, np.uint8)) == a[box]).all()
        reader.close()


def test_memory_is_read_as_people_write_it():
    for given, want in {"512": 512, "2K": 2048, "1.5G": 3 << 29, "3 MiB": 3 << 20, "1gb": 1 << 30, 77: 77}.items():
        assert _memory.parsed(given) == want
    for given in ("", "much", "-1", "0", 0, -5, 1.5, True, None, "1X"):
        with pytest.raises(ValueError, match="memory is"):
            _memory.parsed(given)


def test_progress_tells_rate_and_time_left():
    seen = []
    shown = _progress.Progress(seen.append, 10, 4)
    shown._start -= 3
    shown.step(3_000_000)
    state = seen[-1]
    assert (state.done, state.total) == (5, 10) and 0.9e6 < state.bytes_per_second <= 1e6
    assert 14 < state.seconds_left < 16
    assert _progress.words(state) == "5 of 10 tiles, 50 %, 1 MB/s, 15 s left"
    assert [_progress.duration(s) for s in (0, 59.6, 3599, 7260)] == ["0 s", "1 min 0 s", "59 min 59 s", "2 h 1 min"]


def test_what_is_refused(saved):
    path, out, x = saved
    layer = up3()

    def refuses(text, kind=ValueError, layer=layer, x=path, out=out, **more):
        with pytest.raises(kind, match=text):
            ctconv.tiles.run(layer, x, out, progress=False, **more)
        assert sorted(os.listdir(path.parent)) == ["x.npy"]

    refuses("x itself, which would be lost", out=path)

    refuses("memory is 'much'", memory="much")
    refuses("memory is 1048576 bytes; the process itself takes", memory="1M")
    refuses("tile is", tile=(1, 2))
    refuses("tile is", tile=(0, 2, 2))
    refuses("tile is", tile="64")
    refuses("no such file", FileNotFoundError, x=path.with_name("none.npy"))
    refuses("is no .npy", x=__file__)
    refuses("a path", TypeError, x=[1, 2])
    refuses("a path", TypeError, out=7)
    refuses("is there already, a folder", out=path.parent)
    refuses("ctconv.Layer", TypeError, layer=len)
    refuses("channel", ctconv.ShapeError, x=numbers((2, 5, 7, 9, 8)))
    refuses("float64", TypeError, x=x.astype("f8"))
    refuses("element type", TypeError, x=x.astype(">f4"))
    bare = ctconv.Layer(D3, layer.args, None)
    refuses("no weight of its own", ctconv.Error, layer=bare)
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    refuses("needs .* bytes, the file has")
    assert sorted(os.listdir(path.parent)) == ["x.npy"]


def interrupted(layer, x, out, after, **more):
    """A run that ends after so many tiles, as Ctrl-C ends it."""

    def stop(state):
        if state.done >= after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ctconv.tiles.run(layer, x, out, progress=stop, **more)


def test_a_stopped_run_goes_on(saved):
    path, out, x = saved
    layer, want = up3(), up3()(x)
    out.write_text("old")
    interrupted(layer, path, out, 3, tile=(4, 5, 6))
    assert out.read_text() == "old"
    lines = (out.parent / "y.npy.journal").read_text().splitlines()
    assert 4 <= len(lines) <= 6
    report = ctconv.tiles.run(layer, path, out, progress=False)  # tiles as the journal has them
    assert report.resumed == len(lines) - 1 and report.tile == (2, 3, 4, 5, 6)
    assert np.load(out).tobytes() == want.tobytes()
    assert sorted(os.listdir(out.parent)) == ["x.npy", "y.npy"]


def test_a_damaged_journal_loses_time_and_no_voxel(saved):
    path, out, x = saved
    layer, want, journal = up3(), up3()(x), out.parent / "y.npy.journal"
    rng = random.Random(9)
    for turn in range(30):
        interrupted(layer, path, out, 5, tile=(4, 5, 6), fresh=True)
        data = bytearray(journal.read_bytes())
        head = data.index(b"\n") + 1
        if turn % 3 == 0:
            data = data[: rng.randint(head, len(data))]
        elif turn % 3 == 1:
            at = rng.randint(head, len(data) - 1)
            data[at] = ord(rng.choice("0123456789abcdef \n"))
        else:
            data += b"".join(b"%d %08x\n" % (rng.randint(0, 99), rng.getrandbits(32)) for _ in range(4)) + b"\xff\x00"
        journal.write_bytes(data)
        part = out.parent / "y.npy.part"  # a tile whose line is lost is not trusted
        told = {int(line.split()[0]) for line in journal_lines(journal, layer, path)}
        with np.errstate(all="ignore"):
            poison(part, layer, x.shape, told)
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ctconv.tiles.run(layer, path, out, progress=False)
        assert np.load(out).tobytes() == want.tobytes()


def journal_lines(journal, layer, path):
    """The lines that a reader of the format trusts."""
    import zlib

    head, *lines = journal.read_bytes().split(b"\n")
    seed = zlib.crc32(head)
    good = []
    for line in lines:
        number, _, check = line.partition(b" ")
        if number.isdigit() and check == b"%08x" % zlib.crc32(number, seed):
            good.append(line.decode())
    return good


def poison(part, layer, x_shape, told):
    """NaN wherever no trusted line says that a tile is written."""
    y = np.lib.format.open_memmap(part, mode="r+")
    grid = _grid.given(Axes(layer, x_shape), (4, 5, 6), True)
    for index in range(len(grid)):
        if index not in told:
            y[grid.box(index).y] = np.nan
    y.flush()


def test_a_journal_of_another_run_is_refused(saved):
    path, out, x = saved
    layer = up3()
    interrupted(layer, path, out, 2, tile=(4, 5, 6))
    kept = (out.parent / "y.npy.part").read_bytes()

    def refuses(text, layer=layer, **more):
        with pytest.raises(ValueError, match=text):
            ctconv.tiles.run(layer, path, out, progress=False, **more)
        assert (out.parent / "y.npy.part").read_bytes() == kept

    other = ctconv.Layer(D3, layer.args, numbers((4, 3, 3, 3, 3), seed=8), numbers(3, seed=2), reproducible=1)
    refuses("another run: weight was", layer=other)
    refuses("layer was", layer=up3(padding=0))
    refuses("output_size was", output_size=(13, 17, 15))
    journal = out.parent / "y.npy.journal"
    text = journal.read_bytes()
    journal.write_bytes(text[:9] + b"?" + text[10:])
    refuses("damaged in its first line")
    journal.write_bytes(text)
    held = _journal.Journal(journal, {})
    refuses("held by another process")
    held.close()
    np.save(path, x)
    refuses("x was")
    assert ctconv.tiles.run(layer, path, out, progress=False, fresh=True).resumed == 0
    assert np.load(out).tobytes() == layer(x).tobytes()


def test_a_part_that_was_changed_is_refused_and_one_that_is_gone_is_made_anew(saved):
    path, out, x = saved
    layer, part = up3(), out.parent / "y.npy.part"
    interrupted(layer, path, out, 2, tile=(4, 5, 6))
    np.save(out.parent / "z.npy", x)
    os.replace(out.parent / "z.npy", part)
    with pytest.raises(ValueError, match="not the array that was begun"):
        ctconv.tiles.run(layer, path, out, progress=False)
    part.unlink()
    assert ctconv.tiles.run(layer, path, out, progress=False).resumed == 0
    assert np.load(out).tobytes() == layer(x).tobytes()


def test_killed_while_it_begins_anew(saved, monkeypatch):
    """Between the old part's end and the new journal's first line: nothing of the old journal may be trusted."""
    path, out, x = saved
    layer = up3()
    interrupted(layer, path, out, 3, tile=(4, 5, 6))

    def killed(*_):
        raise KeyboardInterrupt

    for ended in ({"fresh": True}, {}):
        if not ended:
            (out.parent / "y.npy.part").unlink()
        monkeypatch.setattr(_journal.Journal, "begin", killed)
        with pytest.raises(KeyboardInterrupt):
            ctconv.tiles.run(layer, path, out, tile=(4, 5, 6), progress=False, **ended)
        monkeypatch.undo()
        interrupted(layer, path, out, 3, tile=(4, 5, 6))
    ctconv.tiles.run(layer, path, out, progress=False)
    assert np.load(out).tobytes() == layer(x).tobytes()


def test_another_y_in_its_place_is_not_taken_for_this_one(saved):
    path, out, x = saved
    layer = up3()
    np.save(out, np.zeros(layer.output_shape(x.shape), "f4"))
    with pytest.raises(KeyboardInterrupt):
        interrupted_at_the_end(layer, path, out)
    (out.parent / "y.npy.part").unlink()
    ctconv.tiles.run(layer, path, out, progress=False)
    assert np.load(out).tobytes() == layer(x).tobytes()


def interrupted_at_the_end(layer, path, out):
    """All tiles are written and noted; y is not in its place yet."""
    with pytest.MonkeyPatch.context() as patch:

        def killed(*_):
            raise KeyboardInterrupt

        patch.setattr(ctconv.tiles._run._Place, "finish", killed)
        ctconv.tiles.run(layer, path, out, tile=(4, 5, 6), progress=False)


def test_killed_between_the_last_step_and_the_journals_end(saved, monkeypatch):
    path, out, x = saved
    layer = up3()
    monkeypatch.setattr(_journal.Journal, "remove", lambda self: None)
    ctconv.tiles.run(layer, path, out, tile=(4, 5, 6), progress=False)
    monkeypatch.undo()
    report = ctconv.tiles.run(layer, path, out, progress=False)
    assert report.resumed == report.tiles > 1 and report.bytes == 0
    assert sorted(os.listdir(out.parent)) == ["x.npy", "y.npy"]
    assert np.load(out).tobytes() == layer(x).tobytes()


def test_a_full_disk_is_told_and_the_old_file_stays(saved):
    path, out, _ = saved
    out.write_text("old")
    program = (
        "import resource, sys, numpy as np, ctconv, ctconv.tiles\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "w = np.ones((4, 3, 3, 3, 3), 'f4')\n"
        "layer = ctconv.Layer('torch.nn.ConvTranspose3d', {'in_channels': 4, 'out_channels': 3, 'kernel_size': 3,"
        " 'bias': False}, w)\n"
        "try:\n"
        "    ctconv.tiles.run(layer, sys.argv[1], sys.argv[2], progress=False)\n"
        "except ctconv.tiles.StorageError as error:\n"
        "    print(error.errno, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, path, out], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("27 ") and "no room" in done.stdout
    assert out.read_text() == "old"


def test_a_write_that_fails_on_the_way_keeps_what_is_written(saved, monkeypatch):
    path, out, x = saved
    layer, real, left = up3(), os.pwrite, [20]

    def full(fd, data, offset):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, os.strerror(28))
        return real(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(ctconv.tiles.StorageError, match="No space left.* tiles are kept in .*goes on") as caught:
        ctconv.tiles.run(layer, path, out, tile=(4, 17, 15), progress=False)
    assert caught.value.errno == 28
    monkeypatch.undo()
    assert ctconv.tiles.run(layer, path, out, progress=False).resumed > 0
    assert np.load(out).tobytes() == layer(x).tobytes()


def test_an_input_cut_short_meanwhile_is_told(saved):
    path, out, x = saved
    layer = up3()

    def cut(state):
        os.truncate(path, 3000)

    with pytest.raises(ctconv.tiles.StorageError, match="cut short"):
        ctconv.tiles.run(layer, path, out, tile=(4, 5, 6), progress=cut)


def command(*arguments, **more):
    call = [sys.executable, "-m", "ctconv.tiles", *map(str, arguments)]
    return subprocess.run(call, capture_output=True, text=True, timeout=120, **more)


def test_the_command(saved):
    path, out, x = saved
    w = numbers((4, 3, 3, 3, 3))
    np.save(out.parent / "w.npy", w)
    args = '{"in_channels": 4, "out_channels": 3, "kernel_size": [3, 3, 3], "stride": 2, "bias": false}'
    base = ("torch.nn.ConvTranspose3d", args, "-x", path, "-w", out.parent / "w.npy", "-o", out)
    done = command(*base, "--memory", "400M", "--tile", "4,5,6", "--progress")
    assert done.returncode == 0, done.stderr
    assert "y.npy: (2, 3, 15, 19, 17), " in done.stdout and "24 of" not in done.stderr
    assert " left" in done.stderr or "100 %" in done.stderr
    layer = ctconv.Layer(
        D3, {"in_channels": 4, "out_channels": 3, "kernel_size": 3, "stride": 2, "bias": False}, w, reproducible=1
    )
    assert np.load(out).tobytes() == layer(x).tobytes()
    done = command(*base, "--memory", "400M", "--json")
    assert done.returncode == 0 and '"most_memory": ' in done.stdout
    for more, text in {
        ("--memory", "1M"): "memory",
        ("--tile", "a"): "--tile is a",
        ("-x", "none.npy"): "no such file",
    }.items():
        done = command(*base, *more)
        assert done.returncode == 2 and text in done.stderr and done.stderr.count("\n") == 1, done.stderr
    done = command(base[0], "{", *base[2:])
    assert done.returncode == 2 and "no JSON" in done.stderr
