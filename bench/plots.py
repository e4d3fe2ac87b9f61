# SPDX-License-Identifier: Apache-2.0
"""The two pictures of a run.

In:  a run as bench/measure.py writes it.   Out: PNG files.
ratios:   per layer a bar of the ratio to its best peer, and a mark for each peer; logarithmic, 1 is a draw.
roofline: useful GF/s over useful FLOP per byte, libctconv and the best peer of each layer under the measured roof.
"""

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

MARKS = {
    "torch": ("o", "#d1495b", "PyTorch"),
    "onnxruntime": ("s", "#66a182", "ONNX Runtime"),
    "openvino": ("^", "#8d6a9f", "OpenVINO"),
    "onednn": ("D", "#edae49", "oneDNN primitive"),
    "onednn.e2e": ("v", "#c08a1e", "oneDNN with reorders"),
    "jax": ("P", "#3c6e71", "JAX"),
    "litert": ("X", "#5f0f40", "LiteRT"),
    "ncnn": ("<", "#7f7f7f", "ncnn"),
    "mnn": (">", "#bc6c25", "MNN"),
}
AHEAD, BEHIND = "#2e6f95", "#b23a48"


def title(run):
    layout = "channels-first" if run["layout"] == "first" else "channels-last"
    plural = "s" if run["threads"] > 1 else ""
    made = {"fwd": "", "dgrad": "dx, ", "wgrad": "dw and db, "}[run.get("pass", "fwd")]
    kind = f"{made}{layout} in and out, {run.get('dtype', 'f32')}"
    return f"{kind}, {run['threads']} thread{plural}, {run['machine']['cpu']}, {run['date'][:10]}"


def ratios(run, path):
    rows = sorted((r for r in run["layers"] if r["best_ratio"]), key=lambda r: r["best_ratio"])
    figure, axes = plt.subplots(figsize=(9, 1.6 + 0.17 * len(rows)))
    values = [r["best_ratio"] for r in rows]
    axes.barh(
        range(len(rows)),
        [v - 1 for v in values],
        left=1,
        color=[AHEAD if v >= 1 else BEHIND for v in values],
        height=0.7,
    )
    for peer, (mark, colour, name) in MARKS.items():
        points = [(r["ratios"][peer], at) for at, r in enumerate(rows) if peer in r["ratios"]]
        if points:
            axes.scatter(*zip(*points), marker=mark, s=11, color=colour, label=name, zorder=3, linewidths=0)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda v, _: f"{v:g}")
    axes.set_yticks(range(len(rows)), [r["id"] for r in rows], fontsize=6.5)
    axes.set_ylim(-0.8, len(rows) - 0.2)
    axes.grid(axis="x", linewidth=0.3)
    axes.set_xlabel("time of the peer / time of libctconv (bar: the best peer of the layer)")
    axes.set_title(title(run), fontsize=9)
    axes.legend(fontsize=7, loc="lower right")
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    plt.close(figure)


def roofline(run, path):
    roof = run["roof"]
    peak, memory = roof["gflops"], roof["bandwidth"][-1]
    stream = max(memory["fill"], memory["stream"], memory["read"])
    cache = max(max(b["fill"], b["read"]) for b in roof["bandwidth"] if b["bytes"] >= 2**20)
    figure, axes = plt.subplots(figsize=(8, 5.2))
    x = [2 ** (e / 4) for e in range(-12, 44)]
    axes.plot(
        x,
        [min(peak, v * stream) for v in x],
        color="black",
        linewidth=1.2,
        label=f"memory {stream:.0f} GB/s, peak {peak:.0f} GF/s",
    )
    axes.plot(
        x,
        [min(peak, v * cache) for v in x],
        color="gray",
        linewidth=0.8,
        linestyle="--",
        label=f"cache {cache:.0f} GB/s (1 MiB and up)",
    )
    for who, colour, size, name in (("peer", "#edae49", 14, "best peer"), ("ours", AHEAD, 18, "libctconv")):
        points = []
        for r in run["layers"]:
            peer = r["best_peer"]
            source = "ctconv" if who == "ours" else peer
            if source:
                points.append((r["gflop"] * 1e3 / r["mbytes"], r["gflop"] / r["contenders"][source]["ms"] * 1e3))
        if points:
            axes.scatter(*zip(*points), s=size, color=colour, label=name, zorder=3, alpha=0.85, linewidths=0)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda v, _: f"{v:g}")
    axes.set_xlabel("useful FLOP per byte moved once")
    axes.set_ylabel("useful GF/s")
    axes.set_title(title(run), fontsize=9)
    axes.grid(linewidth=0.3)
    axes.legend(fontsize=7, loc="lower right")
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    plt.close(figure)
