# SPDX-License-Identifier: Apache-2.0
"""How many threads a layer takes that was given none: set_num_threads, CTCONV_NUM_THREADS, OMP_NUM_THREADS."""

import copy
import ctypes
import pickle

import numpy as np
import pytest

import ctconv
from problems import integers, weights

ARGS = {"in_channels": 4, "out_channels": 4, "kernel_size": 3}
X, W = integers((1, 4, 64, 64)), weights((4, 4, 3, 3))


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    for name in ("CTCONV_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    yield
    ctconv.set_num_threads(0)


def threads_of(**options):
    layer = ctconv.Layer("torch.nn.ConvTranspose2d", ARGS, W, engine="native", **options)
    lines = dict(line.split(": ", 1) for line in layer.describe().splitlines() if ": " in line)
    return int(lines.get("threads", lines.get("cores", 0)))


def cores():
    lines = dict(line.split(": ", 1) for line in ctconv.build_info().splitlines() if ": " in line)
    return int(lines["cores"])


def test_all_cores_where_nothing_is_said():
    assert ctconv.get_num_threads() == cores()


def test_set():
    ctconv.set_num_threads(3)
    assert ctconv.get_num_threads() == 3 and threads_of() == 3 and threads_of(threads=1) == 1
    ctconv.set_num_threads(0)
    assert ctconv.get_num_threads() == cores()


def test_the_environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert ctconv.get_num_threads() == 1 and threads_of() == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "1,4")
    assert ctconv.get_num_threads() == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "999")  # only lowers
    assert ctconv.get_num_threads() == cores()
    for nonsense in ("", "many", "-1", "1.5"):
        monkeypatch.setenv("OMP_NUM_THREADS", nonsense)
        assert ctconv.get_num_threads() == cores()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("CTCONV_NUM_THREADS", "5")
    assert ctconv.get_num_threads() == 5 and threads_of() == 5
    ctconv.set_num_threads(2)
    assert ctconv.get_num_threads() == 2


def test_a_pickled_layer_asks_anew():
    layer = ctconv.Layer("torch.nn.ConvTranspose2d", ARGS, W)
    want = layer(X)
    ctconv.set_num_threads(1)
    twin = pickle.loads(pickle.dumps(layer))
    assert "threads: 1" in twin.describe(X.shape)
    np.testing.assert_array_equal(twin(X), want)


@pytest.mark.parametrize("wrong,kind", [(-1, ValueError), (4097, ValueError), ("2", TypeError), (2.0, TypeError)])
def test_refused(wrong, kind):
    with pytest.raises(kind, match="threads"):
        ctconv.set_num_threads(wrong)


def openmp(workers=2, **options):
    """A runner over GNU's OpenMP threads, loaded for the test."""
    try:
        ctypes.CDLL("libgomp.so.1")
    except OSError:
        pytest.skip("no libgomp.so.1 on this machine")
    return ctconv.Runner.openmp(workers, **options)


def test_openmp_threads_that_are_there():
    runner = openmp(3)
    assert runner.workers == 3 and openmp(0).workers >= 1
    layer = ctconv.Layer("torch.nn.ConvTranspose2d", ARGS, W, runner=runner, reproducible=1)
    want = ctconv.Layer("torch.nn.ConvTranspose2d", ARGS, W, threads=1, reproducible=1)(X)
    for _ in range(3):
        assert (layer(X) == want).all()
    assert pickle.loads(pickle.dumps(runner)).workers == 3
    assert (copy.deepcopy(layer)(X) == want).all()
    assert openmp(2, library="no such library") is None


@pytest.mark.parametrize("library", (5, b"libgomp", "libgomp\0"))
def test_openmp_a_library_that_is_no_path(library):
    with pytest.raises(ctconv.Error, match="library"):
        ctconv.Runner.openmp(2, library)


@pytest.mark.parametrize("workers", (-1, 4097, "2", 1.5, None, True))
def test_openmp_workers_out_of_range(workers):
    with pytest.raises(ctconv.Error if isinstance(workers, int) else (ctconv.Error, TypeError), match="workers"):
        ctconv.Runner.openmp(workers)
