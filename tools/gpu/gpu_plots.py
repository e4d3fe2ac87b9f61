# SPDX-License-Identifier: Apache-2.0
"""Pictures of a comparison with PyTorch: ratios layer by layer for each type, and shares of the floor.

in:  rows of figures.py, a folder;   out: PNG files, their names returned; none, loudly, where matplotlib is absent
"""

import os
import sys

import figures

ORDER_COLOURS = {"first": "#2e6f95", "last": "#edae49"}


def _figure(rows):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=(9, 1.6 + 0.15 * rows))


def _save(figure, folder, name):
    figure.tight_layout()
    figure.savefig(os.path.join(folder, name), dpi=80)
    return name


def ratios(rows, kind, title, folder):
    """One line a layer, sorted by the mean of its ratios; a mark for each order of axes, ours measured;
    graph replay."""
    points = {}
    for row in rows:
        if row.type == kind and row.ratio("measured", "graph"):
            points.setdefault(row.layer, {})[row.order] = row.ratio("measured", "graph"), row.ratio("auto", "graph")
    if not points:
        return None
    names = sorted(points, key=lambda n: figures.mean([r[0] for r in points[n].values()]))
    figure, axes = _figure(len(names))
    for order, colour in ORDER_COLOURS.items():
        here = [(at, points[n][order]) for at, n in enumerate(names) if order in points[n]]
        if here:
            axes.scatter(
                [r[0] for _, r in here],
                [at for at, _ in here],
                s=14,
                color=colour,
                label=figures.NAMES[order] + ", measured",
                zorder=3,
            )
            chosen = [(r[1], at) for at, r in here if r[1]]
            axes.scatter(
                *zip(*chosen), s=9, marker="|", color=colour, label=figures.NAMES[order] + ", by estimate", zorder=2
            )
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda v, _: f"{v:g}")
    axes.set_yticks(range(len(names)), names, fontsize=6)
    axes.set_ylim(-0.8, len(names) - 0.2)
    axes.grid(axis="x", linewidth=0.3)
    axes.set_xlabel("time of PyTorch / time of libctconv, CUDA graph replay (right of 1: libctconv is faster)")
    axes.set_title(f"{figures.NAMES[kind]}, {title}", fontsize=9)
    axes.legend(fontsize=7, loc="lower right")
    return _save(figure, folder, f"gpu-ratio-{kind}.png")


def shares(rows, title, folder):
    """Sorted shares of the floor, a curve for each type and order."""
    figure, axes = _figure(26)
    for (kind, order), some in figures.groups(rows):
        values = sorted((r.share() for r in some if r.share()), reverse=True)
        if values:
            style = "-" if order == "first" else "--"
            axes.plot(
                [100 * (at + 0.5) / len(values) for at in range(len(values))],
                values,
                style,
                linewidth=1,
                label=f"{figures.NAMES[kind]}, {figures.NAMES[order]}",
            )
    axes.axhline(1 / 1.5, color="black", linewidth=0.6)
    axes.set_ylim(0, 1.6)
    axes.grid(linewidth=0.3)
    axes.set_xlabel("layers, best first, %")
    axes.set_ylabel("(floor + one launch) / our graph time")
    axes.set_title(f"Share of the floor, {title}; the line is 1.5 x floor", fontsize=9)
    axes.legend(fontsize=7)
    return _save(figure, folder, "gpu-floor.png")


def draw(rows, title, folder):
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        print("NO PICTURES: matplotlib is not installed", file=sys.stderr)
        return []
    os.makedirs(folder, exist_ok=True)
    made = [ratios(rows, kind, title, folder) for kind in figures.TYPES]
    return [name for name in [*made, shares(rows, title, folder)] if name]
