# SPDX-License-Identifier: Apache-2.0
"""ctconv.tiles from and to Zarr arrays: whole chunks, damaged chunks, full disks."""

import os
import pathlib

import ctconv
import ctconv.tiles
import numpy as np
import pytest

zarr = pytest.importorskip("zarr", minversion="3.0")

ARGS = {"in_channels": 4, "out_channels": 3, "kernel_size": 3, "stride": 2, "padding": 1}
X = np.random.default_rng(1).standard_normal((2, 4, 9, 10, 8)).astype("f4")
W = np.random.default_rng(2).standard_normal((4, 3, 3, 3, 3)).astype("f4")


@pytest.fixture
def layer():
    return ctconv.Layer("torch.nn.ConvTranspose3d", ARGS, W, reproducible=1)


@pytest.fixture
def source(tmp_path):
    array = zarr.create_array(str(tmp_path / "x.zarr"), shape=X.shape, chunks=(1, 4, 4, 4, 4), dtype=X.dtype)
    array[...] = X
    return tmp_path / "x.zarr"


def stored(path):
    return zarr.open_array(str(path), mode="r")


def chunk_files(path):
    return sorted(p for p in pathlib.Path(path).rglob("*") if p.is_file() and p.name != "zarr.json")


def interrupted(layer, x, out, after, **more):
    def stop(state):
        if state.done >= after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ctconv.tiles.run(layer, x, out, progress=stop, **more)


@pytest.mark.parametrize("tile", [None, (5, 6, 7), (4, 4, 4), (1, 17, 19, 15)])
def test_from_zarr_to_zarr_and_npy(layer, source, tile):
    folder, want = source.parent, layer(X)
    report = ctconv.tiles.run(layer, source, folder / "y.zarr", tile=tile, progress=False)
    y = stored(folder / "y.zarr")
    assert y[...].tobytes() == want.tobytes() and y.chunks == report.tile
    ctconv.tiles.run(layer, source, folder / "y.npy", tile=tile, progress=False)
    assert np.load(folder / "y.npy").tobytes() == want.tobytes()
    ctconv.tiles.run(layer, X, folder / "z.zarr", tile=tile, progress=False)
    assert stored(folder / "z.zarr")[...].tobytes() == want.tobytes()
    assert sorted(os.listdir(folder)) == ["x.zarr", "y.npy", "y.zarr", "z.zarr"]


def test_chunks_of_the_callers_own(layer, source):
    out = source.parent / "y.zarr"
    report = ctconv.tiles.run(layer, source, out, chunks=(1, 1, 5, 6, 8), progress=False)
    y = stored(out)
    assert y.chunks == (1, 1, 5, 6, 8) and y[...].tobytes() == layer(X).tobytes()
    assert all(t % c == 0 or t == e for t, c, e in zip(report.tile, y.chunks, y.shape))
    with pytest.raises(ValueError, match="whole chunks"):
        ctconv.tiles.run(layer, source, out, chunks=(1, 1, 5, 6, 8), tile=(4, 4, 4), overwrite=True, progress=False)
    assert stored(out)[...].tobytes() == layer(X).tobytes()


def test_an_open_array_is_written_in_place(layer, source):
    want = layer(X)
    group = zarr.open_group(str(source.parent / "g.zarr"), mode="w")
    y = group.create_array("y", shape=want.shape, chunks=(1, 3, 6, 19, 15), dtype="f4")
    with pytest.raises(ValueError, match="journal="):
        ctconv.tiles.run(layer, source, y, progress=False)
    journal = source.parent / "journal"
    interrupted(layer, stored(source), y, 2, journal=journal, tile=(6, 19, 15))
    report = ctconv.tiles.run(layer, stored(source), y, journal=journal, progress=False)
    assert report.resumed >= 2 and y[...].tobytes() == want.tobytes() and not journal.exists()
    with pytest.raises(ctconv.Error, match="y is"):
        ctconv.tiles.run(layer, X[:1], y, journal=journal, progress=False)


def test_a_stopped_run_goes_on(layer, source):
    out = source.parent / "y.zarr"
    interrupted(layer, source, out, 3, tile=(4, 6, 15))
    assert not out.exists()
    report = ctconv.tiles.run(layer, source, out, progress=False)
    assert 3 <= report.resumed < report.tiles
    assert stored(out)[...].tobytes() == layer(X).tobytes()


def test_an_array_that_is_there_stays_unless_told(layer, source):
    out = source.parent / "y.zarr"
    ctconv.tiles.run(layer, X[:1], out, progress=False)
    with pytest.raises(ValueError, match="overwrite"):
        ctconv.tiles.run(layer, source, out, progress=False)
    assert stored(out).shape[0] == 1
    interrupted(layer, source, out, 1, tile=(4, 6, 15), overwrite=True)
    assert stored(out)[...].tobytes() == layer(X[:1]).tobytes()
    ctconv.tiles.run(layer, source, out, overwrite=True, progress=False)
    assert stored(out)[...].tobytes() == layer(X).tobytes()


def test_a_damaged_chunk_is_named_and_what_is_written_is_kept(layer, source):
    out = source.parent / "y.npy"
    files = [path for path in chunk_files(source) if path.parts[-5:] == ("1", "0", "1", "1", "1")]
    assert len(files) == 1
    whole = files[0].read_bytes()
    files[0].write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ctconv.tiles.StorageError, match=r"chunk \(1, 0, 1, 1, 1\) cannot be read.* tiles are kept"):
        ctconv.tiles.run(layer, source, out, tile=(1, 4, 6, 15), progress=False)
    files[0].write_bytes(whole)
    report = ctconv.tiles.run(layer, source, out, progress=False)
    assert report.resumed > 0
    assert np.load(out).tobytes() == layer(X).tobytes()


def test_a_full_disk_is_told_and_what_is_written_is_kept(layer, source, monkeypatch):
    out, array, calls = source.parent / "y.zarr", type(stored(source)), [0]
    real = array.__setitem__

    def full(self, box, value):
        calls[0] += 1
        if calls[0] > 4:
            raise OSError(28, os.strerror(28), "chunk")
        real(self, box, value)

    monkeypatch.setattr(array, "__setitem__", full)
    with pytest.raises(ctconv.tiles.StorageError, match="No space left") as caught:
        ctconv.tiles.run(layer, source, out, tile=(1, 4, 6, 15), progress=False)
    assert caught.value.errno == 28
    monkeypatch.undo()
    report = ctconv.tiles.run(layer, source, out, progress=False)
    assert report.resumed == 4 and stored(out)[...].tobytes() == layer(X).tobytes()


def test_what_is_no_zarr_array(layer, tmp_path):
    zarr.open_group(str(tmp_path / "group.zarr"), mode="w")
    for name in ("group.zarr", "none.zarr"):
        with pytest.raises(OSError):
            ctconv.tiles.run(layer, tmp_path / name, tmp_path / "y.npy", progress=False)
    assert sorted(os.listdir(tmp_path)) == ["group.zarr"]
