#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks of the harness itself, without the library; of the peers, those that are installed.
Exit 0, 77 where numpy is missing, else an AssertionError.

Useful FLOPs and output sizes against counting by hand; the floor; a wrong result gets no ratio and is marked; a peer
that makes its own y is set against ours doing so; the comparison sees one wrong element,
another shape and a NaN; rounds end, and drop what was disturbed for everyone;
a peer in this process gives what a sum over the taps gives, or refuses. Gradients: selftest_gradients.py.
"""

import importlib.util
import itertools
import json
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True
try:
    import numpy as np
except ImportError:
    sys.exit(77)
import accuracy  # noqa: E402
import disturbance  # noqa: E402
import drive  # noqa: E402
import layers  # noqa: E402
import measure  # noqa: E402
import report  # noqa: E402
import runs  # noqa: E402
import selftest_gradients as gradients  # noqa: E402
import timing  # noqa: E402
from contenders import base  # noqa: E402

ROOF = {
    "gflops": 100.0,
    "bandwidth": [
        {"bytes": 2**10, "read": 40.0, "fill": 20.0, "stream": 5.0},
        {"bytes": 2**30, "read": 10.0, "fill": 6.0, "stream": 8.0},
    ],
}


def row(**changed):
    axis = dict(k=[3, 4], s=[2, 3], d=[2, 1], p_begin=[1, 2], p_end=[2, 0], op=[1, 0])
    return {"id": "t", "class": "c", "n": 2, "cin": 4, "cout": 6, "g": 2, "in": [5, 4], "bias": True, **axis, **changed}


def test_geometry():
    for k, s, d, lo, hi in itertools.product((1, 2, 3), (1, 2, 3), (1, 2), (0, 1, 2), (0, 2)):
        r = row(**{"in": [5], "k": [k], "s": [s], "d": [d], "p_begin": [lo], "p_end": [hi], "op": [0]})
        layer = layers.Layer(r)
        if layer.o[0] < 1:
            continue
        pairs = sum(0 <= i * s + t * d - lo < layer.o[0] for i in range(5) for t in range(k))
        assert layer.flop == 2 * 2 * 4 * 3 * pairs, r
    layer = layers.Layer(row())
    assert layer.o == [(5 - 1) * 2 - 3 + 2 * 2 + 1 + 1, (4 - 1) * 3 - 2 + 3 + 1]
    assert layer.bytes == 4 * (2 * 4 * 5 * 4 + 4 * 3 * 12 + 6 + 2 * 6 * layer.o[0] * layer.o[1])
    assert all(min(one.o) > 0 for one in layers.load("full")) and len(layers.load("quick")) == layers.STARTER


def test_floor():
    layer = layers.Layer(row())
    layer.read, layer.written, layer.bytes, layer.flop = 2**29, 2**29, 2**30, 1
    seconds, bound = layer.floor(ROOF)
    assert bound == "mem" and abs(seconds - 2**29 / 10e9 - 2**29 / 8e9) < 1e-9
    layer.flop = 10**12
    assert layer.floor(ROOF) == (10.0, "flop")


def records(**errors):
    def one(ms, pays="reuse", error=0.0):
        return {"ms": ms, "error": error, "pays_for_y": pays}

    return {
        "ctconv": {**one(2.0), "engine": "native", "setup_ms": 1.0, "workspace_bytes": 0, "extra_bytes": 0},
        "ctconv.alloc": one(4.0, "alloc"),
        "ctconv.same": one(2.5),
        "torch": one(12.0, "alloc", errors.get("torch", 0.0)),
        "onednn": one(3.0, error=errors.get("onednn", 0.0)),
        "openvino": {"refused": "no"},
    }


def test_ratios():
    layer = layers.Layer(row())
    good = measure.summary(layer, records(), ROOF)
    assert (
        good["ratios"] == {"torch": 3.0, "onednn": 1.5} and good["best_peer"] == "onednn" and good["best_ratio"] == 1.5
    )
    for error in (1e-3, float("nan"), float("inf")):
        bad = measure.summary(layer, records(onednn=error), ROOF)
        assert bad["ratios"] == {"torch": 3.0} and bad["contenders"]["onednn"]["wrong"]
        bad["strangers"] = None
        assert "wrong" in measure.line(bad, ["torch", "onednn", "openvino"])


def test_difference():
    y = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    assert measure.difference(y, y.copy()) == 0
    z = y.copy()
    z[1, 2, 3] += 23
    assert abs(measure.difference(z, y) - 1) < 1e-6
    z[0, 0, 0] = np.nan
    assert measure.difference(z, y) == float("inf") and measure.difference(y[:1], y) == float("inf")


def test_roof():
    box = {"cpu": "X", "cores": 2}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "r.json"
        path.write_text(json.dumps({"machine": box, "threads": 2, "date": "d", "roof": ROOF}))
        assert measure.roof_of(None, 2, box, path) == {**ROOF, "of": "d, r.json"}
        for threads, cpu in ((1, "X"), (2, "Y")):
            try:
                measure.roof_of(None, threads, {"cpu": cpu}, path)
            except SystemExit as refusal:
                assert "another machine" in str(refusal)
            else:
                raise AssertionError("a foreign roof was taken")


def test_names():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "day-box-first-t2.json"
        assert drive.free(path) == path
        path.write_text('{"complete": false}')
        assert drive.free(path) == path  # an unfinished run is written anew
        path.write_text('{"complete": true}')
        assert drive.free(path).name == "day-box-first-t2-2.json"
        part = path.with_name("day-part.json")
        part.write_text('{"complete": true}')
        assert drive.free(part) == part


def test_types():
    two, four = layers.Layer(row(), 2), layers.Layer(row())
    assert 2 * two.bytes == four.bytes and two.flop == four.flop and set(measure.TOLERANCE) == set(base.BYTES)
    for dtype in ("f32", "f16"):
        setting = base.Setting("last", 1, None, None, dtype=dtype)
        held = base.Operands(two, setting)
        assert {a.dtype for a in (held.x, held.w, held.b, held.y)} == {base.element(dtype)}
        assert held.x.shape == (2, 5, 4, 4) and held.x.itemsize == base.BYTES[dtype] and held.x.ctypes.data % 64 == 0
        assert (np.moveaxis(held.x, -1, 1) == held.x_first).all()
    y = np.ones((1, 1, 2), np.float16)
    assert measure.difference(y * np.float16(1.5), y) == 0.5


def by_taps(layer, x, w, b):
    """y by its definition, in float64: every tap adds the input, spread by the stride."""
    full = [
        (i - 1) * s + d * (k - 1) + 1 + lo + hi + op
        for i, s, d, k, lo, hi, op in zip(layer.i, layer.s, layer.d, layer.k, layer.lo, layer.hi, layer.op)
    ]
    y = np.zeros((layer.n, layer.g, layer.cout // layer.g, *full))
    x = x.astype(np.float64).reshape(layer.n, layer.g, layer.cin // layer.g, *layer.i)
    w = w.astype(np.float64).reshape(layer.g, layer.cin // layer.g, layer.cout // layer.g, *layer.k)
    for tap in np.ndindex(*layer.k):
        at = tuple(slice(t * d, t * d + (i - 1) * s + 1, s) for t, d, i, s in zip(tap, layer.d, layer.i, layer.s))
        y[(..., *at)] += np.einsum("ngi...,gio->ngo...", x, w[(..., *tap)])
    y = y[(..., *[slice(lo, lo + o) for lo, o in zip(layer.lo, layer.o)])].reshape(layer.y_shape)
    return y if b is None else y + b.astype(np.float64).reshape(-1, *[1] * layer.rank)


PLAIN = dict(n=1, g=1, bias=True)
SHAPES = [
    row(**PLAIN, **{"in": [5], "k": [4], "s": [2], "d": [1], "p_begin": [0], "p_end": [2], "op": [0]}),
    row(
        **PLAIN,
        **{"in": [5, 4], "k": [3, 4], "s": [2, 2], "d": [1, 1], "p_begin": [1, 1], "p_end": [1, 1], "op": [1, 0]},
    ),
    row(
        **PLAIN,
        **{"in": [5, 4], "k": [4, 4], "s": [2, 2], "d": [1, 1], "p_begin": [1, 1], "p_end": [1, 1], "op": [0, 0]},
    ),
    row(**{"p_end": [1, 2]}),
    row(**PLAIN, **{a: [v] * 3 for a, v in dict(k=2, s=2, d=1, p_begin=0, p_end=0, op=0).items()}, **{"in": [2, 3, 4]}),
]
IN_PROCESS = ["pytorch", "ort", "ov", "jax", "litert", "ncnn", "mnn"]


def peers_of(module, shape, layout, dtype, scratch):
    """Whether the peer ran the layer; asserts that its y is right."""
    layer = layers.Layer(shape, base.BYTES[dtype])
    setting = base.Setting(layout, 1, None, pathlib.Path(scratch), dtype=dtype)
    module.start(setting)
    held = base.Operands(layer, setting)
    expected = by_taps(layer, held.x_first, held.w, held.b)
    for contender in module.make(layer, held, setting):
        try:
            contender.setup()
        except base.Refused:
            return False
        assert contender.time(2) > 0
        error = measure.difference(contender.result(), expected.astype(np.float32))
        assert error <= measure.TOLERANCE[dtype] or contender.name == "mnn" and layer.rank == 3, (contender.name, error)
        contender.facts()
        contender.close()
    return True


def test_accuracy():
    if importlib.util.find_spec("torch") is None:
        return
    for shape in SHAPES:
        layer = layers.Layer(shape)
        held = base.Operands(layer, base.Setting("last", 1, None, None))
        found, expected = accuracy.exact(layer, held), by_taps(layer, held.x_first, held.w, held.b)
        assert max(accuracy.errors(found, expected)) < 1e-14
        expected[0, 0] += 2
        largest, rms = accuracy.errors(found, expected)
        assert abs(largest - 2) < 1e-12 and abs(rms - 2 * (expected[0, 0].size / expected.size) ** 0.5) < 1e-12


def test_peers():
    ran = {}
    for name in IN_PROCESS:
        try:
            module = importlib.import_module(f"contenders.{name}")
        except ImportError:
            continue
        ran[name] = 0
        with tempfile.TemporaryDirectory() as scratch:
            for layout, dtype, shape in itertools.product(("first", "last"), base.BYTES, SHAPES):
                if dtype == "bf16" and importlib.util.find_spec("ml_dtypes") is None:
                    continue
                try:
                    ran[name] += peers_of(module, shape, layout, dtype, scratch)
                except RuntimeError:  # start() refuses the layout or the type
                    continue
    assert all(ran.values()), ran
    print("bench: peers checked:", ran)


class Fake:
    def __init__(self, name, seconds):
        self.name, self.seconds, self.calls = name, seconds, 0

    def time(self, calls):
        self.calls += calls
        return calls * self.seconds


def test_speeds():
    speeds, layer, large = measure.Speeds(), layers.Layer(row()), layers.Layer(row())
    layer.flop, large.flop = int(2e8), int(2e10)
    key = speeds.key(Lasting("a"), layer)
    speeds.judge(Lasting("a"), large)
    speeds.learn(key, layers.Layer(row()), 9.0)  # too small to teach
    speeds.judge(Lasting("a"), large)
    speeds.learn(key, layer, 0.1)
    speeds.learn(key, layer, 0.2)
    speeds.judge(Lasting("a"), layer)
    speeds.judge(Lasting("b"), large)
    try:
        speeds.judge(Lasting("a"), large)
    except base.Refused as refusal:
        assert "about 10 s" in str(refusal)
    else:
        raise AssertionError("an endless call was not refused")


class Lasting(Fake):
    """Takes the time it says."""

    def __init__(self, name):
        super().__init__(name, 0.1)

    def time(self, calls):
        time.sleep(calls * self.seconds)
        return super().time(calls)

    def facts(self):
        return {"form": "plain"}

    def close(self):
        self.calls = 0


def test_rounds():
    fast, slow, behind = Fake("fast", 1e-4), Fake("slow", 9.0), Fake("behind", 2e-3)
    calm = disturbance.Watch(None)
    timed, rounds = timing.alternate([fast, slow, behind], 0.2, 1, calm)
    assert abs(timed["fast"].median() - 1e-4) < 1e-9 and fast.calls > 60
    assert timed["slow"].once and slow.calls == 1
    assert len(timed["behind"].samples) == timing.ROUNDS_LEAST < len(timed["fast"].samples) == rounds.count
    assert not rounds.soft and rounds.dropped == 0
    timed, _ = timing.alternate([fast, slow], 0.1, 1, calm, {"fast": 1e-4, "slow": 8.0})
    assert timed["slow"].once and slow.calls == 1 and timed["slow"].median() == 8.0


def test_watch():
    speeds = iter([[9.0, 4.0]] + [[10.0, 4.0]] * 9 + [[8.4, 4.0], [8.6, 4.0], [10.0, 3.3], [90.0, 4.0], [10.0, 4.0]])
    watch = disturbance.Watch(lambda: next(speeds), 10)
    assert watch.looks == 0 and watch.best() == [10.0, 4.0]
    assert [watch.calm() for _ in range(5)] == [False, True, False, True, True]  # one lucky look does not decide
    assert watch.facts() == {"looks": 5, "slow_looks": 2, "least": disturbance.LEAST, "best_speeds": [10.0, 4.0]}
    slow = disturbance.Watch(iter([[2.0]] * 5 + [[1.0]]).__next__, 5)
    assert not slow.wait(0)


def watched(slow):
    """A watch whose looks are slow where slow(number of the look)."""
    count = itertools.count()
    return disturbance.Watch(lambda: [1.0 if slow(next(count)) else 2.0], 0)


def test_disturbance():
    def look_of(number):
        return number in (7, 8)

    timed, rounds = timing.alternate([Fake("a", 1e-3), Fake("b", 1e-3)], 0.3, 1, watched(look_of))
    assert rounds.dropped == 1 and not rounds.soft and rounds.count == rounds.done >= timing.ROUNDS_LEAST
    assert {len(t.samples) for t in timed.values()} == {rounds.count} and not any(t.rough for t in timed.values())
    timed, rounds = timing.alternate([Fake("a", 1e-3), Fake("b", 1e-3)], 0.1, 1, watched(lambda number: number > 5))
    assert rounds.soft and rounds.dropped > 0 and rounds.count < timing.ROUNDS_LEAST
    assert {len(t.samples) for t in timed.values()} == {rounds.done}  # then all of them count, for everyone
    visits = []
    timed, rounds = timing.in_turn(["a"], lambda name: visits.append(name) or Lasting(name), 0.1, watched(look_of))
    assert len(visits) == rounds.done and timed["a"].samples


def slower(layer, ratio):
    """The row of a layer whose best peer takes `ratio` of our time."""
    return {**layer, "best_ratio": ratio, "ratios": {**layer["ratios"], "onednn": ratio}}


def test_gradients():
    gradients.test_traffic(row())
    gradients.test_modules()
    gradients.test_differences()
    gradients.test_accuracy(SHAPES)
    gradients.test_peers(SHAPES)


def test_report():
    layer = measure.rounded({**measure.summary(layers.Layer(row()), records(), ROOF), "strangers": 0.5, "took_s": 1.0})
    layer |= {"id": "s1.k3", "dropped": 7, "accuracy": {"ctconv": [2.0, 1.0], "torch": [1.0, 1.0]}}
    run = {
        "which": "full",
        "layout": "first",
        "threads": 2,
        "date": "2026-01-02 03:04 UTC",
        "complete": True,
        "revision": "abc",
        "load_before": 0.1,
        "budget_s": 1.0,
        "roof": ROOF,
        "machine": {
            "cpu": "X",
            "cores": 2,
            "architecture": "a",
            "vectors": [],
            "caches": {},
            "memory_gib": 1.0,
            "system": "s",
            "huge_pages": "m",
        },
        "versions": {"ctconv": "0.1.0"},
        "skipped": {"ort": "absent"},
        "layers": [layer],
    }
    gradients.test_page(run, layer)
    with tempfile.TemporaryDirectory() as folder:
        results = pathlib.Path(folder)
        for file, changed in (
            ("a", {}),
            ("b", {"which": "quick", "date": "2026-01-03 00:00 UTC"}),
            ("c", {"complete": False}),
            ("d-part", {"threads": 1}),
            ("e", {"date": "2026-01-01 00:00 UTC", "layers": [slower(layer, 0.9)]}),
            ("f", {"date": "2025-01-01 00:00 UTC", "revision": "old", "layers": [slower(layer, 0.5)]}),
            ("g", {"dtype": "bf16", "layers": [slower(layer, 0.8)]}),
            ("h", {"dtype": "bf16", "date": "2026-01-03 00:00 UTC", "layers": [slower(layer, 0.9)]}),
            ("j", {"which": "again", "layers": [slower(layer, 0.7)]}),
            ("k", {"which": "again", "revision": "old", "layers": [slower(layer, 0.2)]}),
            ("i", {"machine": {**run["machine"], "cpu": "Y(R) CPU", "vectors": ["amx_tile"]}, "disturbance": {}}),
        ):
            (results / f"{file}.json").write_text(json.dumps({**run, **changed}))
        every = runs.load(results)
        assert [s.name for s in every] == [
            "X, channels-first, 2 threads",
            "X, channels-first, bf16, 2 threads",
            "Y (AMX), channels-first, 2 threads",
        ]
        two, half, other = every
        assert [len(s.now) for s in every] == [2, 2, 1] and [len(s.older) for s in every] == [2, 0, 0]
        assert not two.behind() and [i for i, _ in two.doubtful()] == ["s1.k3"]  # one of two runs says so
        assert two.found() == {"s1.k3": [layer["best_ratio"], 0.9, 0.7]} and len(two.again) == 1
        assert half.behind() == [("s1.k3", [0.9, 0.8])] and runs.worst_of(half.found()) == (0.9, "s1.k3")
        assert abs(runs.mean_of(half.found()) - 0.72**0.5) < 1e-9 and other.soft() == ["s1.k3"]
        text = "\n".join(report.front(every) + report.machine_page([two], None, None))
        docs = results / "docs"
        sys.argv[1:] = ["--results", folder, "--docs", str(docs), "--no-plots"]
        report.main()
        assert {p.name for p in docs.glob("*.md")} == {
            "performance.md",
            "performance-x-2c.md",
            "performance-y-amx-2c.md",
        }
    for expected in (
        "| X | f32 | first | 2 | 2026-01-02 | 2 and again | 1 | 0 | 1 | 1 |",
        "- **X, channels-first, bf16, 2 threads**: s1.k3 0.90 / 0.80 (oneDNN, soft).",
        "| bf16 over the best peer | X, channels-first, bf16, 2 threads | 2.0, worst 1.0 | 0.85",
        "| f32 over the best peer | Y (AMX), channels-first, 2 threads | 2.5, worst 1.0 | 1.50",
        "| reproducible = 1 | X, channels-first, 2 threads | 1.6, median 85% of the roofline | 1.",
        "X, channels-first, 2 threads | at most 1.5 | median 2.00, 1 of 1 above, s1.k3 2.00 | **no** |",
        "ort (absent)",
        "| 3.00 | - | 1.50 | 1.50 |",
        "OpenVINO: no: s1.k3",
    ):
        assert expected in text, (expected, text)


if __name__ == "__main__":
    for test in [f for n, f in sorted(globals().items()) if n.startswith("test_")]:
        test()
    print("bench: the harness holds")
