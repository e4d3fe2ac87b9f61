# SPDX-License-Identifier: Apache-2.0
"""python -m ctconv.tiles: one layer over data larger than memory, from file to file.

In:  the dialect; its arguments as JSON ([..] is a tuple, {"$list": [..]} a list) or @file.json; files of x, weight and
     bias
Out: y at its place; a line on standard output, or JSON with --json. The same command goes on after a kill.
Exit: 0 done, 2 refused, 130 after Ctrl-C
"""

import argparse
import contextlib
import json
import pathlib
import sys

import numpy as np

from .. import Error, Layer, init_bias
from . import StorageError, most_resident, run
from ._progress import duration, rate
from ._run import reader_of

EXAMPLE = """example:
  python -m ctconv.tiles torch.nn.ConvTranspose3d \\
      '{"in_channels": 16, "out_channels": 8, "kernel_size": 3, "stride": 2}' \\
      -x x.npy -w w.npy -o y.npy --memory 2G
"""


def value_of(given):
    """JSON as a dialect's argument."""
    if isinstance(given, dict) and set(given) == {"$list"}:
        return [value_of(item) for item in given["$list"]]
    if isinstance(given, list):
        return tuple(value_of(item) for item in given)
    return given


def arguments_of(text):
    if text.startswith("@"):
        text = pathlib.Path(text[1:]).read_text(encoding="utf-8")
    try:
        given = json.loads(text)
    except ValueError as error:
        raise ValueError(f"the arguments are no JSON: {error}") from None
    if not isinstance(given, dict):
        raise ValueError('the arguments are no JSON object: {"in_channels": 16, ...} is needed')
    return {name: value_of(value) for name, value in given.items()}


def numbers_of(text, name):
    try:
        return None if text is None else tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"--{name} is {text}; whole numbers with commas are needed, such as 64,64,64") from None


def parser():
    p = argparse.ArgumentParser(
        "python -m ctconv.tiles",
        description="One layer over data larger than memory, from file to file; the same command goes on after a kill.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("dialect", help="whose words, e.g. torch.nn.ConvTranspose3d")
    p.add_argument("args", nargs="?", default="{}", help="the dialect's arguments as JSON, or @file.json")
    p.add_argument("-x", required=True, help="the input: a .npy file, or a folder in Zarr format 3")
    p.add_argument("-w", "--weight", required=True, help="the weight: a .npy file")
    p.add_argument(
        "-b", "--bias", help="the bias: a .npy file, or none (default: the dialect's initialiser, as in `ctconv run`)"
    )
    p.add_argument("-o", "--output", required=True, help="y: a .npy file, or a folder that ends in .zarr")
    p.add_argument("--memory", default="1G", help="the most this process may hold (default: 1G)")
    p.add_argument("--tile", help="extents of a tile of y, one per spatial axis (default: as memory allows)")
    p.add_argument("--chunks", help="of a new Zarr array, one extent per axis of y (default: the tile's)")
    p.add_argument("--output-size", help="the call's output_size as JSON")
    p.add_argument("--threads", type=int, default=0, help="0: all cores this process may use")
    p.add_argument("--activation", help="after the bias: relu, leaky_relu, tanh, sigmoid or clip")
    p.add_argument("--alpha", type=float, default=0.0, help="slope of leaky_relu, lower bound of clip")
    p.add_argument("--beta", type=float, default=0.0, help="upper bound of clip")
    p.add_argument(
        "--reproducible", type=int, default=1, help="1 (default): the bits of one whole call on any machine; 0: any"
    )
    p.add_argument("--fresh", action="store_true", help="forget what an earlier run wrote")
    p.add_argument("--overwrite", action="store_true", help="replace a Zarr array that is there")
    p.add_argument("--progress", action="store_true", help="lines on standard error also where it is no terminal")
    p.add_argument("--json", action="store_true", help="the answer as JSON")
    return p


_BIAS_SEED = 3  # of `ctconv run` without --seed


def bias_of(given, args, weight):
    """What -b names; by default what the dialect makes, where its arguments say that there is a bias."""
    if given.bias == "none":
        return None
    if given.bias is not None:
        return np.load(given.bias)
    with contextlib.closing(reader_of(given.x)) as x:
        shape = tuple(x.shape)
    try:
        return init_bias(given.dialect, args, _BIAS_SEED, x_shape=shape, dtype=weight.dtype)
    except Error as error:
        if error.name not in ("CTCONV_ERR_UNSUPPORTED_WEIGHT_SPEC", "CTCONV_ERR_UNSUPPORTED_INIT"):
            raise
        return None  # the dialect does not say what its bias is


def work(given):
    args, weight = arguments_of(given.args), np.load(given.weight)
    bias = bias_of(given, args, weight)
    options = {"threads": given.threads, "reproducible": given.reproducible, "activation": given.activation}
    options |= {"activation_alpha": given.alpha, "activation_beta": given.beta}
    layer = Layer(given.dialect, args, weight, bias, **options)
    size = None if given.output_size is None else value_of(json.loads(given.output_size))
    report = run(
        layer,
        given.x,
        given.output,
        memory=given.memory,
        tile=numbers_of(given.tile, "tile"),
        chunks=numbers_of(given.chunks, "chunks"),
        output_size=size,
        progress=True if given.progress else None,
        fresh=given.fresh,
        overwrite=given.overwrite,
    )
    if given.json:
        print(json.dumps({**report._asdict(), "most_memory": most_resident()}))
        return
    earlier = f", {report.resumed} of them from an earlier run" if report.resumed else ""
    speed = f", {rate(report.bytes / report.seconds)}" if report.bytes else ""
    print(f"{report.path}: {report.shape}, {report.tiles} tiles of {report.tile}{earlier}, ", end="")
    made = " by the dialect's initialiser" if given.bias is None and bias is not None else ""
    print(f"bias{made}, " if bias is not None else "no bias, ", end="")
    print(f"{duration(report.seconds)}{speed}, at most {most_resident() / 2**20:.0f} MiB")


def main():
    given = parser().parse_args()
    try:
        work(given)
    except KeyboardInterrupt:
        print("\nctconv.tiles: stopped; what is written is kept, the same command goes on from there", file=sys.stderr)
        return 130
    except Error as error:
        print(f"ctconv.tiles: {error.name}: {error}", file=sys.stderr)
        return 2
    except (StorageError, OSError, ValueError, TypeError, ImportError) as error:
        print(f"ctconv.tiles: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
