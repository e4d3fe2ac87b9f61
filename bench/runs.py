# SPDX-License-Identifier: Apache-2.0
"""The results of bench/run, put together.

In:  bench/results/*.json, of any machines, passes, layouts, types, numbers of threads, days.
Out: Series: everything of one machine, pass, layout, type and number of threads. `now`: its newest run and, where the
     one before is of the same revision, that too; `older`: the rest. A full run counts before a quick one. `again`:
     runs of the same revision over those layers alone that were behind (bench/run again).
A layer is behind where the best peer was faster in every run that has it; `doubtful` where one of two runs says so.
Its ratio is the geometric mean over the runs of `now`; the worst of a series is sought among each layer's best.
Left out: incomplete runs, and parts of runs (-part.json). A run that was ended early on purpose counts, with the
layers it has: its file says `stopped`, and why.
"""

import functools
import json
import math
import re

PEERS = {
    "torch": "PyTorch",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "onednn": "oneDNN",
    "onednn.e2e": "oneDNN e2e",
    "jax": "JAX",
    "litert": "LiteRT",
    "ncnn": "ncnn",
    "mnn": "MNN",
}
TYPES = ("f32", "bf16", "f16")
PASSES = {"fwd": "", "dgrad": "dx, ", "wgrad": "dw and db, "}
STRANGERS = 0.05  # of the machine: more makes a layer of an old run soft, which knows no probes


def geometric(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def middle(values):
    return sorted(values)[len(values) // 2]


def dtype_of(run):
    return run.get("dtype", "f32")


def pass_of(run):
    return run.get("pass", "fwd")


def is_soft(row):
    return row.get("soft", (row["strangers"] or 0) > STRANGERS)


def has_amx(box):
    return any(v.startswith("amx") for v in box["vectors"])


def revision_of(run):
    return run["revision"].rstrip("+")


def short(box):
    """A machine's name in a table."""
    plain = re.sub(r"\(.*?\)|\bCPU\b|\bProcessor\b|@.*", "", box["cpu"])
    return " ".join(plain.split()) + (" (AMX)" if has_amx(box) else "")


def slug(box):
    """A machine's name in a file's."""
    return re.sub(r"[^a-z0-9]+", "-", short(box).lower()).strip("-") + f"-{box['cores']}c"


def threads_of(count):
    return f"{count} thread{'s' if count > 1 else ''}"


def extent(run):
    """How much of the layers a run has, in a table."""
    return f"{len(run['layers'])} ({run['which']}{', ended early' if run.get('stopped') else ''})"


def name(run):
    dtype = "" if dtype_of(run) == "f32" else f", {dtype_of(run)}"
    return f"{PASSES[pass_of(run)]}channels-{run['layout']}{dtype}, {threads_of(run['threads'])}"


def ratios_of(run, peer=None):
    """[(ratio, layer id)], worst first; peer None: the best peer of each layer."""
    pairs = [(r["best_ratio"] if peer is None else r["ratios"].get(peer), r["id"]) for r in run["layers"]]
    return sorted(p for p in pairs if p[0])


class Series:
    """runs: of one key, oldest first."""

    def __init__(self, runs):
        newest, *before = [r for r in runs[::-1] if r["which"] != "again"]
        same = before and revision_of(before[0]) == revision_of(newest)
        same = same and before[0]["which"] == newest["which"]
        self.now = [newest, before[0]] if same else [newest]
        self.older = (before[1:] if same else before)[::-1]
        self.again = [r for r in runs if r["which"] == "again" and revision_of(r) == revision_of(newest)]
        self.run, self.box = newest, newest["machine"]
        self.layout, self.threads, self.dtype = newest["layout"], newest["threads"], dtype_of(newest)
        self.amx, self.which_pass = has_amx(self.box), pass_of(newest)

    @property
    def name(self):
        return f"{short(self.box)}, {name(self.run)}"

    @property
    def all_threads(self):
        return self.threads == self.box["cores"]

    @functools.cached_property
    def rows(self):
        """{layer id: its row of every run of `now`, newest first, then of `again`}, in the order of the newest."""
        others = [{r["id"]: r for r in run["layers"]} for run in [*self.now[1:], *self.again]]
        return {r["id"]: [r, *(o[r["id"]] for o in others if r["id"] in o)] for r in self.run["layers"]}

    def found(self, ratio=lambda row: row["best_ratio"]):
        """{layer id: its ratio in every run}; only layers that have it in all."""
        each = {i: [ratio(row) for row in rows] for i, rows in self.rows.items()}
        return {i: values for i, values in each.items() if all(values)}

    def behind(self):
        """[(layer id, its ratios)], worst first."""
        return sorted(((i, v) for i, v in self.found().items() if max(v) < 1), key=lambda pair: max(pair[1]))

    def doubtful(self):
        return [(i, v) for i, v in self.found().items() if min(v) < 1 <= max(v)]

    def soft(self):
        return [i for i, rows in self.rows.items() if any(map(is_soft, rows))]

    def at_roofline(self):
        """Geometric mean of the ratios that an implementation exactly at the roofline would have."""
        rows = [r for r in self.run["layers"] if r["best_ratio"]]
        return geometric([r["contenders"][r["best_peer"]]["ms"] / r["floor_ms"] for r in rows])


def mean_of(found):
    """Of the runs that have every layer: measuring again what was slow would flatter."""
    every = min(map(len, found.values()))
    return geometric([geometric(v[:every]) for v in found.values()])


def worst_of(found):
    """(ratio, layer id): the lowest of what the kindest run of each layer says."""
    return min((max(v), i) for i, v in found.items())


def load(folder):
    """The series, by machine (oldest first), pass, type, layout and threads (most first)."""
    files = [json.loads(p.read_text()) for p in sorted(folder.glob("*.json")) if not re.search(r"-part$", p.stem)]
    files = sorted((r for r in files if r["complete"] or r.get("stopped")), key=lambda r: r["date"])
    if not files:
        raise SystemExit(f"report: no complete run in {folder}; start bench/run")
    by, machines = {}, {}
    for run in files:
        box = slug(run["machine"])
        machines.setdefault(box, len(machines))
        kind = (list(PASSES).index(pass_of(run)), TYPES.index(dtype_of(run)))
        by.setdefault((machines[box], *kind, run["layout"], -run["threads"]), []).append(run)
    return [Series(sorted(by[key], key=lambda r: (r["which"] == "full", r["date"]))) for key in sorted(by)]
