# SPDX-License-Identifier: Apache-2.0
"""ctconv.dask.conv_transpose: the bits of one whole call for any chunks, by threads, processes and a cluster."""

import os
import random
import signal

import ctconv
import numpy as np
import pytest

pytest.importorskip("dask.array")

import ctconv.dask  # noqa: E402
import dask  # noqa: E402
import dask.array as da  # noqa: E402

from test_tiles import layer_of, numbers, random_case  # noqa: E402

conv = ctconv.dask.conv_transpose
D3 = "torch.nn.ConvTranspose3d"
ARGS = {"in_channels": 4, "out_channels": 3, "kernel_size": 3, "stride": 2, "padding": 1}


@pytest.fixture
def case():
    layer, x = layer_of(D3, ARGS), numbers((2, 4, 8, 9, 10))
    return layer, x, layer(x)


def random_chunks(rng, extent):
    out = []
    while sum(out) < extent:
        out.append(rng.randint(1, extent - sum(out)))
    return tuple(out)


def test_any_chunks_have_the_bits_of_a_whole_call():
    rng, ran = random.Random(11), 0
    for turn in range(60):
        dialect, args, x_shape = random_case(rng)
        layer = layer_of(dialect, args)
        try:
            y_shape = layer.output_shape(x_shape)
        except ctconv.Error:
            continue
        x = numbers(x_shape, seed=turn)
        cut = da.from_array(x, chunks=tuple(random_chunks(rng, extent) for extent in x_shape))
        chunks = tuple(random_chunks(rng, extent) for extent in y_shape) if rng.random() < 0.5 else None
        y = conv(cut, layer, chunks)
        assert y.shape == y_shape and y.dtype == x.dtype and (chunks is None or y.chunks == chunks)
        assert y.compute(scheduler="sync").tobytes() == layer(x).tobytes(), (dialect, args, x_shape, y.chunks)
        ran += y.npartitions > 1
    assert ran > 30


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_schedulers(case, scheduler):
    layer, x, want = case
    y = conv(da.from_array(x, chunks=(1, 2, 3, 5, 10)), layer)
    assert y.chunks == ((1, 1), (3,), (6, 6, 3), (10, 7), (19,))
    assert y.compute(scheduler=scheduler, num_workers=2).tobytes() == want.tobytes()
    part = y[1, :, 5:9, :, 7].compute(scheduler=scheduler, num_workers=2)
    assert part.tobytes() == want[1, :, 5:9, :, 7].tobytes()


def test_chunks_as_dask_spells_them(case):
    layer, x, want = case
    cut = da.from_array(x, chunks=4)
    for chunks, first in {
        None: (4, 3, 8, 8, 8),
        5: (2, 3, 5, 5, 5),
        -1: want.shape,
        (1, 3, 6, -1, (9, 10)): (1, 3, 6, 17, 9),
    }.items():
        y = conv(cut, layer, chunks)
        assert tuple(sizes[0] for sizes in y.chunks) == tuple(map(min, first, want.shape))
        assert y.compute(scheduler="sync").tobytes() == want.tobytes()
    y = conv(cut, layer, {2: 5, -1: 7})
    assert y.chunks[2] == (5, 5, 5) and y.chunks[4] == (7, 7, 5)
    assert y.compute(scheduler="sync").tobytes() == want.tobytes()
    with dask.config.set({"array.chunk-size": "4 kiB"}):
        y = conv(cut, layer, "auto")
    assert y.npartitions > 4 and y.chunks[1] == (3,)
    assert all(edge % 2 == 0 for sizes in y.chunks[2:] for edge in np.cumsum(sizes)[:-1])
    assert y.compute(scheduler="sync").tobytes() == want.tobytes()


def test_it_is_lazy_and_reads_only_what_a_part_needs(case):
    layer, x, want = case
    read = []

    def note(block, block_info=None):
        read.append(block_info[0]["array-location"][2][0])
        return block

    noted = da.from_array(x, chunks=(1, 4, 2, 9, 10)).map_blocks(note, dtype=x.dtype, meta=np.empty((0,) * 5, x.dtype))
    y = conv(noted, layer)
    assert not read
    assert y[0, :, 4:8].compute(scheduler="sync").tobytes() == want[0, :, 4:8].tobytes()
    assert sorted(read) == [2, 4]  # of four blocks the one that is asked for, and the one of its halo


def test_only_the_halo_of_a_neighbour_is_passed_on(case):
    layer, x, _ = case
    y = conv(da.from_array(x, chunks=(2, 4, 4, 9, 10)), layer)
    graph = dict(y.__dask_graph__())
    parts = {key: task for key, task in graph.items() if isinstance(key, tuple) and key[0] == y.name + "-part"}
    assert parts and all(task[2][2].stop - task[2][2].start == 1 for task in parts.values())


def test_the_same_call_has_the_same_name(case):
    layer, x, _ = case
    cut = da.from_array(x, chunks=4)
    other = layer_of(D3, ARGS, activation="relu")
    names = {conv(cut, layer).name, conv(cut, layer_of(D3, ARGS)).name}
    assert len(names) == 1
    assert len(names | {conv(cut, other).name, conv(cut, layer, 5).name}) == 3


def test_layers_of_blocks_are_made_once(case, monkeypatch):
    layer, x, want = case
    y = conv(da.from_array(x, chunks=2), layer)
    shared = next(value for key, value in dict(y.__dask_graph__()).items() if key == y.name + "-layer")
    make, packed = shared.__reduce__()
    monkeypatch.setattr(ctconv.dask, "_held", type(ctconv.dask._held)())
    twins = {id(make(*packed)) for _ in range(5)}
    assert len(twins) == 1
    for turn in range(20):
        make(f"other {turn}", packed[1])
    assert len(ctconv.dask._held) == 8


def test_names_of_xarray_stay(case):
    xarray = pytest.importorskip("xarray")
    layer, x, want = case
    coords = {"sample": ["a", "b"], "z": np.arange(8.0), "stain": ("c", list("wxyz")), "patient": 7}
    named = xarray.DataArray(x, dims=("sample", "c", "z", "y", "x"), name="volume", attrs={"unit": "mm"}, coords=coords)
    y = conv(named.chunk({"z": 3, "x": 4}), layer, {"z": 5})
    assert isinstance(y, xarray.DataArray) and y.dims == named.dims and y.name == "volume" and y.attrs == {"unit": "mm"}
    assert sorted(y.coords) == ["patient", "sample"] and y.data.chunks[2] == (5, 5, 5)
    assert y.compute(scheduler="sync").values.tobytes() == want.tobytes()
    with pytest.raises(TypeError, match="chunk"):
        conv(named, layer)


def test_end_to_end_in_zarr(case, tmp_path):
    pytest.importorskip("zarr", minversion="3.0")
    layer, x, want = case
    da.from_array(x, chunks=4).to_zarr(str(tmp_path / "x.zarr"))
    conv(da.from_zarr(str(tmp_path / "x.zarr")), layer, (1, 3, 6, 6, 6)).to_zarr(str(tmp_path / "y.zarr"))
    assert da.from_zarr(str(tmp_path / "y.zarr")).compute().tobytes() == want.tobytes()


def test_what_is_refused(case):
    layer, x, _ = case
    cut = da.from_array(x, chunks=4)

    def refuses(text, kind, array=cut, layer=layer, **more):
        with pytest.raises(kind, match=text):
            conv(array, layer, **more)

    refuses("a dask array is needed", TypeError, array=x)
    refuses("ctconv.Layer", TypeError, layer=len)
    refuses("no weight of its own", ctconv.Error, layer=ctconv.Layer(D3, ARGS, None))
    refuses("channel", ctconv.ShapeError, array=cut[:, :3])
    refuses("float64", TypeError, array=cut.astype("f8"))
    refuses("does not know", ValueError, array=cut[cut[:, 0, 0, 0, 0] > 0])
    for chunks in (0, (1, 3, 0, 5, 5), (1, 3, (5, 5), 5, 5), (1, 2), "what", {7: 3}, 1.5):
        refuses("chunks", ValueError, chunks=chunks)


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    settings = {"distributed.comm.timeouts.connect": "60s", "distributed.scheduler.allowed-failures": 10}
    with dask.config.set(settings), distributed.LocalCluster(**options) as cluster:
        with distributed.Client(cluster) as client:
            yield client


def layers_made():
    """In a worker: how many layers were made of bytes, and how many are held."""
    import ctconv.dask

    return len(ctconv.dask._held), getattr(ctconv.dask, "_made", None)


def count_layers():
    """In a worker: counts what _shared unpickles."""
    import ctconv.dask

    class Counting:
        loads_ = ctconv.dask.pickle.loads
        dumps = ctconv.dask.pickle.dumps

        def loads(self, data):
            ctconv.dask._made += 1
            return Counting.loads_(data)

    ctconv.dask._made, ctconv.dask.pickle = 0, Counting()


def test_a_cluster_is_sent_the_weights_once_a_worker(client, case):
    layer, x, want = case
    client.run(count_layers)
    y = conv(da.from_array(x, chunks=(1, 4, 2, 3, 10)), layer)
    assert y.npartitions > 20
    assert client.compute(y).result(timeout=60).tobytes() == want.tobytes()
    made = client.run(layers_made)
    assert len(made) == 2 and all(count == (1, 1) for count in made.values()), made


def slowly(block):
    import time

    time.sleep(0.15)
    return block


def test_a_worker_is_killed_on_the_way(client, case):
    layer, x, want = case
    pids = client.run(os.getpid)
    slow = da.from_array(x, chunks=(1, 4, 2, 3, 5)).map_blocks(slowly, dtype=x.dtype)
    future = client.compute(conv(slow, layer))
    slowly(None)
    slowly(None)
    assert not future.done()
    os.kill(next(iter(pids.values())), signal.SIGKILL)
    assert future.result(timeout=120).tobytes() == want.tobytes()
    assert client.run(os.getpid) != pids
