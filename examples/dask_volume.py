#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A decoder level of a 3-D U-Net over a volume larger than the workers' memory, without seams.

    python3 examples/dask_volume.py [--depth 320] [--workers 2] [--memory 512M] [--picture seams.png] [--folder DIR]

Needs ctconv, dask, distributed and zarr; matplotlib for the picture. Features of 16 channels, made block by block from
generated spheres, lie in a Zarr array. The level is ConvTranspose3d(16, 8, 3, stride=2, padding=1, output_padding=1)
with ReLU. It runs three ways:

    ctconv.dask     two worker processes, their memory limited; Zarr to Zarr
    ctconv.tiles    one process under a memory limit; for comparison, voxel by voxel
    naive tiling    each block through the layer on its own, the results side by side
"""

import argparse
import pathlib
import sys
import tempfile
import time

import ctconv
import ctconv.dask
import ctconv.tiles
import dask.array as da
import distributed
import numpy as np

CHANNELS, OUT, SIDE = 16, 8, 96
BLOCK = 32  # extent of a block of x
ARGS = {
    "in_channels": CHANNELS,
    "out_channels": OUT,
    "kernel_size": 3,
    "stride": 2,
    "padding": 1,
    "output_padding": 1,
}


def spheres(depth):
    """Centres, radii and brightness of what is in the volume."""
    rng = np.random.default_rng(7)
    count = depth // 4
    centres = rng.random((count, 3)) * (depth, SIDE, SIDE)
    return list(zip(centres, rng.uniform(5, 16, count), rng.uniform(0.3, 1, count)))


def features(block, block_info=None, objects=(), gains=None):
    """One block of x: soft spheres, each channel with a gain of its own, and a little noise."""
    place = block_info[None]["array-location"]
    grid = np.meshgrid(*(np.arange(a, b) for a, b in place[2:]), indexing="ij")
    out = np.zeros(grid[0].shape, np.float32)
    for centre, radius, brightness in objects:
        far = np.sqrt(sum((axis - c) ** 2 for axis, c in zip(grid, centre)))
        out = np.maximum(out, brightness / (1 + np.exp(np.clip(far - radius, -30, 30))))
    rng = np.random.default_rng([start for start, _ in place])
    noise = 0.03 * rng.standard_normal((1, CHANNELS, *out.shape))
    return (out * gains[:, None, None, None] + noise).astype(np.float32)


def make_features(path, depth):
    shape = (1, CHANNELS, depth, SIDE, SIDE)
    gains = np.random.default_rng(3).uniform(0.2, 1, CHANNELS).astype(np.float32)
    empty = da.zeros(shape, np.float32, chunks=(1, CHANNELS, BLOCK, BLOCK, BLOCK))
    empty.map_blocks(features, objects=spheres(depth), gains=gains, dtype=np.float32).to_zarr(str(path))


def level():
    """The layer: a trilinear kernel with a mixture of channels, as training might leave it."""
    rng = np.random.default_rng(5)
    line = np.array([0.5, 1, 0.5])
    kernel = line[:, None, None] * line[None, :, None] * line[None, None, :]
    mixture = rng.uniform(-0.05, 0.2, (CHANNELS, OUT))
    mixture[:, 0] = 0.1
    w = mixture[:, :, None, None, None] * kernel + 0.002 * rng.standard_normal((CHANNELS, OUT, 3, 3, 3))
    bias = rng.uniform(-0.05, 0.05, OUT)
    return ctconv.Layer(
        "torch.nn.ConvTranspose3d", ARGS, w.astype("f4"), bias.astype("f4"), activation="relu", reproducible=1
    )


def by_dask(layer, folder, given):
    """Seconds, and the most memory that a worker held."""
    memory = ctconv.tiles.bytes_of(given.memory)
    options = {"n_workers": given.workers, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options, memory_limit=memory) as cluster, distributed.Client(cluster) as client:
        make_features(folder / "x.zarr", given.depth)
        start = time.monotonic()
        x = da.from_zarr(str(folder / "x.zarr"))
        ctconv.dask.conv_transpose(x, layer).to_zarr(str(folder / "y.zarr"))
        seconds = time.monotonic() - start
        held = max(client.run(ctconv.tiles.most_resident).values())
    return x, seconds, held


def naive(layer, x, folder):
    """Each block alone, its output cut to what belongs to it: two voxels for one."""
    twice = (tuple(2 * extent for extent in sizes) for sizes in x.chunks[2:])
    y = x.map_blocks(layer, dtype=x.dtype, chunks=((1,), (OUT,), *twice))
    y.to_zarr(str(folder / "naive.zarr"), compute=True)
    return da.from_zarr(str(folder / "naive.zarr"))


def draw(file, y, wrong, at):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    slices = [np.asarray(array[0, 0, :, at, :]).T for array in (y, wrong)]
    figure, axes = plt.subplots(3, 1, figsize=(10, 10.5), layout="constrained")
    bright = np.percentile(slices[0], 99.8)
    shown = ((slices[0], "ctconv.dask: no seam", "gray", 0, bright), (slices[1], "naive tiling", "gray", 0, bright))
    error = np.abs(slices[1] - slices[0])
    title = f"naive tiling, error: up to {error.max() / slices[0].max():.0%} of the brightest"
    shown += ((error, title, "inferno", 0, None),)
    for axis, (picture, title, colours, low, high) in zip(axes, shown):
        drawn = axis.imshow(picture, cmap=colours, vmin=low, vmax=high, interpolation="nearest")
        axis.set(title=title, xticks=[], yticks=[])
        figure.colorbar(drawn, ax=axis, shrink=0.8)
    figure.savefig(file, dpi=90)


def work(given, folder):
    layer = level()
    x, seconds, held = by_dask(layer, folder, given)
    y = da.from_zarr(str(folder / "y.zarr"))
    limit = ctconv.tiles.bytes_of(given.memory)
    print(f"x {x.shape}, {x.nbytes / 2**20:.0f} MiB; y {y.shape}, {y.nbytes / 2**20:.0f} MiB, {y.npartitions} blocks")
    print(f"ctconv.dask, {given.workers} workers: {seconds:.1f} s from Zarr to Zarr; a worker held at most ", end="")
    print(f"{held / 2**20:.0f} MiB, its limit is {limit / 2**20:.0f} MiB")

    report = ctconv.tiles.run(layer, folder / "x.zarr", folder / "tiles.zarr", memory=given.memory, chunks=y.chunksize)
    print(f"ctconv.tiles, one process: {report.seconds:.1f} s; it held at most ", end="")
    print(f"{ctconv.tiles.most_resident() / 2**20:.0f} MiB")
    tiles = da.from_zarr(str(folder / "tiles.zarr"))
    same = bool((y.view("u4") == tiles.view("u4")).all().compute(num_workers=2))
    print("both have the same bits" if same else "THEY DIFFER")

    wrong = naive(layer, x, folder)
    error = da.absolute(wrong - y)
    most, bad, top = da.compute(error.max(), (error > 0).mean(), y.max(), num_workers=2)
    print(f"naive tiling: {bad:.1%} of the voxels are wrong, the worst by {most / top:.0%} of the brightest")
    if given.picture:
        draw(given.picture, y, wrong, SIDE)
        print(f"picture: {given.picture}")
    return 0 if same and bad > 0 else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--depth", type=int, default=320, help="of x; y is twice as deep (default: 320; y has 720 MiB)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--memory", default="512M", help="limit of each worker, and of the run by tiles")
    parser.add_argument("--picture", type=pathlib.Path, help="a PNG of a slice, with and without seams")
    parser.add_argument("--folder", type=pathlib.Path, help="where the arrays lie (default: a temporary folder)")
    given = parser.parse_args()
    if given.folder:
        given.folder.mkdir(parents=True, exist_ok=True)
        return work(given, given.folder)
    with tempfile.TemporaryDirectory() as folder:
        return work(given, pathlib.Path(folder))


if __name__ == "__main__":
    sys.exit(main())
