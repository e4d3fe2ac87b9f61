# SPDX-License-Identifier: Apache-2.0
"""Writes tests/data/golden_gradients.jsonl: what PyTorch's autograd answers in float64, on the CPU.

In:  nothing; a Python that has torch runs it:  make_gradients.py > tests/data/golden_gradients.jsonl
Out: one case a line: sizes per spatial axis, x, w (groups * ci, co, taps), bias and dy as they were given,
     y, dx, dw and db as torch computed them
60 cases hold small integers: every sum is exact, whatever its order ("exact": true). 20 hold reals.
"""

import json
import math
import random

import torch

EXTENTS = {1: 9, 2: 5, 3: 3}


def draw_axis(rng, rank):
    """One axis of a layer that torch takes, with at least one output."""
    while True:
        axis = {
            "i": rng.randint(1, EXTENTS[rank]),
            "k": rng.randint(1, 5 if rank == 1 else 3),
            "s": rng.randint(1, 3),
            "d": rng.choice([1, 1, 2, 3]),
            "padding": rng.choice([0, 0, 1, 2]),
        }
        axis["output_padding"] = rng.choice([0, rng.randint(0, max(axis["s"], axis["d"]) - 1)])
        core = (axis["i"] - 1) * axis["s"] - 2 * axis["padding"] + axis["d"] * (axis["k"] - 1) + 1
        axis["o"] = core + axis["output_padding"]
        if axis["o"] >= 1:
            return axis


def tensor(rng, shape, exact):
    """Integers from -4 to 4, or multiples of 2^-12 below 1."""
    values = [rng.randint(-4, 4) if exact else rng.randint(-4095, 4095) / 4096 for _ in range(math.prod(shape))]
    return torch.tensor(values, dtype=torch.float64).reshape(shape)


def numbers(values, exact):
    flat = values.detach().flatten().tolist()
    return [int(v) for v in flat] if exact else flat


def draw_case(rng, number, exact):
    rank = number % 3 + 1
    axes = [draw_axis(rng, rank) for _ in range(rank)]
    n, groups = rng.randint(1, 2), rng.choice([1, 1, 2, 3])
    ci, co = rng.randint(1, 3), rng.randint(1, 3)
    x = tensor(rng, [n, groups * ci] + [a["i"] for a in axes], exact).requires_grad_()
    w = tensor(rng, [groups * ci, co] + [a["k"] for a in axes], exact).requires_grad_()
    bias = tensor(rng, [groups * co], exact).requires_grad_()
    call = getattr(torch.nn.functional, f"conv_transpose{rank}d")
    y = call(
        x,
        w,
        bias,
        stride=[a["s"] for a in axes],
        padding=[a["padding"] for a in axes],
        output_padding=[a["output_padding"] for a in axes],
        groups=groups,
        dilation=[a["d"] for a in axes],
    )
    assert list(y.shape[2:]) == [a["o"] for a in axes]
    dy = tensor(rng, list(y.shape), exact)
    y.backward(dy)
    case = {"exact": exact, "n": n, "groups": groups, "ci": ci, "co": co}
    case |= {key: [a[key] for a in axes] for key in ("i", "k", "s", "d", "padding", "output_padding", "o")}
    given = {"x": x, "w": w, "bias": bias, "dy": dy}
    answered = {"y": y, "dx": x.grad, "dw": w.grad, "db": bias.grad}
    case |= {key: numbers(values, exact) for key, values in (given | answered).items()}
    return case | {"source": f"ran torch {torch.__version__.split('+')[0]}"}


def main():
    torch.set_num_threads(1)
    rng = random.Random(20261126)
    for number in range(80):
        case = draw_case(rng, number, exact=number < 60)
        print(json.dumps(case, separators=(",", ":")))


if __name__ == "__main__":
    main()
