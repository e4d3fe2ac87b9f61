#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The main job on real input: the documented examples of the five operators, then a trained-size layer from .npy files.

In:   the built `ctconv` command
Out:  one row per example: shapes, engine, distance from the reference engine, time; exit 1 where a shape is not the
      documented one or an engine is further off than rounding explains
Usage: demo_table.py build/release/ctconv
"""

import json
import pathlib
import subprocess
import sys
import tempfile

from make_npy import write_npy
import random

# (what is printed, dialect, arguments, x, weight, documented output, extra options)
# x as the documentation has it: ones, or random numbers of that shape. "~": only the first sample is compared with the
# reference (the whole output is a gigabyte; every sample is computed alike).
EXAMPLES = [
    (
        "mindspore.ops.Conv3DTranspose",
        {"in_channel": 16, "out_channel": 3, "kernel_size": [4, 6, 2]},
        "ones:32,16,10,32,32",
        "ones",
        (32, 3, 13, 37, 33),
    ),
    (
        "megengine.module.ConvTranspose3d",
        {"in_channels": 3, "out_channels": 64, "kernel_size": 3, "stride": 2, "padding": 1},
        "random:16,3,32,32,32",
        None,
        (16, 64, 63, 63, 63),
    ),
    (
        "mindspore.nn.Conv2dTranspose",
        {
            "in_channels": 3,
            "out_channels": 64,
            "kernel_size": 4,
            "has_bias": False,
            "weight_init": "normal",
            "pad_mode": "pad",
        },
        "ones:1,3,16,50",
        None,
        (1, 64, 19, 53),
    ),
    (
        "paddle.nn.Conv3DTranspose",
        {"in_channels": 4, "out_channels": 6, "kernel_size": [3, 3, 3]},
        "random:2,4,8,8,8",
        None,
        (2, 6, 10, 10, 10),
    ),
    (
        "torch.nn.ConvTranspose3d",
        {
            "in_channels": 3,
            "out_channels": 32,
            "kernel_size": 5,
            "stride": 3,
            "padding": 2,
            "output_padding": 2,
            "bias": False,
        },
        "ones:1,3,4,9,16",
        None,
        (1, 32, 12, 27, 48),
    ),
    (
        "mindspore.nn.Conv3dTranspose",
        {"in_channels": 3, "out_channels": 32, "kernel_size": 5, "stride": 3, "pad_mode": "same"},
        "ones:1,3,4,9,16",
        None,
        (1, 32, 12, 27, 48),
    ),
]
BIG = 1 << 28  # bytes of output beyond which only the first sample is checked
ROW = "{:33} {:22} {:22} {:9} {:>10} {:>11} {:>7}"


class Failed(Exception):
    pass


def ctconv(program, *arguments):
    done = subprocess.run([program, "--json", *arguments], stdout=subprocess.PIPE)
    if done.returncode not in (0, 1):
        raise Failed(f"ctconv {' '.join(arguments[:2])} ended with {done.returncode}")
    return json.loads(done.stdout)


def shape_text(shape):
    return "x".join(map(str, shape))


def seconds_text(seconds):
    return f"{seconds * 1e3:.3f} ms" if seconds < 1 else f"{seconds:.2f} s"


def show(program, dialect, args, x, weight, wanted, extra=()):
    layer = ["run", dialect, json.dumps(args), *(["-w", weight] if weight else []), *extra]
    size = 4
    for extent in wanted:
        size *= extent
    small = size <= BIG
    answer = ctconv(program, *layer, "-x", x, "--repeat", "20" if small else "1", *(["--check"] if small else []))
    check = answer.get("check")
    if check is None:
        first = x.split(":")[0] + ":1," + x.split(":")[1].split(",", 1)[1]
        check = ctconv(program, *layer, "-x", first, "--check")["check"]
    error = "same bits" if check["same_bits"] else f"{check['relative_error']:.1e}"
    print(
        ROW.format(
            dialect,
            shape_text(answer["x"]["shape"]),
            shape_text(answer["y"]["shape"]),
            answer["engine"],
            error + ("" if small else " ~"),
            seconds_text(answer["time"]["median_s"]),
            f"{answer['gflops']:.1f}",
        ),
        flush=True,
    )
    if tuple(answer["y"]["shape"]) != wanted:
        raise Failed(f"{dialect}: y is {answer['y']['shape']}, documented is {wanted}")
    if not check["ok"]:
        raise Failed(f"{dialect}: further from the reference than rounding explains: {check}")


def user_layer(program, folder):
    """A decoder layer of a real size (256 to 128 channels, 4x4, stride 2) from the user's own files,
    and y written back."""
    rng = random.Random(7)
    args = {"in_channels": 256, "out_channels": 128, "kernel_size": 4, "stride": 2, "padding": 1}
    for name, shape, scale in (("x", (1, 256, 32, 32), 1.0), ("weight", (256, 128, 4, 4), 0.02), ("bias", (128,), 0.1)):
        count = 1
        for extent in shape:
            count *= extent
        write_npy(folder / f"{name}.npy", shape, (rng.gauss(0, scale) for _ in range(count)))
    show(
        program,
        "torch.nn.ConvTranspose2d",
        args,
        str(folder / "x.npy"),
        str(folder / "weight.npy"),
        (1, 128, 64, 64),
        ("-b", str(folder / "bias.npy"), "-o", str(folder / "y.npy")),
    )
    expected = 128 * 64 * 64 * 4
    size = (folder / "y.npy").stat().st_size
    if not expected < size < expected + 4096:
        raise Failed(f"y.npy has {size} bytes")
    return size


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    program = str(pathlib.Path(sys.argv[1]).resolve())
    print(ROW.format("documented example", "x", "y", "engine", "error", "time", "GF/s"))
    try:
        for example in EXAMPLES:
            show(program, *example)
        with tempfile.TemporaryDirectory() as folder:
            print("a trained-size layer from .npy files")
            size = user_layer(program, pathlib.Path(folder))
        print(
            f"\nerror: largest difference from the reference engine over its largest value; same bits: none at all"
            f"\n~: compared on the first sample; y.npy of the last row: {size} bytes written"
        )
    except Failed as fault:
        print(f"demo: {fault}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
