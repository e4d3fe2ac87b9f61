#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the pictures of docs/big-and-endless.md: the window of a region, the phases, tiles and their halos.

In:  nothing; the sizes drawn are those of WINDOW below, and every line follows from the formula i*s + t - lo == o
Out: docs/img/region-window.svg, docs/img/region-phases.svg, docs/img/region-tiles.svg; with --check nothing is written,
     and exit 1 where a picture differs
"""

import pathlib
import sys

IMAGES = pathlib.Path(__file__).resolve().parents[1] / "docs" / "img"
WINDOW = {"inputs": 12, "k": 4, "s": 2, "lo": 1, "box": (8, 16)}
CELL = 44
STYLE = """<style>
rect{stroke:#444} .n{fill:none} .y{fill:#9ecae1} .x{fill:#fdd0a2} .h{fill:#fdae6b} .o{fill:#f2f2f2} .z{fill:#c7e9c0}
line{stroke:#888} line.d{stroke:#d62728;stroke-dasharray:5 3;stroke-width:2} .t{font-weight:bold;font-size:15px}
.m{text-anchor:middle} .g{fill:#666}
</style>"""


class Svg:
    def __init__(self, width, height, title, by="tools/draw_regions.py", style=STYLE):
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'font-family="sans-serif" font-size="13">',
            f"<!-- {title} Drawn by {by}. -->",
            style,
            f'<rect width="{width}" height="{height}" fill="#fff" style="stroke:none"/>',
        ]

    def box(self, x, y, width, height, kind):
        self.parts.append(f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"/>')

    def line(self, x1, y1, x2, y2, kind=""):
        kind = f' class="{kind}"' if kind else ""
        self.parts.append(f'<line{kind} x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"/>')

    def text(self, x, y, text, kind="m"):
        self.parts.append(f'<text class="{kind}" x="{x:g}" y="{y:g}">{text}</text>')

    def __str__(self):
        return "\n".join([*self.parts, "</svg>", ""])


def meets(i, o):
    """Whether input i reaches output o."""
    return 0 <= o + WINDOW["lo"] - i * WINDOW["s"] < WINDOW["k"]


def extent():
    return (WINDOW["inputs"] - 1) * WINDOW["s"] + WINDOW["k"] - 2 * WINDOW["lo"]


def window():
    begin, end = WINDOW["box"]
    read = [i for i in range(WINDOW["inputs"]) if any(meets(i, o) for o in range(begin, end))]
    return read[0], read[-1] + 1


def place(i):
    """The middle of input i, above the outputs it meets."""
    return 30 + (i * WINDOW["s"] - WINDOW["lo"] + WINDOW["k"] / 2) * CELL / 2


def draw_window():
    begin, end = WINDOW["box"]
    first, last = window()
    svg = Svg(60 + extent() * CELL // 2, 300, "A region of y and the window of x that it reads.")
    sizes = f"kernel {WINDOW['k']}, stride {WINDOW['s']}, padding {WINDOW['lo']}"
    svg.text(30, 24, f"{sizes}: what [{begin}, {end}) of y reads", "t")
    for i in range(WINDOW["inputs"]):
        for o in range(begin, end):
            if meets(i, o):
                svg.line(place(i), 96, 30 + (o + 0.5) * CELL / 2, 190)
    own = range(begin // WINDOW["s"], end // WINDOW["s"])
    for i in range(WINDOW["inputs"]):
        kind = "o" if not first <= i < last else "x" if i in own else "h"
        svg.box(place(i) - 18, 66, 36, 30, kind)
        svg.text(place(i), 86, i)
    for o in range(extent()):
        svg.box(30 + o * CELL / 2, 190, CELL / 2, 30, "y" if begin <= o < end else "o")
        svg.text(30 + (o + 0.5) * CELL / 2, 210, o)
    svg.text(30, 56, "x", "t")
    svg.text(30, 240, "y", "t")
    legend = (("y", "the region"), ("x", "its own inputs"), ("h", "halo: read by two regions"))
    for at, (kind, text) in enumerate(legend):
        svg.box(30 + at * 170, 262, 16, 16, kind)
        svg.text(52 + at * 170, 275, text, "")
    svg.text(52, 56, f"window [{first}, {last})", "")
    return str(svg)


def draw_phases():
    svg = Svg(60 + extent() * CELL // 2, 380, "Phases: outputs with one remainder use the same taps.")
    svg.text(30, 24, "phases: (o + lo) mod s says which taps an output uses", "t")
    for o in range(extent()):
        phase = (o + WINDOW["lo"]) % WINDOW["s"]
        svg.box(30 + o * CELL / 2, 40, CELL / 2, 30, "yz"[phase])
        svg.text(30 + (o + 0.5) * CELL / 2, 60, o)
    for phase in range(WINDOW["s"]):
        taps = [t for t in range(WINDOW["k"]) if t % WINDOW["s"] == phase]
        svg.box(30 + phase * 190, 84, 16, 16, "yz"[phase])
        svg.text(52 + phase * 190, 97, f"phase {phase}: taps {', '.join(map(str, taps))}", "")
    first = -WINDOW["lo"] % WINDOW["s"]  # where phase 0 begins
    rows = (
        (140, range(first, extent(), 6), "cuts where phase 0 begins: one plan for the inner tiles, and the least work"),
        (230, range(0, extent() + 1, 6), "cuts at multiples of the stride: one plan too, and a row more to compute"),
        (320, range(0, extent() + 1, 5), "cuts anywhere: right as well, but every second begins in another phase"),
    )
    for y, cuts, text in rows:
        svg.text(30, y - 8, text, "")
        for o in range(extent()):
            phase = (o + WINDOW["lo"]) % WINDOW["s"]
            svg.box(30 + o * CELL / 2, y, CELL / 2, 30, "yz"[phase])
        for cut in cuts:
            svg.line(30 + cut * CELL / 2, y - 4, 30 + cut * CELL / 2, y + 40, "d")
    return str(svg)


def draw_tiles():
    svg = Svg(760, 330, "Tiles of a plane, the windows they read, and what travels between machines.")
    svg.text(30, 24, "y in tiles", "t")
    svg.text(400, 24, "x: the windows overlap by the halo", "t")
    side, count, halo = 84, 3, 10
    for row in range(count):
        for column in range(count):
            inner = row == column == 1
            svg.box(30 + column * side, 40 + row * side, side, side, "y" if inner else "o")
            svg.box(400 + column * side, 40 + row * side, side, side, "o")
    svg.box(400 + side - halo, 40 + side - halo, side + 2 * halo, side + 2 * halo, "h")
    svg.box(400 + side, 40 + side, side, side, "x")
    svg.text(30 + 1.5 * side, 40 + 1.5 * side + 4, "region")
    svg.text(400 + 1.5 * side, 40 + 1.5 * side + 4, "window")
    svg.text(30, 316, "written once, by one tile; whole chunks", "g")
    svg.text(400, 316, "of a neighbour only the halo is sent", "g")
    return str(svg)


def main():
    faults = 0
    pictures = {"region-window": draw_window(), "region-phases": draw_phases(), "region-tiles": draw_tiles()}
    for name, text in pictures.items():
        file = IMAGES / f"{name}.svg"
        if "--check" not in sys.argv[1:]:
            file.write_text(text, encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != text:
            print(f"draw_regions: {file} is not what this program draws", file=sys.stderr)
            faults = 1
    return faults


if __name__ == "__main__":
    sys.exit(main())
