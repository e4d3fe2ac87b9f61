# SPDX-License-Identifier: Apache-2.0
"""Checks of the gradients' part of the harness; selftest.py runs them.

dx, dw and db of every peer in this process against sums over the taps, in both layouts and every type; what the passes
read and write; the layers of a quick run; names of results; the page of the gradients.
"""

import importlib
import importlib.util
import itertools
import json
import math
import pathlib
import sys
import tempfile

import numpy as np

import accuracy
import drive
import layers
import measure
import report
import runs
from contenders import available, base

GRADIENTS = ("dgrad", "wgrad")


def by_taps(layer, x, w, dy):
    """(dx, dw, db) by their definition, in float64: every tap reads dy at the stride."""
    groups, ci, co = layer.g, layer.cin // layer.g, layer.cout // layer.g
    whole = [(i - 1) * s + d * (k - 1) + 1 for i, s, d, k in zip(layer.i, layer.s, layer.d, layer.k)]
    room = [max(f, lo + o) for f, lo, o in zip(whole, layer.lo, layer.o)]
    full = np.zeros((layer.n, groups, co, *room))
    dy = dy.astype(np.float64)
    full[(..., *[slice(lo, lo + o) for lo, o in zip(layer.lo, layer.o)])] = dy.reshape(layer.n, groups, co, *layer.o)
    x = x.astype(np.float64).reshape(layer.n, groups, ci, *layer.i)
    w = w.astype(np.float64).reshape(groups, ci, co, *layer.k)
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for tap in np.ndindex(*layer.k):
        at = tuple(slice(t * d, t * d + (i - 1) * s + 1, s) for t, d, i, s in zip(tap, layer.d, layer.i, layer.s))
        part = full[(..., *at)]
        dx += np.einsum("ngo...,gio->ngi...", part, w[(..., *tap)])
        flat = [v.reshape(layer.n, groups, -1, math.prod(layer.i)) for v in (x, part)]
        dw[(..., *tap)] = np.einsum("ngip,ngop->gio", *flat)
    return dx.reshape(layer.x_shape), dw.reshape(layer.w_shape), dy.sum(axis=(0, *range(2, dy.ndim)))


def expected(layer, held):
    dx, dw, db = by_taps(layer, held.x_first, held.w, held.dy_first)
    return [dx] if layer.which_pass == "dgrad" else [dw, db] if layer.bias else [dw]


def peer_ran(module, layer, layout, dtype, scratch):
    """Whether the peer ran the layer; asserts that its gradients are right."""
    setting = base.Setting(layout, 1, None, pathlib.Path(scratch), dtype=dtype, which_pass=layer.which_pass)
    module.start(setting)
    held = base.Operands(layer, setting)
    wanted = [v.astype(np.float32) for v in expected(layer, held)]
    for contender in module.make(layer, held, setting):
        try:
            contender.setup()
        except base.Refused:
            return False
        assert contender.time(2) > 0
        error = measure.differences(contender.results(), wanted)
        assert error <= measure.TOLERANCE[dtype], (contender.name, layer.which_pass, layout, dtype, error)
        contender.facts()
        contender.close()
    return True


def test_peers(shapes):
    ran = {}
    for name in ("pytorch", "jax"):
        try:
            module = importlib.import_module(f"contenders.{name}")
        except ImportError:
            continue
        ran[name] = 0
        for layout, dtype, which_pass, shape in itertools.product(("first", "last"), base.BYTES, GRADIENTS, shapes):
            if dtype == "bf16" and importlib.util.find_spec("ml_dtypes") is None:
                continue
            with tempfile.TemporaryDirectory() as scratch:
                layer = layers.Layer(shape, base.BYTES[dtype], which_pass)
                ran[name] += peer_ran(module, layer, layout, dtype, scratch)
    assert all(ran.values()), ran
    print("bench: peers' gradients checked:", ran)


def test_accuracy(shapes):
    if importlib.util.find_spec("torch") is None:
        return
    for which_pass, shape in itertools.product(GRADIENTS, shapes):
        layer = layers.Layer(shape, which_pass=which_pass)
        held = base.Operands(layer, base.Setting("last", 1, None, None, which_pass=which_pass))
        assert max(accuracy.errors(accuracy.exact(layer, held), expected(layer, held)[0])) < 1e-13


def test_traffic(shape):
    y, dx, dw = (layers.Layer(shape, which_pass=which_pass) for which_pass in layers.PASSES)
    sizes = {name: 4 * math.prod(v) for name, v in (("x", y.x_shape), ("y", y.y_shape), ("w", y.w_shape))}
    assert (dx.read, dx.written) == (sizes["y"] + sizes["w"], sizes["x"])
    assert (dw.read, dw.written) == (sizes["x"] + sizes["y"], sizes["w"] + 4 * y.cout)
    assert y.flop == dx.flop == dw.flop and (y.gradient() == dx.gradient()).all()
    for which_pass in GRADIENTS:
        quick, full = (layers.load(which, which_pass=which_pass) for which in ("quick", "full"))
        assert 20 < len(quick) < len(full) == len(layers.load("full")) and quick[0].which_pass == which_pass
    assert drive.name_of("d", "m", "first", 2, "f32", "fwd", "") == "d-m-first-t2.json"
    assert drive.name_of("d", "m", "last", 1, "bf16", "dgrad", "-quick") == "d-m-last-t1-bf16-dgrad-quick.json"


def test_modules():
    setting = base.Setting("first", 1, None, None, ["ort", "mnn"], which_pass="dgrad")
    try:
        _, skipped = available(setting)
    except (ImportError, OSError, RuntimeError):  # libctconv is not built here
        return
    assert set(skipped) == {"ort", "mnn"}


def test_differences():
    a, b = np.ones((2, 3), np.float32), np.full(4, 1000, np.float32)
    assert measure.differences([a, b], [a, b]) == 0
    assert measure.differences([a * 2, b], [a, b]) == 1  # each by its own largest value
    assert measure.differences([a], [a, b]) == float("inf")


def test_page(run, layer):
    """run: a result of the forward pass; layer: one of its rows."""
    torch = {**layer, "ratios": {**layer["ratios"], "torch": 0.9}, "dropped": 0}
    with tempfile.TemporaryDirectory() as folder:
        results = pathlib.Path(folder)
        for file, changed in (
            ("a", {}),
            ("b", {"pass": "dgrad", "layers": [torch]}),
            ("c", {"pass": "wgrad", "layers": [torch]}),
            ("d", {"pass": "dgrad", "threads": 1}),
        ):
            (results / f"{file}.json").write_text(json.dumps({**run, **changed}))
        assert [s.which_pass for s in runs.load(results)] == ["fwd", "dgrad", "dgrad", "wgrad"]
        docs = results / "docs"
        sys.argv[1:] = ["--results", folder, "--docs", str(docs), "--no-plots"]
        report.main()
        page, front = ((docs / f"performance{name}.md").read_text() for name in ("-training", ""))
    assert "performance-training.md" in front and "dx," not in front
    for text in (
        "| over PyTorch | X, dx, channels-first, 2 threads | 1.3, worst 0.95 | 0.90, worst 0.90 s1.k3, 1 of 1 below",
        "| share of the roofline | X, dw and db, channels-first, 2 threads |",
        "| 1 to 2 threads, above 1 ms | X, dx, channels-first, 2 threads | 1.8 | median 1.00",
        "| workspace beyond the padded operand | X, dx, channels-first, 2 threads | 16 MiB |",
    ):
        assert text in page, (text, page)
