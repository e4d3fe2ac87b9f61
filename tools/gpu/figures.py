# SPDX-License-Identifier: Apache-2.0
"""Numbers of a comparison with PyTorch: floors, ratios, means. No number is made here.

in:  layers of bench/layers.json, reports of compare_torch.py;   out: Row per configuration, with times in us
floor = max(bytes / copy bandwidth, useful flop / matrix-product peak), all three measured in the same run; bytes: x, w,
bias, y moved once. ratio = torch's time / ours, above 1 we are faster;
share = (floor + one launch in a graph) / our graph time.
"""

import math
import re

SIZES = {"f32": 4, "tf32": 4, "f16": 2, "bf16": 2}
TYPES, ORDERS = ("f32", "tf32", "f16", "bf16"), ("first", "last")
NAMES = {
    "f32": "f32 strict",
    "tf32": "f32, TF32",
    "f16": "f16",
    "bf16": "bf16",
    "first": "channels-first",
    "last": "channels-last",
}


def work(layer):
    """Useful flop and elements moved."""
    pairs, out, into, taps = 1, 1, 1, 1
    axes = zip(*(layer[name] for name in ("in", "k", "s", "d", "p_begin", "p_end", "op")))
    for i, k, s, d, lo, end, op in axes:
        o = (i - 1) * s + d * (k - 1) + 1 - lo - end + op
        pairs *= sum(1 for t in range(k) for x in range(i) if 0 <= x * s + t * d - lo < o) if i * k <= 200000 else i * k
        out, into, taps = out * o, into * i, taps * k
    weight = layer["cin"] * layer["cout"] // layer["g"] * taps
    elements = (
        layer["n"] * (layer["cin"] * into + layer["cout"] * out) + weight + (layer["cout"] if layer["bias"] else 0)
    )
    return 2.0 * pairs * layer["n"] * layer["cin"] * layer["cout"] / layer["g"], elements


def mean(values):
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


class Row:
    """One configuration: raw is compare_torch's row."""

    def __init__(self, raw, layer, report):
        self.raw, self.layer, self.type, self.order = raw, raw["layer"], raw["type"], raw["order"]
        flop, elements = work(layer)
        peak, copy = report.get("peaks", {}).get(self.type), report.get("copy_bytes_per_second")
        memory = 1e6 * elements * SIZES[self.type] / copy if copy else 0
        compute = 1e6 * flop / peak if peak else 0
        self.floor, self.memory_bound = max(memory, compute), memory >= compute
        self.launch = report.get("graph_launch_us") or 0

    def time(self, who, how):
        return self.raw.get(who, {}).get(how)

    def ratio(self, who, how):
        theirs, ours = self.time("torch", how), self.time(who, how)
        return theirs / ours if theirs and ours else None

    def share(self, who="measured"):
        graph = self.time(who, "graph")
        return (self.floor + self.launch) / graph if graph and self.floor else None

    def kernel(self, who):
        form = self.raw.get(who + "_form", "")
        engine = re.search(r"engine (\w+)", form) if form.startswith("cuDNN") else None
        return f"cuDNN engine {engine[1]}" if engine else form.split(",")[0].split(":")[0]


def rows_of(reports, layers):
    """The rows of all reports; a later report's row takes the place of an earlier one's."""
    by, found = {layer["id"]: layer for layer in layers}, {}
    for report in reports:
        for raw in report["rows"]:
            if raw["layer"] in by and not ("died" in raw and (raw["layer"], raw["type"], raw["order"]) in found):
                found[raw["layer"], raw["type"], raw["order"]] = Row(raw, by[raw["layer"]], report)
    place = {layer["id"]: at for at, layer in enumerate(layers)}
    return sorted(found.values(), key=lambda r: (TYPES.index(r.type), ORDERS.index(r.order), place[r.layer]))


def groups(rows):
    """((type, order), its rows), those that have some."""
    every = [((t, o), [r for r in rows if (r.type, r.order) == (t, o)]) for t in TYPES for o in ORDERS]
    return [(key, some) for key, some in every if some]
