# SPDX-License-Identifier: Apache-2.0
"""Constants of the choice by estimate, fitted to a run's measured times:
cuDNN's engines, and a scale for each kernel of ours.

   fit_choice.py bench.json [more.json ...] [--layers bench/layers.json] [--bytes-per-second B]
                 [--f32 F] [--tf32 F] [--f16 F]

in:  bench.json of tests/cuda/gpu (a later file's row replaces an earlier one's), what the device reached
out: lines for cuda/cudnn_cost.cpp and cuda/own_cost.cpp, and how much slower than the best candidate `auto` is: as it
     ran, and by these constants with each layer left out of the fit that judges it
An engine's time, in seconds (cudnn_cost.h):
     after + fixed + converts * (workspace > 4 KiB) + memory * (bytes + 2 * workspace) / B + share * work / peak
     + step * steps, work = 2 * y * ci * taps, channels padded to the engine's tile, over min(phases, product of
     strides); steps = ci * taps over the same.
A kernel's: fixed + scale * its own estimate. Fits are least squares of relative errors over coefficients that are not
negative. A run's rows of a kernel that was rewritten since say nothing about it:
leave that run out, or let a later file replace them.
"""

import argparse
import json
import math
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONVERTED = 4096  # bytes of workspace that are more than counters
# Engines fitted as one: the same kernels for other element types, or too few rows for a fit of their own.
FAMILIES = {
    "generic": (0,),
    "simt-1": (1,),
    "simt-2": (2,),
    "simt": (74,),
    "tensor-plain": (22, 28),
    "tensor-any": (40, 46, 71),
    "tensor-2": (56, 57, 58, 59, 60),
    "tensor-3": (64, 65),
    "tensor": (73, 76),
}
DEFAULTS = {False: "simt", True: "tensor"}  # of engines no run has met, by tensor cores
# Measured where cuDNN's heuristics put the engine last and a run tried it all the same:
# seconds by the square of a sample's positions, by group.
EXTRA = {2: (6e-11, 9e-6)}
PHASES, PAD_CO, PAD_CI = (1, 2, 4, 8, 1 << 20), (1, 16, 32, 64, 128), (1, 16, 32)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--layers", default=ROOT / "bench/layers.json")
    parser.add_argument("--bytes-per-second", type=float, default=4.2e12)
    parser.add_argument("--f32", type=float, default=52e12)
    parser.add_argument("--tf32", type=float, default=410e12)
    parser.add_argument("--f16", type=float, default=750e12)
    parser.add_argument("--quick", action="store_true", help="keep the paddings and phases of the first try: no search")
    return parser.parse_args()


def number(pattern, text, otherwise=0.0):
    found = re.search(pattern, text)
    return float(found.group(1)) if found else otherwise


class Row:
    """One plan: what its estimate knows, and its measured seconds."""

    def __init__(self, r, layer, device):
        self.layer, self.order, self.choice = r["layer"], r["order"], r["choice"]
        self.type = "tf32" if r.get("tf32") else r["dtype"]
        self.seconds = 1e-6 * (r.get("graph_us") or r["stream_us"])
        plan = r["plan"]
        self.kernel = re.match(r"kernel: (\S+)", plan).group(1)
        # before the correction of the build that ran; a build without corrections wrote only the other key
        self.estimated = 1e-6 * number(
            r"kernels_own_estimate_us: ([\d.e+-]+)", plan, number(r"estimated_us: ([\d.e+-]+)", plan)
        )
        self.engine, self.workspace = int(number(r"engine (\d+)", plan, -1)), number(r"workspace (\d+)", plan)
        self.tensor = "tensor cores" in plan
        size = 2 if r["dtype"] in ("f16", "bf16") else 8 if r["dtype"] == "f64" else 4
        axes = zip(layer["in"], layer["s"], layer["d"], layer["k"], layer["p_begin"], layer["p_end"], layer["op"])
        y_points = layer["n"] * math.prod((i - 1) * s + d * (k - 1) + 1 - a - b + o for i, s, d, k, a, b, o in axes)
        self.groups, self.ci, self.co = layer["g"], layer["cin"] // layer["g"], layer["cout"] // layer["g"]
        self.taps, self.strides = math.prod(layer["k"]), math.prod(layer["s"])
        self.points, y = y_points, y_points * layer["cout"] * size
        self.bytes = y + size * (
            layer["n"] * layer["cin"] * math.prod(layer["in"]) + layer["cin"] * self.co * self.taps
        )
        self.bandwidth = device.bytes_per_second
        self.peak = device.f32 if not self.tensor else getattr(device, "tf32" if r["dtype"] == "f32" else "f16")
        square, group = EXTRA.get(self.engine, (0.0, 0.0))
        self.after = square * math.prod(layer["in"]) ** 2 + group * (self.groups - 1)
        self.after += 2e-6 + 2 * y / (0.7 * self.bandwidth) if "second pass" in plan else 0.0

    def features(self, phases, pad_co, pad_ci):
        """Of an engine: fixed, converts, bytes, work, steps."""

        def padded(v, to):
            return -(-v // to) * to

        cut = min(phases, self.strides)
        work = 2.0 * self.points * self.groups * padded(self.co, pad_co) * padded(self.ci, pad_ci) * self.taps / cut
        converts = 1.0 if self.workspace > CONVERTED else 0.0
        return (
            1.0,
            converts,
            (self.bytes + 2 * self.workspace) / self.bandwidth,
            work / self.peak,
            self.ci * self.taps / cut,
        )


def fit(rows):
    """[(features, fixed part, seconds)] -> coefficients, none negative:
    relative errors, reweighted so that both signs count alike."""
    n = len(rows[0][0])
    scale = [max(sum(f[j] for f, _, _ in rows) / len(rows), 1e-30) for j in range(n)]
    c = [0.0] * n
    weights = [1.0 / t**2 for _, _, t in rows]
    for _ in range(12):
        a = [[0.0] * n for _ in range(n)]
        b = [0.0] * n
        for (f, fixed, t), w in zip(rows, weights):
            g = [f[j] / scale[j] for j in range(n)]
            for j in range(n):
                b[j] += w * g[j] * (t - min(fixed, 0.9 * t))
                for k in range(n):
                    a[j][k] += w * g[j] * g[k]
        for _ in range(200):  # coordinate descent
            for j in range(n):
                if a[j][j] > 0:
                    c[j] = max(0.0, c[j] + (b[j] - sum(a[j][k] * c[k] for k in range(n))) / a[j][j])
        weights = [
            1.0 / (t * max(fixed + sum(x * y / s for x, y, s in zip(c, f, scale)), 0.05 * t)) for f, fixed, t in rows
        ]
    return [x / s if x > 1e-9 else 0.0 for x, s in zip(c, scale)]


def told(c, row):
    f, fixed, _ = row
    return max(fixed + sum(x * y for x, y in zip(c, f)), 1e-7)


def spread(pairs):
    """Root mean square of the logarithm of told / measured, as a factor."""
    return math.exp(math.sqrt(sum(math.log(a / b) ** 2 for a, b in pairs) / max(1, len(pairs))))


def mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def folds(rows, count):
    names = sorted({r.layer for r in rows})
    place = {name: i % count for i, name in enumerate(names)}
    return [
        ([r for r in rows if place[r.layer] != i], [r for r in rows if place[r.layer] == i])
        for i in range(min(count, len(names)))
    ]


class Family:
    """An engine family's form (phases, paddings) and coefficients."""

    def __init__(self, name, rows, quick):
        self.name, self.rows = name, rows
        forms = [(p, co, ci) for p in PHASES for co in PAD_CO for ci in PAD_CI]
        self.form = forms[-1] if quick else min(forms, key=self.error)
        self.c = self.fitted(self.form, rows)

    def problem(self, form, rows):
        return [(r.features(*form), r.after, r.seconds) for r in rows]

    def fitted(self, form, rows):
        return fit(self.problem(form, rows))

    def error(self, form):
        pairs = []
        for learn, judge in folds(self.rows, 4):
            if learn and judge:
                c = self.fitted(form, learn)
                pairs += [(told(c, p), p[2]) for p in self.problem(form, judge)]
        return spread(pairs)

    def line(self):
        p, co, ci = self.form
        fixed, converts, memory, share, step = self.c
        extra = "".join(f", {v:.3g}" for e in FAMILIES[self.name] for v in EXTRA.get(e, ()))
        engines = ", ".join(str(e) for e in (FAMILIES[self.name] + (-1,) * 6)[:6])
        return (
            f'    {{{{{engines}}}, {1e6 * fixed:.3g}e-6, {1e6 * converts:.3g}e-6, {memory:.3g}, {share:.3g}, '
            f'{1e9 * step:.3g}e-9, '
            f'{p}, {co}, {ci}{extra}}},'
        )


def own_problem(rows):
    return [((1.0, r.estimated), 0.0, r.seconds) for r in rows]


class Estimates:
    """All rows' constants from `rows`; forms are given, so that leaving layers out costs little."""

    def __init__(self, rows, forms):
        self.forms = forms
        self.engines, self.kernels = {}, {}
        for name, form in forms.items():
            some = [r for r in rows if r.engine in FAMILIES[name]]
            if some:
                self.engines[name] = fit([(r.features(*form), r.after, r.seconds) for r in some])
        for kernel in {r.kernel for r in rows} - {"cudnn"}:
            self.kernels[kernel] = fit(own_problem([r for r in rows if r.kernel == kernel]))

    def seconds(self, r):
        if r.kernel == "cudnn":
            name = family_of(r)
            return (
                told(self.engines[name], (r.features(*self.forms[name]), r.after, 0))
                if name in self.engines
                else r.estimated
            )
        return told(self.kernels[r.kernel], own_problem([r])[0]) if r.kernel in self.kernels else r.estimated


def family_of(r):
    return next((name for name, engines in FAMILIES.items() if r.engine in engines), DEFAULTS[r.tensor])


def judge(rows, forms):
    """Per type and order: auto / best as it ran, and as these constants would choose,
    each layer judged by the others' fit."""
    contests = {}
    for r in rows:
        contests.setdefault((r.layer, r.type, r.order), {})[r.choice] = r
    left_out = {}
    for learn, held in folds([r for r in rows if r.choice != "auto"], 10):
        made = Estimates(learn, forms)
        left_out.update({name: made for name in {r.layer for r in held}})
    before, after, worst = {}, {}, []
    for (layer, kind, order), found in contests.items():
        named = [r for c, r in found.items() if c not in ("auto", "measured")]
        if "auto" not in found or not named:
            continue
        best = min(named, key=lambda r: r.seconds)
        taken = min(named, key=left_out[layer].seconds)
        before.setdefault((kind, order), []).append(max(1.0, found["auto"].seconds / best.seconds))
        after.setdefault((kind, order), []).append(taken.seconds / best.seconds)
        worst.append(
            (taken.seconds / best.seconds, layer, kind, order, taken.kernel, taken.engine, best.kernel, best.engine)
        )
    for key in before:
        print(
            f"// {key[0]} {key[1]}: {len(before[key])} layers, auto / best {mean(before[key]):.3f} (worst "
            f"{max(before[key]):.1f}) as it ran, "
            f"{mean(after[key]):.3f} (worst {max(after[key]):.1f}) by these constants, layers left out"
        )
    for ratio, *what in sorted(worst, reverse=True)[:8]:
        print(f"//   {ratio:.2f}", *what)


def main():
    a = arguments()
    layers = {layer["id"]: layer for layer in json.loads(pathlib.Path(a.layers).read_text())}
    newest = {}
    for path in a.runs:
        for r in json.loads(pathlib.Path(path).read_text())["bench"]:
            if r["layer"] in layers and (r.get("graph_us") or r.get("stream_us")):
                newest[r["layer"], r["dtype"], bool(r.get("tf32")), r["order"], r["choice"]] = r
    rows = [Row(r, layers[r["layer"]], a) for r in newest.values()]
    named = [r for r in rows if r.choice not in ("auto", "measured")]
    print("// cuda/cudnn_cost.cpp: engines, fixed, converts, memory, work, step, phases, co, ci")
    forms = {}
    for name, engines in FAMILIES.items():
        some = [r for r in named if r.engine in engines]
        if len({r.layer for r in some}) < 2:
            continue
        family = Family(name, some, a.quick)
        forms[name] = family.form
        print(family.line(), f" // {name}: {len(some)} rows, off by x{family.error(family.form):.2f}")
    print("// cuda/own_cost.cpp: kernel, fixed, scale")
    for kernel in sorted({r.kernel for r in named} - {"cudnn"}):
        problem = own_problem([r for r in named if r.kernel == kernel])
        c = fit(problem)
        print(
            f'    {{"{kernel}", {1e6 * c[0]:.3g}e-6, {c[1]:.3g}}},  // {len(problem)} rows, '
            f'off by x{spread([(told(c, p), p[2]) for p in problem]):.2f}'
        )
    judge(rows, forms)


if __name__ == "__main__":
    main()
