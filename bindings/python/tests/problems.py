# SPDX-License-Identifier: Apache-2.0
"""What the tests share: the golden files, integer data, and the transposed convolution as a plain scatter in numpy.

y[n, co, i*s + t*d - lo] += x[n, ci, i] * w[ci, co, t]      per group, then bias
"""

import itertools
import json
import pathlib

import numpy as np

DATA = pathlib.Path(__file__).resolve().parents[3] / "tests" / "data"


def python_value(v):
    """Golden arguments: an array is a tuple, {"$list": [...]} a list."""
    if isinstance(v, dict) and "$list" in v:
        return [python_value(x) for x in v["$list"]]
    return tuple(python_value(x) for x in v) if isinstance(v, list) else v


def python_values(d):
    return {name: python_value(v) for name, v in (d or {}).items()}


def dialect_of(case):
    if "op" not in case:
        return case["dialect"]
    return ("megengine.module" if case["dialect"] == "megengine" else case["dialect"]) + "." + case["op"]


def shape_cases():
    return json.loads((DATA / "golden_shapes.json").read_text())


def value_cases():
    return [json.loads(line) for line in (DATA / "golden_values.jsonl").read_text().splitlines()]


def gradient_cases():
    """What torch, paddle and mindspore answered of gradients, each in its own words."""
    lines = (DATA / "golden_gradients_dialects.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def integers(shape, a=7, b=3, m=13, c=6, dtype="float32"):
    """Small integers: sums are exact. The defaults are the golden files' x."""
    i = np.arange(int(np.prod(shape)), dtype=np.int64)
    return ((i * a + b) % m - c).astype(dtype).reshape(shape)


def weights(shape, dtype="float32"):
    return integers(shape, 5, 1, 11, 5, dtype)


def output_gradients(shape, dtype="float32"):
    return integers(shape, 11, 4, 9, 4, dtype)


def biases(shape, dtype="float32"):
    return integers(shape, 3, 2, 7, 3, dtype)


def scatter(x, w, bias=None, stride=1, padding=0, output_padding=0, dilation=1, groups=1):
    """x (N, Cin, ...), w (Cin, Cout/groups, k...); float64 inside."""
    rank = x.ndim - 2

    def per_axis(v):
        return (v,) * rank if isinstance(v, int) else tuple(v)

    s, p, extra, d = map(per_axis, (stride, padding, output_padding, dilation))
    k = w.shape[2:]
    full = [(x.shape[2 + a] - 1) * s[a] + d[a] * (k[a] - 1) + 1 + extra[a] for a in range(rank)]
    y = np.zeros((x.shape[0], w.shape[1] * groups, *full))
    ci, co = x.shape[1] // groups, w.shape[1]
    for g, taps in itertools.product(range(groups), itertools.product(*map(range, k))):
        where = tuple(slice(t * d[a], t * d[a] + (x.shape[2 + a] - 1) * s[a] + 1, s[a]) for a, t in enumerate(taps))
        part = np.einsum(
            "nc...,cm->nm...",
            x[:, g * ci : (g + 1) * ci].astype("f8"),
            w[(slice(g * ci, (g + 1) * ci), slice(None), *taps)].astype("f8"),
        )
        y[(slice(None), slice(g * co, (g + 1) * co), *where)] += part
    y = y[(slice(None), slice(None), *(slice(p[a], full[a] - p[a]) for a in range(rank)))]
    return y if bias is None else y + bias.reshape(1, -1, *(1,) * rank)
