# SPDX-License-Identifier: Apache-2.0
"""ctconv.tiles under a memory limit that y exceeds four times, killed twice, against the whole call."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import ctconv
import numpy as np
import pytest

ARGS = {"in_channels": 8, "out_channels": 8, "kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1}
LIMIT = 72 << 20
X_SHAPE = (1, 8, 106, 106, 106)  # y: 8 * 212^3 * 4 bytes, 291 MiB
pytestmark = pytest.mark.skipif(
    "libasan" in os.environ.get("LD_PRELOAD", ""), reason="a sanitizer alone takes more memory than the limit"
)


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(4)
    x = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", "f4", X_SHAPE)
    for part in x[0]:
        part[...] = rng.standard_normal(part.shape, "f4")
    x.flush()
    np.save(tmp_path / "w.npy", rng.standard_normal((8, 8, 3, 3, 3), "f4"))
    np.save(tmp_path / "b.npy", rng.standard_normal(8, "f4"))
    return tmp_path


def start(folder):
    command = [sys.executable, "-m", "ctconv.tiles", "torch.nn.ConvTranspose3d", json.dumps(ARGS)]
    for option in ("x", "w", "b"):
        command += [f"-{option}", folder / f"{option}.npy"]
    command += ["-o", folder / "y.npy", "--memory", str(LIMIT), "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def tiles_noted(folder):
    try:
        return max(0, (folder / "y.npy.journal").read_bytes().count(b"\n") - 1)
    except FileNotFoundError:
        return 0


def run_until(process, folder, wanted):
    """Lets it run, a moment in five, until its journal has `wanted` tiles: a fast machine would be done before."""
    deadline = time.monotonic() + 60
    while tiles_noted(folder) < wanted:
        assert process.poll() is None, f"ended before it was killed: {process.communicate()}"
        assert time.monotonic() < deadline
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.02)
        process.send_signal(signal.SIGCONT)
        time.sleep(0.004)


def kill_on_the_way(folder, rng):
    """Starts a run, kills it at a random moment after it has noted further tiles; how many are noted then."""
    before, process = tiles_noted(folder), start(folder)
    run_until(process, folder, before + 1)
    time.sleep(rng.random() * 0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it ended before it was killed"
    assert not (folder / "y.npy").exists()
    return tiles_noted(folder)


def test_four_times_the_limit_and_killed_twice(files):
    if os.statvfs(files).f_bavail * os.statvfs(files).f_frsize < 1 << 30:
        pytest.skip("less than 1 GiB of room for the files")
    rng = random.Random(os.urandom(8))
    first = kill_on_the_way(files, rng)
    second = kill_on_the_way(files, rng)
    assert 0 < first < second
    process = start(files)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    report = json.loads(out)
    assert report["resumed"] == second and report["tiles"] > second
    assert report["most_memory"] <= LIMIT
    y = np.load(files / "y.npy", mmap_mode="r")
    assert y.nbytes >= 4 * LIMIT
    layer = ctconv.Layer(
        "torch.nn.ConvTranspose3d", ARGS, np.load(files / "w.npy"), np.load(files / "b.npy"), reproducible=1
    )
    whole = layer(np.load(files / "x.npy"))
    for channel in range(whole.shape[1]):
        assert (y[0, channel].view("u4") == whole[0, channel].view("u4")).all()
    assert sorted(os.listdir(files)) == ["b.npy", "w.npy", "x.npy", "y.npy"]


def test_ctrl_c_ends_clean_and_the_run_goes_on(files):
    process = start(files)
    run_until(process, files, 1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "the same command goes on" in err and "Traceback" not in err
    assert not (files / "y.npy").exists()
    process = start(files)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert json.loads(out)["resumed"] >= 1
