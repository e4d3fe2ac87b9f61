# SPDX-License-Identifier: Apache-2.0
"""Layer.backward in float64 against central differences of the layer itself.

y is linear in x, in the weight and in the bias: there a difference is exact up to rounding, whatever the step.
Through tanh and sigmoid its error is of the order of the step squared.
60 random problems; CTCONV_DIFFERENCES=500 asks for so many, CTCONV_DIFFERENCES_SEED for others.
"""

import os

import ctconv
import numpy as np
import pytest

COUNT = int(os.environ.get("CTCONV_DIFFERENCES", 60))
SEED = int(os.environ.get("CTCONV_DIFFERENCES_SEED", 20261127))
EXTENTS = {1: 8, 2: 4, 3: 3}
BOUND = 1e-6


def draw(rng):
    """The arguments of a layer of the canonical dialect with at least one output, and the shape of x."""
    rank = int(rng.integers(1, 4))

    def axes(low, high):
        return tuple(int(v) for v in rng.integers(low, high + 1, rank))

    while True:
        groups = int(rng.choice([1, 1, 2, 3]))
        last = bool(rng.integers(2))
        args = {
            "in_channels": groups * int(rng.integers(1, 4)),
            "out_channels": groups * int(rng.integers(1, 4)),
            "kernel_size": axes(1, 4 if rank == 1 else 3),
            "stride": axes(1, 3),
            "dilation": tuple(int(v) for v in rng.choice([1, 1, 2], rank)),
            "groups": groups,
            "pad_begin": axes(0, 2),
            "pad_end": axes(0, 2),
            "output_padding": tuple(int(v) for v in rng.choice([0, 0, 1, 4], rank)),
            "zero_tail": tuple(int(v) for v in rng.choice([0, 0, 1], rank)),
            "data_format": "channels_last" if last else "channels_first",
            "bias": bool(rng.integers(2)),
        }
        n, sizes = int(rng.integers(1, 3)), axes(1, EXTENTS[rank])
        x_shape = (n, *sizes, args["in_channels"]) if last else (n, args["in_channels"], *sizes)
        try:
            ctconv.Layer("ctconv", args, None).output_shape(
                x_shape, weight=np.zeros(ctconv.weight_shape("ctconv", args, x_shape))
            )
        except ctconv.ShapeError:  # no output is left
            continue
        return args, x_shape


def differences(loss, given, step):
    """The gradient of `loss` by each element of an array, two calls an element."""
    out, moved = np.empty(given.shape), given.copy()
    for at in np.ndindex(*given.shape):
        moved[at] = given[at] + step
        above = loss(moved)
        moved[at] = given[at] - step
        out[at] = (above - loss(moved)) / (2 * step)
        moved[at] = given[at]
    return out


def check(number):
    rng = np.random.default_rng((SEED, number))
    args, x_shape = draw(rng)
    activation = [None, None, "tanh", "sigmoid"][int(rng.integers(4))]
    x = rng.normal(size=x_shape)
    w = rng.normal(size=ctconv.weight_shape("ctconv", args, x_shape))
    b = rng.normal(size=args["out_channels"]) if args["bias"] else None
    layer = ctconv.Layer("ctconv", args, None, activation=activation)
    y = layer(x, weight=w, bias=b)
    dy = rng.normal(size=y.shape)

    def loss(x=x, w=w, b=b):
        return float((layer(x, weight=w, bias=b) * dy).sum())

    got = layer.backward(dy, x, ("dx", "dw") if b is None else ("dx", "dw", "db"), weight=w, y=y)
    step = 0.5 if activation is None else 1e-4
    want = {
        "dx": differences(lambda v: loss(x=v), x, step),
        "dw": differences(lambda v: loss(w=v), w, step),
    }
    if b is not None:
        want["db"] = differences(lambda v: loss(b=v), b, step)
    assert got.keys() == want.keys()
    for name, value in got.items():
        np.testing.assert_allclose(value, want[name], rtol=BOUND, atol=BOUND, err_msg=f"{name} of {number}: {args}")
    return sum(value.size for value in got.values())


@pytest.mark.parametrize("part", range(4))
def test_central_differences(part):
    elements = sum(check(number) for number in range(part, COUNT, 4))
    assert elements > 10 * (COUNT // 4)
