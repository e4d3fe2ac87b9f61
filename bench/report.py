#!/usr/bin/env python3
"""docs/performance.md and its pictures, from the runs in bench/results.

In:  bench/results/*.json; of each layout and number of threads the newest complete full run, or a quick one where there
     is no full one (and a run of the same machine as the newest).
Out: docs/performance.md, docs/img/ratio-*.png, docs/img/roofline-*.png.
Usage: bench/report.py [--results DIR] [--docs DIR] [--no-plots]     (plots need matplotlib)
"""

import argparse
import json
import math
import pathlib
import sys

import layers
from contenders import forced

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
from wrap_markdown import wrapped  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = {
    "torch": "PyTorch",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "onednn": "oneDNN",
    "onednn.e2e": "oneDNN e2e",
}
# What is aimed at: (text, layout or None for each, peer or None for the best one, geometric mean at least,
# worst at least)
TARGETS = [
    ("the best peer of each layer, channels-first", "first", None, 3.0, 1.0),
    ("the best peer of each layer, channels-last", "last", None, 1.5, 1.0),
    ("PyTorch, contiguous tensors", "first", "torch", 5.0, 1.0),
]
# Milliseconds of throwaway probes of single layers, channels-first, 2 threads, on a machine of PROBED_PEAK GF/s.
PROBED_PEAK = 234
PROBES = {
    "seed1.ex": 96,
    "seed0.ex": 10.5,
    "fcn8s.dw": 0.63,
    "mednext.dw3d": 0.76,
    "gan3d.last": 2.1,
    "fsrcnn": 1.3,
    "dcgan.last": 0.051,
    "unet3d.k2s2.wide": 6.8,
    "hifigan.3": 3.1,
    "pose.256": 7.5,
    "s1.k3": 1.45,
}
ROOF_MEDIAN, ROOF_WIDE, WIDE, MEMORY, SETUP, SCALING, ENGINES = 0.8, 0.9, 32, 8 * 2**20, 2, 1.8, 1.1
DISTURBED = 0.05


def geometric(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def ratios_of(run, peer=None):
    """[(ratio, layer id)], worst first; peer None: the best peer of each layer."""
    pairs = [(r["best_ratio"] if peer is None else r["ratios"].get(peer), r["id"]) for r in run["layers"]]
    return sorted(p for p in pairs if p[0])


def chosen(folder):
    """The runs to show, in order of layout and threads."""
    runs = {}
    files = [json.loads(p.read_text()) for p in sorted(folder.glob("*.json")) if not p.stem.endswith("-part")]
    files = sorted((r for r in files if r["complete"]), key=lambda r: r["date"])
    if not files:
        raise SystemExit(f"report: no complete run in {folder}; start bench/run")
    for run in files:
        if run["machine"] != files[-1]["machine"]:
            continue
        key = (run["layout"], -run["threads"])
        if key not in runs or run["which"] == "full" or runs[key]["which"] == "quick":
            runs[key] = run
    return [runs[k] for k in sorted(runs)]


def name(run):
    layout = "channels-first" if run["layout"] == "first" else "channels-last"
    return f"{layout}, {run['threads']} thread{'s' if run['threads'] > 1 else ''}"


def machine_lines(runs):
    run = runs[-1]
    box, versions = run["machine"], run["versions"]
    text = [
        f"Machine: {box['cpu']}, {box['cores']} cores, {box['architecture']} ({', '.join(box['vectors'])}), caches "
        + ", ".join(f"{k} {v}" for k, v in box["caches"].items())
        + f", {box['memory_gib']} GiB, {box['system']}, "
        f"transparent huge pages: {box['huge_pages']}.  ",
        "Versions: " + ", ".join(f"{k} {v}" for k, v in versions.items() if v) + f"; revision {run['revision']}.",
        "",
    ]
    for peer, why in run["skipped"].items():
        text += [f"**Not measured**: {peer} ({why}).", ""]
    text += [
        "| run | date | layers | peak GF/s | memory read, write GB/s | core to core ns | load before | "
        "layers disturbed |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for r in runs:
        last = r["roof"]["bandwidth"][-1]
        noisy = sum((row["strangers"] or 0) > DISTURBED for row in r["layers"])
        text.append(
            f"| {name(r)} | {r['date']} | {len(r['layers'])} ({r['which']}) | {r['roof']['gflops']:.0f} | "
            f"{last['read']:.1f}, "
            f"{max(last['fill'], last['stream']):.1f} | {r['roof'].get('handoff_ns', 0):.0f} | "
            f"{r['load_before']:.1f} | {noisy} |"
        )
    return text + [
        "",
        f"Disturbed: other processes took more than {DISTURBED:.0%} of the machine while the layer was timed.",
        "",
    ]


METHOD = """## Method

`bench/run full` (or `quick`: the first 22 layers), then `bench/report.py`. Layers: `bench/layers.json`, float32, with
the bias the model has, no activation. Every contender of a layer runs in the same run, in turns whose order is shuffled
anew in every round. A turn waits until the spinning threads of the others have gone to sleep, wakes its own library
with untimed calls (calls under 20 ms), then times a batch of about 3 ms. The figure is the median over the turns; a
call that takes more than a quarter of the layer's time budget is timed once (`*`).
The details are in `bench/timing.py`.

- **Same layout in and out for everyone.** Channels-first: dense (n, c, axes). Channels-last: dense (n, axes, c).
  PyTorch gets channels_last tensors and weights (1-D as 2-D with height 1); OpenVINO's tensors are declared
  channels-last; ONNX Runtime knows channels-first only, so its two transposes count. oneDNN: the deconvolution
  primitive with exactly these layouts, and for channels-first also *e2e*:
  reorder, channels-last primitive, reorder back.
- **Output memory.** libctconv (`out=`), ONNX Runtime, OpenVINO and oneDNN write into memory given before. PyTorch has
  no such call and makes its output anew; it is set against libctconv doing the same.
- **Calls.** The Python packages are called from Python, as is libctconv where it is set against them. oneDNN's
  primitive runs in a C++ program; it is set against `ctconv_execute` with records made before. (A call through the
  Python binding takes about 4 microseconds more.)
- **Uneven padding** does not exist in PyTorch: it computes the larger output,
  and the slice (a view) counts as its answer.
- Weights are constant and packed before, where the library can. All results are compared with ours; an error above 1e-4
  of the largest value is `wrong`, without a ratio.
- **useful GF/s** counts the multiply-adds that meet the output. **roof** is floor / time, floor = max(useful / peak,
  bytes read / read bandwidth + bytes written / write bandwidth), each operand moved once; peak and bandwidths are
  measured by `bench_peaks` at the start of the run with the same number of threads, the bandwidth for the layer's
  working set, so that layers that fit into a cache are held against that cache.
- **setup** is creation, packing and the first call less a median call; the middle of three creations, after one that
  also paid for memory new to the process. **memory** is the peak of resident memory above the level before creation,
  without x, y and the caller's weights, as the first call leaves it; **workspace** is what a call asks for.
- A ratio is time of the peer / time of libctconv: above 1 libctconv is faster.
"""


def limit_of(run, peer):
    """Geometric mean of the ratios that an implementation exactly at the roofline would have."""
    found = [
        r["contenders"][peer or r["best_peer"]]["ms"] / r["floor_ms"]
        for r in run["layers"]
        if (peer in r["ratios"] if peer else r["best_ratio"])
    ]
    return geometric(found)


def target_lines(runs):
    text = [
        "## Targets",
        "",
        "*At the roofline*: the geometric mean that an implementation would have whose every layer takes exactly its "
        "floor; no aim above it can be reached.",
        "",
        "| against | run | geometric mean (aim) | at the roofline | worst (aim) | layers below 1.0 | met |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for what, layout, peer, mean, worst in TARGETS:
        for run in runs:
            found = ratios_of(run, peer)
            if (layout and run["layout"] != layout) or not found:
                continue
            g, low = geometric([v for v, _ in found]), found[0]
            text.append(
                f"| {what} | {name(run)} | {g:.2f} ({mean}) | {limit_of(run, peer):.2f} | "
                f"{low[0]:.2f} {low[1]} ({worst}) | {sum(v < 1 for v, _ in found)} of {len(found)} | "
                f"{'yes' if g >= mean and low[0] >= worst else '**no**'} |"
            )
    return text + [""]


def padded_input(layer):
    """Bytes of the input with a margin that every tap of stride 1 in a phase can use."""
    places = math.prod(i + 2 * (d * (k - 1) // s) for i, d, k, s in zip(layer.i, layer.d, layer.k, layer.s))
    return 4 * layer.n * layer.cin * places


def verdict(what, run, aim, found, missed, of):
    """One line of the table: how many of the layers miss the aim, and the worst of them."""
    worst = f"{len(missed)} of {of}" + (
        ": " + ", ".join(f"{i} {v}" for v, i in missed[:4]) + (", …" if len(missed) > 4 else "") if missed else ""
    )
    return f"| {what} | {name(run)} | {aim} | {found} | {worst} |"


def own_lines(runs):
    """The targets that concern libctconv alone."""
    shapes = {layer.id: layer for layer in layers.load("full")}
    text = ["| of libctconv alone | run | aim | found | layers that miss it |", "| --- | --- | --- | --- | --- |"]
    for run in runs:
        rows = [(r, shapes[r["id"]], r["contenders"]["ctconv"]) for r in run["layers"] if r["id"] in shapes]
        shares = sorted(r["roof_share"] for r, _, _ in rows)
        low = sorted((r["roof_share"], r["id"]) for r, _, _ in rows if r["roof_share"] < ROOF_MEDIAN)
        text.append(
            verdict(
                "share of the roofline",
                run,
                f"median {ROOF_MEDIAN:.0%}",
                f"median {shares[len(shares) // 2]:.0%}",
                [(f"{v:.0%}", i) for v, i in low],
                len(rows),
            )
        )
        wide = [
            (r["roof_share"], r["id"]) for r, s, _ in rows if r["bound"] == "flop" and min(s.cin, s.cout) // s.g >= WIDE
        ]
        low = sorted(v for v in wide if v[0] < ROOF_WIDE)
        text.append(
            verdict(
                f"the same, compute-bound, {WIDE} channels and more",
                run,
                f"{ROOF_WIDE:.0%}",
                f"median {sorted(wide)[len(wide) // 2][0]:.0%}",
                [(f"{v:.0%}", i) for v, i in low],
                len(wide),
            )
        )
        over = sorted(((c["workspace_bytes"] - padded_input(s)) / 2**20, r["id"]) for r, s, c in rows)[::-1]
        text.append(
            verdict(
                "workspace beyond the padded input",
                run,
                f"{MEMORY >> 20} MiB",
                f"at most {over[0][0]:.1f} MiB",
                [(f"{v:.1f} MiB", i) for v, i in over if v * 2**20 > MEMORY],
                len(rows),
            )
        )
        slow = sorted((c["setup_ms"] / c["ms"], r["id"]) for r, s, c in rows)[::-1]
        text.append(
            verdict(
                "creation and packing, in executes",
                run,
                SETUP,
                f"median {slow[len(slow) // 2][0]:.1f}",
                [(f"{v:.1f}", i) for v, i in slow if v > SETUP],
                len(rows),
            )
        )
        lost = sorted((c["ms"] / e["ms"], r["id"]) for r, _, c in rows for _, e in forced(r["contenders"]))[::-1]
        if lost:
            text.append(
                verdict(
                    "`auto` over the best single engine",
                    run,
                    ENGINES,
                    f"at most {max(1, lost[0][0]):.2f}",
                    [(f"{v:.2f}", i) for v, i in lost if v > ENGINES],
                    len(rows),
                )
            )
        one = next(
            (r for r in runs if r["layout"] == run["layout"] and r["threads"] == 1 and r["which"] == run["which"]), None
        )
        if one and run["threads"] == 2:
            alone = {r["id"]: r["contenders"]["ctconv"]["ms"] for r in one["layers"]}
            gain = sorted((alone[r["id"]] / c["ms"], r["id"]) for r, _, c in rows if r["id"] in alone and c["ms"] > 1)
            text.append(
                verdict(
                    "1 to 2 threads, layers above 1 ms",
                    run,
                    SCALING,
                    f"median {gain[len(gain) // 2][0]:.2f}",
                    [(f"{v:.2f}", i) for v, i in gain if v < SCALING],
                    len(gain),
                )
            )
    run = next((r for r in runs if r["layout"] == "first" and r["threads"] == 2), None)
    if run:
        found = {r["id"]: r["contenders"]["ctconv"]["ms"] for r in run["layers"]}
        scale = PROBED_PEAK / run["roof"]["gflops"]
        text += [
            "",
            f"| starter layers, {name(run)} | " + " | ".join(i for i in PROBES if i in found) + " |",
            "| --- |" + " ---: |" * sum(i in found for i in PROBES),
            "| probe, scaled by the peak, ms | "
            + " | ".join(f"{v * scale:.3g}" for i, v in PROBES.items() if i in found)
            + " |",
            "| libctconv, ms | "
            + " | ".join(
                ("" if found[i] <= v * scale else "**") + f"{found[i]:.3g}" + ("" if found[i] <= v * scale else "**")
                for i, v in PROBES.items()
                if i in found
            )
            + " |",
        ]
    return text + [""]


def peer_lines(run):
    text = ["| peer | layers | geometric mean | median | worst | below 1.0 |", "| --- | --- | --- | --- | --- | --- |"]
    for peer, label in [*PEERS.items(), (None, "**best of all**")]:
        found = ratios_of(run, peer)
        if found:
            values = [v for v, _ in found]
            text.append(
                f"| {label} | {len(values)} | {geometric(values):.2f} | {values[len(values) // 2]:.2f} | "
                f"{values[0]:.2f} {found[0][1]} | {sum(v < 1 for v in values)} |"
            )
    by = {}
    for r in run["layers"]:
        by.setdefault(r["class"], []).append(r)
    text += [
        "",
        "| class | layers | geometric mean against the best peer | worst | mean share of the roof |",
        "| --- | --- | --- | --- | --- |",
    ]
    for kind, rows in sorted(by.items()):
        values = [r["best_ratio"] for r in rows if r["best_ratio"]]
        if values:
            text.append(
                f"| {kind} | {len(rows)} | {geometric(values):.2f} | {min(values):.2f} | "
                f"{geometric([r['roof_share'] for r in rows]):.0%} |"
            )
    return text + [""]


def choice_lines(run):
    """Where another engine of ours was faster than the one `auto` took."""
    lost = []
    for r in run["layers"]:
        ours = r["contenders"]["ctconv"]
        lost += [
            (c["ms"] / ours["ms"], f"{r['id']} ({engine} {c['ms']:.3g} ms, {ours['engine']} {ours['ms']:.3g} ms)")
            for engine, c in forced(r["contenders"])
            if c["ms"] < 0.95 * ours["ms"]
        ]
    if not lost:
        return ["No layer where another engine was more than 5 % faster than the one `auto` took.", ""]
    return [
        f"{len(lost)} layers where another engine was more than 5 % faster than the one `auto` took: "
        + "; ".join(t for _, t in sorted(lost))
        + ".",
        "",
    ]


def table_lines(run):
    peers = [p for p in PEERS if any(p in r["contenders"] for r in run["layers"])]
    text = [
        "| layer | engine | ms | useful GF/s | roof | "
        + " | ".join(PEERS[p] for p in peers)
        + " | best peer | setup ms | workspace MB | memory MB |",
        "| --- | --- |" + " ---: |" * (7 + len(peers)),
    ]
    for r in run["layers"]:
        ours = r["contenders"]["ctconv"]
        cells = []
        for p in peers:
            c = r["contenders"].get(p, {"refused": ""})
            cells.append(
                "wrong"
                if c.get("wrong")
                else "-"
                if "refused" in c
                else f"{r['ratios'][p]:.2f}" + ("*" if c.get("once") else "")
            )
        best = (
            "-"
            if not r["best_ratio"]
            else f"{r['best_ratio']:.2f}"
            if r["best_ratio"] >= 1
            else f"**{r['best_ratio']:.2f}**"
        )
        extra = "-" if ours["extra_bytes"] is None else f"{ours['extra_bytes'] / 1e6:.1f}"
        text.append(
            f"| {r['id']} | {ours['engine']} | {ours['ms']:.4g} | {r['gflops']:.1f} | "
            f"{r['roof_share']:.0%} ({r['bound']}) | "
            + " | ".join(cells)
            + f" | {best} | {ours['setup_ms']:.3g} | {ours['workspace_bytes'] / 1e6:.2f} | {extra} |"
        )
    return text + [""]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--results", type=pathlib.Path, default=ROOT / "bench/results")
    ap.add_argument("--docs", type=pathlib.Path, default=ROOT / "docs")
    ap.add_argument("--no-plots", action="store_true")
    a = ap.parse_args()
    runs, images = chosen(a.results), a.docs / "img"
    images.mkdir(parents=True, exist_ok=True)
    plots = None
    if not a.no_plots:
        try:
            import plots
        except ImportError as error:
            print(f"report: no pictures: {error}", file=sys.stderr)
    text = [
        "# Performance",
        "",
        "Written by `bench/report.py` from `bench/results/`; do not edit. Which loops run, "
        "what was tried and what is left: "
        "[decisions/native-forms.md](decisions/native-forms.md).",
        "",
        *machine_lines(runs),
        *target_lines(runs),
        *own_lines(runs),
        METHOD,
    ]
    for run in runs:
        tag = f"{run['layout']}-t{run['threads']}.png"
        text += [f"## {name(run)}", ""]
        if plots:
            plots.ratios(run, images / f"ratio-{tag}")
            plots.roofline(run, images / f"roofline-{tag}")
            text += [
                f"![Ratio to each peer, {name(run)}](img/ratio-{tag})",
                "",
                f"![Roofline, {name(run)}](img/roofline-{tag})",
                "",
            ]
        text += [*peer_lines(run), *choice_lines(run), *table_lines(run)]
    (a.docs / "performance.md").write_text(wrapped("\n".join(text).rstrip() + "\n"))
    print(
        f"report: {a.docs / 'performance.md'} from {len(runs)} runs: "
        + "; ".join(f"{name(r)} {r['date']}" for r in runs)
    )


if __name__ == "__main__":
    main()
