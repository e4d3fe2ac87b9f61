#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/performance-gpu.md, its dated JSON and its pictures from what tools/gpu/run.sh measured. No number is made here.

in:  --results folder with torch.json (and torch-*.json of further runs, later names win), and what there is of
     check.json, python_path.json, bench.json;   --layers bench/layers.json --docs docs [--date YYYY-MM-DD]
out: the page, performance-gpu-DATE.json (below 300 kB), performance-gpu-kernels-DATE.json (of bench.json),
     img/gpu-*.png;
refuses: writes nothing where no torch.json has rows
figures.py says what floor, ratio and share are.
"""

import argparse
import datetime
import glob
import json
import os
import statistics
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import figures  # noqa: E402
import gpu_plots  # noqa: E402
from whole_file import whole  # noqa: E402
from wrap_markdown import wrapped  # noqa: E402

GEOMEAN, MEMORY, CALL_US = 1.3, 1.5, 5.0  # the targets
WORST = 12


def read(path):
    try:
        with open(path, encoding="utf-8") as f:
            return json.load(f)
    except FileNotFoundError:
        return None


def number(value, digits=2):
    return "-" if value is None else f"{value:.{digits}f}"


def name_of(row):
    return f"{row.layer} {row.type} {row.order}"


def head(report, date, checks):
    text = [
        "# Performance on a GPU",
        "",
        f"Written by tools/gpu/table.py on {date}: {report.get('device')}, PyTorch {report.get('torch')}, "
        f"cuDNN {report.get('cudnn')} (shared by both).",
        f"Measured ceilings: copy {1e-9 * report.get('copy_bytes_per_second', 0):.0f} GB/s (read + write)"
        + "".join(f", {kind} product {1e-12 * v:.0f} TFLOP/s" for kind, v in report.get("peaks", {}).items())
        + f", one small kernel {number(report.get('launch_us'))} us in a stream, "
        + f"{number(report.get('graph_launch_us'))} us in a graph.",
        "",
        "PyTorch is eager `conv_transposeNd` with bias under no_grad, cudnn.benchmark "
        + ("on" if report.get("benchmark") else "off")
        + ", the same TF32 setting. auto: our choice by estimate; measured: tuning = measure. "
        + "Both take turns in one process, on one stream,",
        "same order of axes in and out; buffers rotate over more than 4 x L2. stream: launched call by call, "
        "ours from a loop in "
        + f"{report.get('loop')}, torch's from Python; graph: CUDA-graph replay. ratio = torch / ours, "
        + "above 1 we are faster.",
        "",
    ]
    return text + checks


def correctness(rows, check, python):
    lines = []
    if check:
        lines.append(
            f"Correctness against f64: {check.get('checks', 0)} checks, {len(check.get('failed', []))} failed."
        )
    if python:
        lines.append(
            f"Python path: {len(python['checks'])} checks, {len(python['failed'])} failed"
            + "".join(f"; {n}" for n in python["failed"])
            + "."
        )
    wrong = [name_of(r) for r in rows if "wrong" in r.raw]
    lines.append(
        f"Ours against torch's y in every row of this page: {len(wrong)} beyond the bound"
        + "".join(f"; {n}" for n in wrong[:WORST])
        + "."
    )
    failed = [
        f"{name_of(r)} ({r.raw.get('died') or r.raw.get('auto_error') or r.raw.get('torch_error')})"
        for r in rows
        if any(k in r.raw for k in ("died", "auto_error", "torch_error"))
    ]
    if failed:
        lines += ["", f"Rows without a time on one side: {len(failed)}", *(f"- {text}" for text in failed[:40])]
    return [*lines, ""]


def means(rows):
    lines = [
        "## Means",
        "",
        f"Targets: geometric mean at least {GEOMEAN} in every line, no layer below 1.0.",
        "",
        "| type | order | layers | stream, auto | stream, measured | graph, auto | graph, measured | below 1.0: "
        "stream (measured) | graph (auto) | graph (measured) |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for (kind, order), some in figures.groups(rows):
        values = {
            (who, how): [v for v in (r.ratio(who, how) for r in some) if v]
            for who in ("auto", "measured")
            for how in ("stream", "graph")
        }
        cells = [number(figures.mean(values[who, how])) for how in ("stream", "graph") for who in ("auto", "measured")]
        below = [
            str(sum(v < 1 for v in values[key]))
            for key in (("measured", "stream"), ("auto", "graph"), ("measured", "graph"))
        ]
        lines.append(
            f"| {figures.NAMES[kind]} | {figures.NAMES[order]} | {len(some)} | " + " | ".join(cells + below) + " |"
        )
    return [*lines, ""]


def worst(rows):
    lines = ["## Slower than PyTorch", ""]
    for how in ("graph", "stream"):
        slow = sorted((r for r in rows if (r.ratio("measured", how) or 1) < 1), key=lambda r: r.ratio("measured", how))
        lines.append(
            f"{how}, measured: {len(slow)} of {sum(r.ratio('measured', how) is not None for r in rows)} rows"
            + (f"; the {min(WORST * 2, len(slow))} worst:" if slow else ".")
        )
        lines += [
            f"- {name_of(r)}: {number(r.ratio('measured', how))} ({number(r.time('measured', how))} us, "
            f"torch {number(r.time('torch', how))} us; "
            f"{r.kernel('measured')})"
            for r in slow[: WORST * 2]
        ]
        lines.append("")
    return lines


def floors(rows):
    bound = [r for r in rows if r.memory_bound and r.share()]
    far = sorted((r for r in bound if r.share() < 1 / MEMORY), key=lambda r: r.share())
    lines = [
        "## Floors",
        "",
        f"Target: memory-bound layers within {MEMORY} x (floor + one launch). Graph, measured: "
        f"{len(bound) - len(far)} of {len(bound)} rows hold it.",
        *([f"Farthest of the {len(far)} others:"] if far else []),
    ]
    lines += [
        f"- {name_of(r)}: {number(1 / r.share())} x ({number(r.time('measured', 'graph'))} us, "
        f"floor {number(r.floor)} us; {r.kernel('measured')})"
        for r in far[: WORST * 2]
    ]
    return [*lines, ""]


def overhead(rows, report):
    ours = [r.time("auto", "host") for r in rows if r.time("auto", "host")]
    theirs = [r.time("torch", "host") for r in rows if r.time("torch", "host")]
    lines = ["## What a call costs the host", ""]
    if ours and theirs:
        lines.append(
            f"Median over all rows: ours {number(statistics.median(ours))} us, "
            f"torch {number(statistics.median(theirs))} us until the launch returned. "
            f"Target: at most {CALL_US:g} us. Above it: {sum(v > CALL_US for v in ours)} of {len(ours)} rows (a full "
            "queue of launches counts as well)."
        )
    from_python = [r for r in report.get("python", []) if r.get("ours_us")]
    if from_python:
        lines += [
            "",
            "From Python, `module(x)` on CUDA tensors:",
            "",
            "| layer | type | order | torch.nn, us | ctconv.torch, us |",
            "|---|---|---|---:|---:|",
        ]
        lines += [
            f"| {r['layer']} | {r['type']} | {r['order']} | {number(r['torch_us'], 1)} | {number(r['ours_us'], 1)} |"
            for r in from_python
        ]
    return [*lines, ""]


def layers_table(rows):
    """One line a layer: our graph time and the ratio for each type and order."""
    keys = [key for key, _ in figures.groups(rows)]
    by = {(r.layer, r.type, r.order): r for r in rows}
    lines = [
        "## Layers",
        "",
        "Graph replay, ours measured, in us, and in brackets the ratio.",
        "",
        "| layer | " + " | ".join(f"{t} {o}" for t, o in keys) + " |",
        "|---|" + "---:|" * len(keys),
    ]
    for layer in dict.fromkeys(r.layer for r in rows):
        cells = []
        for key in keys:
            row = by.get((layer, *key))
            time = row and row.time("measured", "graph")
            cells.append(f"{number(time)} ({number(row.ratio('measured', 'graph'))})" if time else "-")
        lines.append(f"| {layer} | " + " | ".join(cells) + " |")
    return [*lines, ""]


COLUMNS = [
    "layer",
    "type",
    "order",
    "sets",
    "floor_us",
    *(f"{who}_{how}" for who in ("torch", "auto", "measured") for how in ("stream", "graph", "host")),
    "auto_kernel",
    "measured_kernel",
    "auto_diff",
    "measured_diff",
    "torch_first_ms",
    "auto_first_ms",
    "measured_first_ms",
]


def short(value):
    return float(f"{value:.4g}") if isinstance(value, float) else value


def compact(row):
    own = {"layer": row.layer, "type": row.type, "order": row.order, "sets": row.raw.get("sets"), "floor_us": row.floor}
    for who in ("torch", "auto", "measured"):
        own.update({f"{who}_{how}": row.time(who, how) for how in ("stream", "graph", "host")})
    own.update({f"{who}_kernel": row.kernel(who) for who in ("auto", "measured")})
    return [short(own.get(name, row.raw.get(name))) for name in COLUMNS]


def main():
    parser = argparse.ArgumentParser()
    for name in ("results", "layers", "docs"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--date", default=datetime.date.today().isoformat())
    a = parser.parse_args()
    paths = [
        *glob.glob(os.path.join(a.results, "torch.json")),
        *sorted(glob.glob(os.path.join(a.results, "torch-*.json"))),
    ]
    reports = [r for r in map(read, paths) if r and r.get("rows")]
    check, bench, python = (read(os.path.join(a.results, n + ".json")) for n in ("check", "bench", "python_path"))
    if not reports:
        print("no torch.json with rows: nothing to tabulate")
        return 1
    report, layers = max(reports, key=lambda r: len(r["rows"])), read(a.layers)
    rows = figures.rows_of(reports, layers)
    pictures = gpu_plots.draw(rows, f"{report.get('device')}, {a.date}", os.path.join(a.docs, "img"))
    text = head(report, a.date, correctness(rows, check, python)) + means(rows)
    text += [f"![{name}](img/{name})" for name in pictures] + [""] if pictures else []
    text += worst(rows) + floors(rows) + overhead(rows, report) + layers_table(rows)
    missing = {n for r in reports for n in r.get("not_reached", [])} - {name_of(r) for r in rows}
    if missing:
        text += [f"Not reached within the time given: {len(missing)} configurations; their cells are empty.", ""]
    with whole(os.path.join(a.docs, "performance-gpu.md")) as f:
        f.write(wrapped("\n".join(text).rstrip("\n") + "\n"))
    kept = {k: v for k, v in report.items() if k not in ("rows", "not_reached")}
    kept.update(
        date=a.date,
        skipped={k: len(v) for k, v in report.get("skipped", {}).items()},
        columns=COLUMNS,
        rows=[compact(r) for r in rows],
    )
    if bench:
        names = ("layer", "dtype", "tf32", "order", "choice", "stream_us", "graph_us")
        kernels = {"columns": names, "rows": [[short(r.get(k)) for k in names] for r in bench.get("bench", [])]}
        with whole(os.path.join(a.docs, f"performance-gpu-kernels-{a.date}.json")) as f:
            json.dump(kernels, f, separators=(",", ":"))
    with whole(os.path.join(a.docs, f"performance-gpu-{a.date}.json")) as f:
        json.dump(kept, f, separators=(",", ":"))
    print(f"{len(rows)} rows, {len(pictures)} pictures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
