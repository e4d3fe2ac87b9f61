# SPDX-License-Identifier: Apache-2.0
"""How many threads a layer takes that was given none: set_num_threads, CTCONV_NUM_THREADS, OMP_NUM_THREADS."""

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
