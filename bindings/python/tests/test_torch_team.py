# SPDX-License-Identifier: Apache-2.0
"""Layers inside torch compute on torch's own threads, and a child of fork on its one.

Skipped where torch is missing.
"""

import os
import subprocess
import sys

import pytest

import ctconv

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_the_runner_is_torchs():
    from ctconv.torch import _team

    if "OpenMP" not in torch.__config__.parallel_info():
        pytest.skip("this torch has no OpenMP threads")
    name, runner = _team.own_threads()
    assert name == "runner" and runner.workers == 2
    assert _team.options_of(1) == ("threads", 1)


def test_the_bits_of_one_thread():
    layer, x = ctconv.torch.nn.ConvTranspose2d(8, 8, 3, stride=2), torch.randn(2, 8, 40, 40)
    torch.use_deterministic_algorithms(True)
    try:
        results = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            results.append(layer(x).detach())
    finally:
        torch.use_deterministic_algorithms(False)
    assert (results[0] == results[1]).all()


# torch's own loops would wait for its threads in the child: nothing there but the layer is torch's.
FORKED = """
import os, torch, ctconv
torch.set_num_threads(2)
layer, x = ctconv.torch.nn.ConvTranspose2d(8, 8, 3, stride=2), torch.randn(2, 8, 40, 40)
with torch.no_grad():
    want = layer(x).numpy()
    child = os.fork()
    if child == 0:
        os._exit(0 if abs(layer(x).numpy() - want).max() < 1e-4 else 3)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


# As a server that forks its workers before they import what they need.
IMPORTED_IN_THE_CHILD = """
import os, torch
torch.set_num_threads(2)
torch.randn(4_000_000).exp()
child = os.fork()
if child == 0:
    import ctconv
    with torch.no_grad():
        y = ctconv.torch.nn.ConvTranspose2d(8, 8, 3, stride=2)(torch.ones(2, 8, 40, 40))
    os._exit(0 if ctconv.Runner.openmp(2) is None and y.shape == (2, 8, 81, 81) else 3)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("program", (FORKED, IMPORTED_IN_THE_CHILD), ids=("made before", "imported in the child"))
def test_a_child_of_fork(program):
    assert subprocess.run([sys.executable, "-c", program], timeout=120).returncode == 0
