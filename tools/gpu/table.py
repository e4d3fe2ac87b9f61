#!/usr/bin/env python3
"""docs/performance-gpu.md and its dated JSON from what one run of tools/gpu/run.sh measured. No number is made here.

in:  --results folder with check.json, bench.json, torch.json --layers bench/layers.json --docs docs
out: the two files; refuses: writes nothing where bench.json is missing
floor = max(bytes / measured copy bandwidth, useful flop / measured matrix-product peak); bytes: x, w, bias and y moved once.
"""
import argparse
import datetime
import json
import math
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from whole_file import whole  # noqa: E402


def read(path):
    try:
        with open(path, encoding="utf-8") as f:
            return json.load(f)
    except FileNotFoundError:
        return None


def work(l):
    """useful flop and elements moved"""
    pairs, out, into, taps = 1, 1, 1, 1
    for i, k, s, d, lo, end, op in zip(l["in"], l["k"], l["s"], l["d"], l["p_begin"], l["p_end"], l["op"]):
        o = (i - 1) * s + d * (k - 1) + 1 - lo - end + op
        pairs *= sum(1 for t in range(k) for x in range(i) if 0 <= x * s + t * d - lo < o) if i * k <= 200000 else i * k
        out, into, taps = out * o, into * i, taps * k
    flop = 2.0 * pairs * l["n"] * l["cin"] * l["cout"] / l["g"]
    elements = l["n"] * l["cin"] * into + l["n"] * l["cout"] * out + l["cin"] * l["cout"] // l["g"] * taps + (l["cout"] if l["bias"] else 0)
    return flop, elements


def main():
    parser = argparse.ArgumentParser()
    for name in ("results", "layers", "docs"):
        parser.add_argument("--" + name, required=True)
    a = parser.parse_args()
    check, bench, torch = (read(os.path.join(a.results, n + ".json")) for n in ("check", "bench", "torch"))
    if not bench or not bench.get("bench"):
        print("no bench.json: nothing to tabulate")
        return 1
    layers = {l["id"]: l for l in read(a.layers)}
    ceilings = bench["ceilings"]
    peaks = (torch or {}).get("peaks", {})
    rows = {}
    for r in bench["bench"]:
        rows.setdefault((r["layer"], r["dtype"], r["tf32"], r["order"]), {})[r["choice"]] = r
    for r in (torch or {}).get("bench", []):
        if r["benchmark"]:
            rows.setdefault((r["layer"], r["dtype"], r["tf32"], r["order"]), {})["torch"] = r
    date = datetime.date.today().isoformat()
    lines = ["# Performance on a GPU", "",
             f"Written by tools/gpu/run.sh on {date}: {bench['device']}" +
             (f"; PyTorch {torch['torch']} with cuDNN {torch['cudnn']}" if torch else "; PyTorch was not run") + ".",
             f"Copy {1e-9 * ceilings['copy_bytes_per_second']:.0f} GB/s, small launch {ceilings['launch_us']:.2f} us" +
             "".join(f", {k} product {1e-12 * v:.0f} TFLOP/s" for k, v in peaks.items()) + ".",
             "Times in us, the median of 5 samples, buffers larger than L2; `graph` is CUDA-graph replay. floor: bytes or flop at the measured ceilings.",
             "auto: the choice by estimate; measured: tuning = measure; torch: eager, benchmark on, the same TF32 setting and order of axes.",
             "share = floor / graph time of the measured choice; ratio = torch graph time / ours (above 1: we are faster).", ""]
    if check:
        lines += [f"Correctness in the same run: {check.get('checks', 0)} checks, {len(check.get('failed', []))} failed.", ""]
    lines += ["| layer | type | order | floor | auto | auto graph | measured | measured graph | kernel | torch | torch graph | share | ratio |",
              "|---|---|---|---:|---:|---:|---:|---:|---|---:|---:|---:|---:|"]
    ratios = []
    for (layer, dtype, tf32, order), by in sorted(rows.items(), key=lambda kv: (list(layers).index(kv[0][0]), kv[0][1:])):
        if "auto" not in by:
            continue
        flop, elements = work(layers[layer])
        peak = peaks.get("tf32" if tf32 else dtype)
        floor = 1e6 * max(elements * {"f32": 4}.get(dtype, 2) / ceilings["copy_bytes_per_second"], flop / peak if peak else 0)
        auto, best, other = by["auto"], by.get("measured", by["auto"]), by.get("torch")
        kernel = next((line.split(": ", 1)[1] for line in best["plan"].splitlines() if line.startswith("kernel")), "")
        share = floor / best["graph_us"]
        ratio = other["graph_us"] / best["graph_us"] if other and other["graph_us"] else None
        if ratio:
            ratios.append(ratio)
        number = lambda v: f"{v:.2f}" if v is not None else "-"
        lines.append(f"| {layer} | {dtype}{' TF32' if tf32 else ''} | {order} | {floor:.2f} | {number(auto['stream_us'])} | {number(auto['graph_us'])} | "
                     f"{number(best['stream_us'])} | {number(best['graph_us'])} | {kernel} | {number(other and other['stream_us'])} | "
                     f"{number(other and other['graph_us'])} | {share:.2f} | {number(ratio)} |")
    if ratios:
        lines += ["", f"Geometric mean of the ratio over {len(ratios)} rows: {math.exp(sum(map(math.log, ratios)) / len(ratios)):.2f}; "
                  f"slower than torch in {sum(r < 1 for r in ratios)}."]
    with whole(os.path.join(a.docs, "performance-gpu.md")) as f:
        f.write("\n".join(lines) + "\n")
    with whole(os.path.join(a.docs, f"performance-gpu-{date}.json")) as f:
        json.dump({"check": check and {k: v for k, v in check.items() if k != "correct"}, "bench": bench, "torch": torch}, f)
    print(f"{len(rows)} rows")
    return 0


sys.exit(main())
