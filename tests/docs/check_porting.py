#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every row of the porting pages, computed in the dialects of both frameworks.

In:   docs/porting/recipes.json; the package ctconv, and jax where it is installed
Out:  what was compared, exit 0; or one line per fault, exit 1
Rule: layers  for each pair of frameworks, in 2-D and 3-D: x and w of the one, brought to the other by the expressions
              of the page, give the y of the other, brought back: same shape, same values (small whole numbers, `==`)
      traps   the words are refused with the status named, or give another shape, or other values
      words   the arguments and defaults are those of the dialect
JAX's function is written down here in numpy, from its definition; where jax is installed, its own and ctconv.jax's are
compared with that.
Usage: check_porting.py [--self-test]
"""

import copy
import importlib.util
import itertools
import pathlib
import sys

import ctconv
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import gen_porting as pages

IN, OUT = 4, 6
SIZES = {2: (5, 6), 3: (3, 4, 5)}
HAVE_JAX = importlib.util.find_spec("jax") is not None
JAX_WORDS = {"strides": "", "padding": "", "rhs_dilation": "None", "dimension_numbers": "None"}


def numbers(*shape, seed):
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(np.float32)


def jax_pads(extent, stride, padding):
    """What jax.lax.conv_transpose puts around the spread input of an axis."""
    if padding == "SAME":
        total = extent + stride - 2
        front = extent - 1 if stride > extent - 1 else -(-total // 2)
        return front, total - front
    if padding == "VALID":
        return extent - 1, stride - 1 + max(extent - stride, 0)
    return padding


def jax_defined(x, w, strides, padding, rhs_dilation=None):
    """jax.lax.conv_transpose by its definition: a correlation with the input spread by the strides and padded."""
    rank = x.ndim - 2
    dilation = rhs_dilation or (1,) * rank
    extents = [d * (k - 1) + 1 for d, k in zip(dilation, w.shape)]
    each = [padding] * rank if isinstance(padding, str) else padding
    pads = [jax_pads(*one) for one in zip(extents, strides, each)]
    spread = np.zeros((x.shape[0], *((n - 1) * s + 1 for n, s in zip(x.shape[1:], strides)), x.shape[-1]), x.dtype)
    spread[(slice(None), *(slice(None, None, s) for s in strides))] = x
    spread = np.pad(spread, ((0, 0), *pads, (0, 0)))
    y = np.zeros((x.shape[0], *(n - e + 1 for n, e in zip(spread.shape[1:], extents)), w.shape[-1]), x.dtype)
    for tap in np.ndindex(w.shape[:rank]):
        cut = (slice(t * d, t * d + n) for t, d, n in zip(tap, dilation, y.shape[1:]))
        y += spread[(slice(None), *cut)] @ w[tap]
    return y


def jax_of(x, w, args):
    y = jax_defined(x, w, **args)
    if HAVE_JAX:
        import ctconv.jax
        import jax

        for call in (jax.lax.conv_transpose, ctconv.jax.lax_conv_transpose):
            if not np.array_equal(y, np.asarray(call(x, w, **args))):
                raise AssertionError(f"{call.__module__} differs from the definition for {args}")
    return y


def spread_taps(w, layout, by, rank):
    """The taps of a dilated kernel in a dense one."""
    axes = [at for at, axis in enumerate(pages.axes_of(layout, rank)) if axis >= 2]
    shape = [by * (n - 1) + 1 if at in axes else n for at, n in enumerate(w.shape)]
    out = np.zeros(shape, w.dtype)
    out[tuple(slice(None, None, by) if at in axes else slice(None) for at in range(w.ndim))] = w
    return out


class Side:
    """One framework, at one rank."""

    def __init__(self, name, data, rank):
        self.name, self.of, self.rank = name, data["frameworks"][name], rank
        self.dialect = self.of["class"].format(r=rank)
        self.channel = -1 if self.of["x"] == "last" else 1

    def layer(self, layer, writing, x, w, b):
        """y of a recipe for x and w in this framework's own order."""
        args = pages.expanded(writing["args"], self.of, layer, self.rank, SIZES[self.rank])
        if "spread" in writing:
            w = spread_taps(w, self.of["w"], writing["spread"], self.rank)
        parts = writing.get("halves", 1)
        if parts > 1:
            weights = np.split(w, parts, axis=self.of["w"].split().index("in") + self.taps_before("in"))
            pieces = zip(np.split(x, parts, axis=self.channel), weights, np.split(b, parts))
            y = np.concatenate([self.call(*piece, args, writing) for piece in pieces], axis=self.channel)
        else:
            y = self.call(x, w, b, args, writing)
        begin, end = writing.get("crop", (0, 0))
        cut = [slice(begin, -end or None)] * self.rank
        return y[(slice(None), *cut)] if self.channel == -1 else y[(slice(None), slice(None), *cut)]

    def taps_before(self, word):
        """Axes that the taps add before a word of the weight's layout."""
        words = self.of["w"].split()
        return self.rank - 1 if "k" in words and words.index("k") < words.index(word) else 0

    def call(self, x, w, b, args, writing):
        if self.name == "jax":
            return jax_of(x, w, args) + (0 if b is None else b)
        if self.name == "keras":
            args = {"filters": w.shape[self.rank], **args}
        elif self.name != "onnx":
            args = {"in_channels": IN, "out_channels": OUT, **args}
        if self.name == "megengine":
            groups = args.get("groups", 1)
            if groups > 1:
                w = w.reshape(groups, IN // groups, OUT // groups, *w.shape[2:])
            b = None if b is None else b.reshape(1, OUT, *(1,) * self.rank)
        call = {}
        if "size" in writing:
            call["output_size"] = [writing["size"] * size for size in SIZES[self.rank]]
        return ctconv.Layer(self.dialect, args, w, b)(x, **call)


def same(a, b):
    return a.shape == b.shape and np.array_equal(a, b)


def tensors(data, layer, rank):
    """x, w and b in every framework's order, made from PyTorch's by the expressions of the pages."""
    taps = (layer["k"],) * rank
    groups = layer.get("groups", 1)
    x, w = numbers(2, IN, *SIZES[rank], seed=1), numbers(IN, OUT // groups, *taps, seed=2)
    return x, w, numbers(OUT, seed=3) if layer.get("bias", True) else None


def brought(expression, **given):
    return np.ascontiguousarray(eval(expression, {"__builtins__": {}}, given))  # ours: made by gen_porting


def pair_faults(a, b, data, layer, rank):
    x, w, bias = tensors(data, layer, rank)
    frameworks = data["frameworks"]
    sides = [Side(who, data, rank) for who in (a, b)]
    first = {
        "x": brought(pages.x_expression("torch", a, frameworks, rank), x=x),
        "w": brought(pages.weight_expression("torch", a, frameworks, rank), w=w) if a != "torch" else w,
    }
    second = {
        "x": brought(pages.x_expression(a, b, frameworks, rank), x=first["x"]),
        "w": brought(pages.weight_expression(a, b, frameworks, rank), w=first["w"]),
    }
    ys = [side.layer(layer, layer[side.name], t["x"], t["w"], bias) for side, t in zip(sides, (first, second))]
    back = brought(pages.x_expression(b, a, frameworks, rank), x=ys[1])
    if not same(ys[0], back):
        yield f"{a} and {b}, {rank}-D, {layer['what']}: shapes {ys[0].shape} and {back.shape}, or values differ"
    if not same(first["w"], brought(pages.weight_expression(b, a, frameworks, rank), w=second["w"])):
        yield f"{a} and {b}, {rank}-D, {layer['what']}: the weight does not come back"
    if not np.any(ys[0]):
        yield f"{a}, {rank}-D, {layer['what']}: y is nothing but zeros"


def trap_faults(trap, data, rank):
    layer = next(one for one in data["layers"] if one["id"] == trap["layer"])
    side, frameworks = Side(trap["who"], data, rank), data["frameworks"]
    x, w, bias = tensors(data, layer, rank)
    x = brought(pages.x_expression("torch", side.name, frameworks, rank), x=x)
    right = w if side.name == "torch" else brought(pages.weight_expression("torch", side.name, frameworks, rank), w=w)
    wanted = side.layer(layer, layer[side.name], x, right, bias)
    if trap.get("as_is"):
        right = w.transpose(pages.permutation("in out k", side.of["w"], rank))
    try:
        got = side.layer(layer, {"args": trap["args"]}, x, right, bias)
    except ctconv.Error as error:
        found = error.name
    else:
        found = "shape" if got.shape != wanted.shape else "nothing" if same(got, wanted) else "values"
    if found != trap["differs"]:
        yield f"{trap['who']}, {rank}-D, {trap['say']} wanted {trap['differs']}, found {found}"


def word_faults(who, data):
    side = Side(who, data, 2)
    known = JAX_WORDS if who == "jax" else {a.name: a.default for a in ctconv.dialect_arguments(side.dialect)}
    for row in data["words"]:
        for word in row[who] if isinstance(row[who], list) else []:
            name, _, default = word.partition("=")
            if name not in known or known[name] != default:
                yield f"{who}: {word}: the dialect has {name}={known.get(name, 'no such argument')}"


def faults_of(data):
    for rank in SIZES:
        for layer in data["layers"]:
            for a, b in itertools.combinations(data["frameworks"], 2):
                yield from pair_faults(a, b, data, layer, rank)
        for trap in data["traps"]:
            if rank in trap.get("ranks", SIZES):
                yield from trap_faults(trap, data, rank)
    for who in data["frameworks"]:
        yield from word_faults(who, data)


def self_test(data):
    """Wrong recipes, each of which must be found."""
    spoilt = {
        "torch and paddle": lambda d: d["layers"][0]["paddle"]["args"].update(padding=0),
        "onnx and jax": lambda d: d["layers"][2]["onnx"]["args"].update(auto_pad="SAME_LOWER"),
        "wanted values, found nothing": lambda d: d["traps"].append(
            {"who": "onnx", "layer": "same", "differs": "values", "say": "", "args": d["layers"][2]["onnx"]["args"]}
        ),
        "keras: filter=": lambda d: d["words"][1].update(keras=["filter="]),
    }
    for part, spoil in spoilt.items():
        changed = copy.deepcopy(data)
        spoil(changed)
        if not any(part in fault for fault in faults_of(changed)):
            sys.exit(f"check_porting: not found: {part}")


def main():
    data = pages.recipes()
    if "--self-test" in sys.argv[1:]:
        return self_test(data)
    found = list(faults_of(data))
    for fault in found:
        print(f"check_porting: {fault}", file=sys.stderr)
    count = len(data["layers"]) * 21 * len(SIZES)
    print(f"{count} rows, {len(data['traps'])} traps; jax {'compared too' if HAVE_JAX else 'by its definition alone'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
