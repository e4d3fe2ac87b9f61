#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/performance.md, a page for each machine, and their pictures, from the runs in bench/results.

In:  bench/results/*.json of all machines, types, layouts and numbers of threads; see runs.py for what counts.
Out: docs/performance.md (where we are behind, targets, all runs, side by side, method), docs/performance-MACHINE.md
     (every newest run in full), docs/performance-training.md (the gradients), docs/img/ratio-*.png and
     docs/img/roofline-*.png.
Usage: bench/report.py [--results DIR] [--docs DIR] [--no-plots]     (plots need matplotlib)
"""

import argparse
import pathlib
import sys

import runs
import tables
import targets
import training
from method import METHOD

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
from wrap_markdown import wrapped  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
WRITTEN = "Written by `bench/report.py` from `bench/results/`; do not edit."


def front(every, backward=()):
    """The lines of docs/performance.md. backward: the gradients' series."""
    boxes = {runs.slug(s.box): runs.short(s.box) for s in every}
    pages = ", ".join(f"[{name}](performance-{slug}.md)" for slug, name in boxes.items())
    return [
        "# Performance",
        "",
        f"{WRITTEN} Every run in full: {pages}. Which loops run, what was tried and what did not help: "
        "[decisions/native-forms.md](decisions/native-forms.md). The GPU: [performance-gpu.md](performance-gpu.md). "
        + ("Gradients: [performance-training.md](performance-training.md)." if backward else ""),
        "",
        *targets.behind_lines(every),
        *targets.target_lines(every),
        *targets.run_lines(every),
        *targets.side_lines(every),
        METHOD,
    ]


def pictures(plots, s, images):
    """Draws the two pictures of a series; the lines that show them."""
    said = [word for word, usual in ((s.dtype, "f32"), (s.which_pass, "fwd")) if word != usual]
    tag = "-".join([runs.slug(s.box), s.layout, f"t{s.threads}", *said]) + ".png"
    plots.ratios(s.run, images / f"ratio-{tag}")
    plots.roofline(s.run, images / f"roofline-{tag}")
    title = runs.name(s.run)
    return [f"![Ratio to each peer, {title}](img/ratio-{tag})", "", f"![Roofline, {title}](img/roofline-{tag})", ""]


def machine_page(series, plots, images):
    """The lines of one machine's page."""
    text = [
        f"# Performance on {runs.short(series[0].box)}",
        "",
        f"{WRITTEN} The method stands in [performance.md](performance.md).",
        "",
        *tables.machine_lines(series),
        *targets.own_lines(series),
    ]
    for s in series:
        text += [f"## {runs.name(s.run)}", ""]
        if plots and s.all_threads:
            text += pictures(plots, s, images)
        text += [*tables.peer_lines(s.run), *tables.refusals(s.run), *tables.choice_lines(s.run)]
        text += tables.table_lines(s.run)
    return text


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--results", type=pathlib.Path, default=ROOT / "bench/results")
    ap.add_argument("--docs", type=pathlib.Path, default=ROOT / "docs")
    ap.add_argument("--no-plots", action="store_true")
    a = ap.parse_args()
    every, images = runs.load(a.results), a.docs / "img"
    images.mkdir(parents=True, exist_ok=True)
    plots = None
    if not a.no_plots:
        try:
            import plots
        except ImportError as error:
            print(f"report: no pictures: {error}", file=sys.stderr)
    forward, backward = [s for s in every if s.which_pass == "fwd"], [s for s in every if s.which_pass != "fwd"]
    if not forward:
        raise SystemExit(f"report: no complete run of the forward pass in {a.results}")
    pages = {"performance.md": front(forward, backward)}
    if backward:
        pages["performance-training.md"] = training.page(
            backward, WRITTEN, lambda s: pictures(plots, s, images) if plots and s.all_threads else []
        )
    for s in forward:
        page = f"performance-{runs.slug(s.box)}.md"
        if page not in pages:
            pages[page] = machine_page([o for o in forward if runs.slug(o.box) == runs.slug(s.box)], plots, images)
    for page, text in pages.items():
        (a.docs / page).write_text(wrapped("\n".join(text).rstrip() + "\n"))
    print(f"report: {', '.join(pages)} from {len(every)} series: " + "; ".join(s.name for s in every))


if __name__ == "__main__":
    main()
