#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a .npy file of generated numbers with the standard library alone (no numpy on a fresh machine).

In:   a path, a shape such as 1,256,32,32, a filling and a seed
Out:  a version 1.0 .npy file, little-endian float32 (or float64), C order
Usage: make_npy.py OUT.npy SHAPE [--fill normal|uniform|ones] [--scale S] [--seed N] [--dtype f4|f8]
"""

import argparse
import array
import math
import random
import sys

from whole_file import whole


def write_npy(path, shape, values, code="f"):
    """values: an iterable of floats in C order; code: 'f' or 'd' of the array module."""
    data = array.array(code, values)
    if len(data) != math.prod(shape):
        raise ValueError(f"{len(data)} values for shape {shape}")
    if sys.byteorder == "big":
        data.byteswap()
    descr = '<' + code.replace('f', 'f4').replace('d', 'f8')
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {tuple(shape)}, }}"
    text += " " * (63 - (10 + len(text)) % 64) + "\n"  # the data begins at a multiple of 64
    with whole(path, "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode("latin-1"))
        data.tofile(f)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path")
    parser.add_argument("shape", type=lambda s: tuple(int(n) for n in s.split(",")))
    parser.add_argument("--fill", choices=["normal", "uniform", "ones"], default="normal")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dtype", choices=["f4", "f8"], default="f4")
    o = parser.parse_args()
    rng = random.Random(o.seed)
    draw = {"normal": lambda: rng.gauss(0, 1), "uniform": lambda: rng.uniform(-1, 1), "ones": lambda: 1.0}[o.fill]
    values = (o.scale * draw() for _ in range(math.prod(o.shape)))
    write_npy(o.path, o.shape, values, "d" if o.dtype == "f8" else "f")


if __name__ == "__main__":
    main()
