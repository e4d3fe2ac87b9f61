#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ctconv.dask over 1, 2, .. worker processes: seconds, processor time and the most memory of a worker.

In:   the depth of x, (1, 32, depth, 64, 64) in blocks of 32; the numbers of workers; rounds
Out:  a line per number of workers, the median of the rounds: wall seconds; processor seconds of the busiest worker and
      of all; speed-up by each, over the first number; the most memory that a worker held
      x lies in a Zarr array and y becomes one. Each round has a cluster of its own. On a busy machine the processor
      time of the busiest worker tells more than the clock: with a core of its own the worker would take about as long.
Usage: python3 bench/dask_scaling.py [--depth 128] [--workers 1,2] [--rounds 3] [--block 32]
"""

import argparse
import os
import pathlib
import statistics
import tempfile
import time

import ctconv
import ctconv.dask
import ctconv.tiles
import dask.array as da
import distributed
import numpy as np

ARGS = {"in_channels": 32, "out_channels": 16, "kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1}


def worker_state():
    """In a worker: its processor seconds and the most bytes that it held."""
    return time.process_time(), ctconv.tiles.most_resident()


def one_round(layer, folder, workers):
    """(wall seconds, processor seconds of each worker, bytes a worker held before, bytes held at most)"""
    options = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        ctconv.dask.conv_transpose(da.zeros((1, 32, 4, 4, 4), dtype="f4"), layer).compute()  # imports are done
        before = client.run(worker_state)
        start = time.monotonic()
        y = ctconv.dask.conv_transpose(da.from_zarr(str(folder / "x.zarr")), layer)
        y.to_zarr(str(folder / "y.zarr"), overwrite=True)
        seconds, after = time.monotonic() - start, client.run(worker_state)
    used = [after[name][0] - before[name][0] for name in after]
    return seconds, used, max(held for _, held in before.values()), max(held for _, held in after.values())


def measure(layer, folder, given):
    first = None
    for workers in given.workers:
        rounds = [one_round(layer, folder, workers) for _ in range(given.rounds)]
        wall = statistics.median(seconds for seconds, *_ in rounds)
        busiest = statistics.median(max(used) for _, used, *_ in rounds)
        total = statistics.median(sum(used) for _, used, *_ in rounds)
        empty, held = (max(one[at] for one in rounds) / 2**20 for at in (2, 3))
        first = first or (wall, busiest)
        print(f"{workers} workers: {wall:.1f} s, x{first[0] / wall:.2f}; processor: busiest {busiest:.1f} s, ", end="")
        print(f"x{first[1] / busiest:.2f}, all {total:.1f} s; a worker held {empty:.0f}, at most {held:.0f} MiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--depth", type=int, default=128)
    parser.add_argument("--workers", type=lambda text: [int(part) for part in text.split(",")], default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--block", type=int, default=32, help="extent of a block of x")
    given = parser.parse_args()
    weight = ctconv.init_weight("torch.nn.ConvTranspose3d", ARGS, seed=1)
    bias = np.zeros(16, np.float32)
    layer = ctconv.Layer("torch.nn.ConvTranspose3d", ARGS, weight, bias, reproducible=1)
    with tempfile.TemporaryDirectory() as name:
        folder, shape = pathlib.Path(name), (1, 32, given.depth, 64, 64)
        x = da.random.default_rng(1).standard_normal(shape, dtype=np.float32, chunks=(1, 32, *(given.block,) * 3))
        x.to_zarr(str(folder / "x.zarr"), compute=True)
        y_shape = layer.output_shape(shape)
        sizes = (x.nbytes / 2**20, 4 * np.prod(y_shape) / 2**20)
        print(f"x {sizes[0]:.0f} MiB, y {sizes[1]:.0f} MiB, {x.npartitions} blocks; ", end="")
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        measure(layer, folder, given)
        print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
