#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch eager and libctconv on the same layers, types and orders of axes,
in turn in one process (contest.py, clock.py, ours.py).

in:  --layers bench/layers.json --out torch.json [--only SUBSTRING] [--layer-ids FILE] [--types f32,f16] [--orders
     first,last] [--deadline SECONDS] [--sample-ms 3] [--shuffle-by-seed N] [--no-graph] [--no-benchmark-mode]
     [--python-layers 8] [--repeat FILE.so] CTCONV_LIBRARY names libctconv.so;
     its CUDA module lies beside it, or CTCONV_CUDA_MODULE names it.
out: JSON: ceilings, one row per configuration, what was skipped, what the deadline did not reach. Rewritten whole every
     few seconds; FILE.jsonl beside it holds each row as soon as it is measured.
exit status: 0, 1 a y differs from torch's beyond its bound or a worker died, 77 no device

A worker process measures. One that dies or hangs on a configuration costs that row: the next worker goes on behind it.
Order of work: all layers in f32 channels-first, then f16 channels-last, and so on (PASSES),
so that a deadline cuts the least wanted.
"""

import argparse
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent))
from whole_file import whole  # noqa: E402

PASSES = [
    ("f32", "first"),
    ("f16", "last"),
    ("tf32", "first"),
    ("f16", "first"),
    ("f32", "last"),
    ("tf32", "last"),
    ("bf16", "last"),
    ("bf16", "first"),
]
MOST_DEATHS, SILENCE = 6, 45  # workers that may die; seconds without a row after which a worker counts as hung
GRACE = 5  # seconds that a last configuration may take beyond the deadline


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--layers", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--layer-ids", help="file of ids, one a line: these layers, in this order")
    parser.add_argument("--types", default="f32,tf32,f16,bf16")
    parser.add_argument("--orders", default="first,last")
    parser.add_argument("--deadline", type=float, default=0, help="seconds from now; 0: none")
    parser.add_argument("--sample-ms", type=float, default=3)
    parser.add_argument("--shuffle-by-seed", type=int, default=None)
    parser.add_argument("--no-graph", action="store_true")
    parser.add_argument("--no-benchmark-mode", action="store_true")
    parser.add_argument("--python-layers", type=int, default=8, help="layers whose Python call is timed as well")
    parser.add_argument("--repeat", help="ctconv_repeat.so; default: beside libctconv.so, else compiled")
    parser.add_argument(
        "--worker", type=float, default=0, help=argparse.SUPPRESS
    )  # the end, in seconds since the epoch
    return parser.parse_args()


def configurations(a):
    """(layer, type, order) in the order of work."""
    with open(a.layers, encoding="utf-8") as f:
        layers = [layer for layer in json.load(f) if a.only in layer["id"]]
    if a.layer_ids:
        by = {layer["id"]: layer for layer in layers}
        ids = pathlib.Path(a.layer_ids).read_text(encoding="utf-8").split()
        layers = [by[i] for i in ids if i in by]
    if a.shuffle_by_seed is not None:
        random.Random(a.shuffle_by_seed).shuffle(layers)
    types, orders = a.types.split(","), a.orders.split(",")
    return [(layer, kind, order) for kind, order in PASSES if kind in types and order in orders for layer in layers]


def key(row):
    return row["layer"], row["type"], row["order"]


def rows_of(path):
    """What the workers wrote so far; a line cut short by a death is left out."""
    rows = []
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            for line in f:
                try:
                    rows.append(json.loads(line))
                except ValueError:
                    pass
    return rows


def assemble(a, wanted):
    """The report from the lines: header, rows, skipped, died, not_reached."""
    lines = rows_of(a.out + ".jsonl")
    report = next((line["header"] for line in lines if "header" in line), {})
    rows = [line for line in lines if "layer" in line]
    for line in lines:
        report.update(line.get("add", {}))
    report["rows"] = [row for row in rows if "skipped" not in row]
    skipped = {}
    for row in rows:
        if "skipped" in row:
            skipped.setdefault(row["skipped"], []).append(" ".join(key(row)))
    report["skipped"] = skipped
    seen = {key(row) for row in rows}
    report["not_reached"] = [
        f"{layer['id']} {kind} {order}" for layer, kind, order in wanted if (layer["id"], kind, order) not in seen
    ]
    with whole(a.out) as f:
        json.dump(report, f, indent=None, separators=(",", ":"))
    return report


def tidy(value):
    """Four figures are enough."""
    if isinstance(value, float):
        return float(f"{value:.4g}") if abs(value) != float("inf") else "inf"
    if isinstance(value, dict):
        return {name: tidy(v) for name, v in value.items()}
    return [tidy(v) for v in value] if isinstance(value, list) else value


class Lines:
    """The file of rows, and the name of the configuration that is being measured."""

    def __init__(self, out):
        self.path, self.now = out + ".jsonl", out + ".now"

    def add(self, line):
        with open(self.path, "a", encoding="utf-8") as f:
            f.write(json.dumps(tidy(line)) + "\n")

    def begin(self, layer, kind, order):
        pathlib.Path(self.now).write_text(json.dumps([layer, kind, order]), encoding="utf-8")


def shown(row):
    if "skipped" in row:
        return f"skipped: {row['skipped']}"
    if "died" in row:
        return row["died"]
    cells = [
        f"{who} {row[who]['stream']:9.2f} {row[who].get('graph') or float('nan'):9.2f}"
        for who in ("torch", "auto", "measured")
        if who in row
    ]
    errors = [row[name] for name in ("torch_error", "auto_error", "measured_error") if name in row]
    return "  ".join(
        cells
        + errors
        + ([f"WRONG: {row['wrong']} {row.get('auto_diff')} {row.get('measured_diff')}"] if "wrong" in row else [])
    )


def measure(contest, lines, layer, kind, order):
    """One row, whatever happens; True if the device is still usable."""
    import contest as contests
    import torch

    lines.begin(layer["id"], kind, order)
    row = {"layer": layer["id"], "type": kind, "order": order}
    usable = True
    try:
        row.update(contest.row(layer, kind, order))
    except contests.Skipped as reason:
        row["skipped"] = str(reason)
    except (RuntimeError, contests.ours.ctconv.Error) as error:  # out of memory, a launch that failed, ...
        row["died"] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        try:
            torch.cuda.synchronize()
            torch.cuda.empty_cache()
        except RuntimeError:
            usable = False
    lines.add(row)
    print(f"{layer['id']:28s} {kind:4s} {order:5s} {shown(row)}", flush=True)
    return usable


def work(a, wanted):
    """A worker: everything that has no row yet, until the end."""
    import clock as clocks
    import contest as contests
    import ours
    import torch

    lines = Lines(a.out)
    old = rows_of(lines.path)
    done = {key(row) for row in old if "layer" in row}
    clock = clocks.Clock(a.sample_ms)
    name, l2 = clocks.settings(0)
    repeat = ours.repeat_function(a.repeat)
    with torch.cuda.stream(clock.stream), torch.no_grad():
        if not any("header" in line for line in old):
            lines.begin("ceilings", "", "")
            lines.add(
                {
                    "header": {
                        "torch": torch.__version__,
                        "cuda": torch.version.cuda,
                        "cudnn": torch.backends.cudnn.version(),
                        "device": name,
                        "l2_bytes": l2,
                        "benchmark": not a.no_benchmark_mode,
                        "sample_ms": a.sample_ms,
                        "library": ours.ctconv.build_info(),
                        "loop": "C" if repeat else "Python",
                        **clocks.ceilings(clock),
                    }
                }
            )
        contest = contests.Contest(clock, l2, repeat, graphs=not a.no_graph, benchmark=not a.no_benchmark_mode)
        if not any("python" in line.get("add", {}) for line in old) and a.python_layers:
            import eager

            lines.begin("python", "", "")
            lines.add({"add": {"python": eager.overhead(contest, wanted, a.python_layers)}})
        for layer, kind, order in wanted:
            if (layer["id"], kind, order) in done:
                continue
            if a.worker and time.time() > a.worker:
                break
            if not measure(contest, lines, layer, kind, order):
                return 3
            if torch.cuda.memory_reserved() > 32 << 30:
                torch.cuda.empty_cache()
    lines.begin("end", "", "")
    return 0


def watched(worker, a, wanted, lines, end):
    """The worker's exit status; meanwhile the report is rewritten, and a worker that is late or silent is killed."""
    said = 0.0
    while True:
        try:
            return worker.wait(1)
        except subprocess.TimeoutExpired:
            latest = max([os.path.getmtime(p) for p in (lines.path, lines.now) if os.path.exists(p)] or [time.time()])
            if time.time() - said > 5:
                said = time.time()
                assemble(a, wanted)
            if time.time() > end + GRACE or time.time() - latest > SILENCE:
                worker.kill()


def supervised(a, wanted):
    """Workers one after the other. The first is given a clean start; each death is a row."""
    end = time.time() + (a.deadline or 1e9)
    lines = Lines(a.out)
    for path in (a.out, lines.path, lines.now):
        pathlib.Path(path).unlink(missing_ok=True)
    deaths = 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    while True:
        worker = subprocess.Popen([sys.executable, __file__, *sys.argv[1:], "--worker", str(end)])
        try:
            status = watched(worker, a, wanted, lines, end)
        finally:  # also when this process is told to end
            if worker.poll() is None:
                worker.kill()
                worker.wait()
                assemble(a, wanted)
        if status in (0, 77):
            return status, deaths
        if time.time() > end + GRACE:  # its configuration took long: not reached
            return 0, deaths
        deaths += 1
        at = (
            json.loads(pathlib.Path(lines.now).read_text(encoding="utf-8"))
            if os.path.exists(lines.now)
            else ["start", "", ""]
        )
        row = dict(zip(("layer", "type", "order"), at))
        if row["type"] and key(row) not in {key(r) for r in rows_of(lines.path) if "layer" in r}:
            lines.add({**row, "died": f"the worker ended with status {status}"})
        said_so = f"worker ended with status {status}"
        if at[0] == "ceilings":  # the next worker goes on without them
            lines.add({"header": {"died": said_so}})
        if at[0] == "python":
            lines.add({"add": {"python": [{"error": said_so}]}})
        print(said_so, "at", *at, flush=True)
        if deaths >= MOST_DEATHS or at[0] in ("start", "end"):
            return 1, deaths


def main():
    a = arguments()
    wanted = configurations(a)
    if a.worker:
        import torch

        return work(a, wanted) if torch.cuda.is_available() else 77
    start = time.time()
    status, deaths = supervised(a, wanted)
    if status == 77:
        print("NOT RUN: this torch sees no CUDA device")
        return 77
    report = assemble(a, wanted)
    report_wrong = [
        " ".join(key(row)) for row in report["rows"] if "wrong" in row or "died" in row or "auto_error" in row
    ]
    print(
        f"{len(report['rows'])} rows in {time.time() - start:.0f} s, "
        f"{len(report['not_reached'])} configurations not reached, {deaths} deaths"
    )
    for name in report_wrong:
        print("not right:", name)
    return 1 if status or report_wrong or deaths else 0


if __name__ == "__main__":
    sys.exit(main())
