#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the pictures of docs/guide: what stride, padding, output_padding and dilation do, the meanings of "same",
overlaps, and scatter beside gather.

In:  nothing; every cell drawn follows from the formula i*s + t*d - lo == o
Out: docs/img/shapes-*.svg, docs/img/how-scatter-gather.svg; with --check nothing is written, and exit 1 where a picture
     differs
"""

import pathlib
import sys

from draw_regions import Svg

IMAGES = pathlib.Path(__file__).resolve().parents[1] / "docs" / "img"
CELL, ROW = 28, 22
COLOURS = ("#9ecae1", "#fdd0a2", "#c7e9c0", "#dadaeb", "#fbb4b9")
STYLE = f"""<style>
rect{{stroke:#444}} .n{{fill:none}} .o{{fill:#fff}} .cut{{fill:#e6e6e6;stroke:#aaa;stroke-dasharray:3 2}}
.b{{fill:#ffef9f}} line{{stroke:#888}} .t{{font-weight:bold;font-size:15px}} .m{{text-anchor:middle}} .g{{fill:#666}}
.s{{font-size:11px;text-anchor:middle}} .sg{{font-size:11px;text-anchor:middle;fill:#999}}
{" ".join(f".x{i}{{fill:{colour}}}" for i, colour in enumerate(COLOURS))}
.h1{{fill:#deebf7}} .h2{{fill:#9ecae1}} .h3{{fill:#6baed6}} .h4{{fill:#4292c6}}
</style>"""


class Layer:
    """One axis of a layer: n inputs, kernel k, stride s, dilation d, lo rows cropped in front, hi behind (below 0:
    appended)."""

    def __init__(self, n, k, s=1, d=1, lo=0, hi=0):
        self.n, self.k, self.s, self.d, self.lo, self.hi = n, k, s, d, lo, hi
        self.full = (n - 1) * s + d * (k - 1) + 1
        self.outputs = self.full - lo - hi

    def places(self, i):
        """Where the products of input i land in the full extent."""
        return [i * self.s + t * self.d for t in range(self.k)]

    def meets(self, place):
        return sum(place in self.places(i) for i in range(self.n))


def picture(width, height, title):
    return Svg(width, height, title, "tools/draw_shapes.py", STYLE)


def draw_layer(svg, left, top, layer, words, rows=True):
    """A row of cells for each input's products, and below it y; answers the height it took."""
    svg.text(left, top + 12, words, "t")
    y = top + 24
    for i in range(layer.n if rows else 0):
        svg.text(left - 8, y + 15, f"x{i}", "sg")
        for t, place in enumerate(layer.places(i)):
            svg.box(left + 10 + place * CELL, y, CELL, ROW, f"x{i % len(COLOURS)}")
            svg.text(left + 10 + (place + 0.5) * CELL, y + 15, f"w{t}", "s")
        y += ROW
    y += 6
    svg.text(left - 8, y + 17, "y", "m")
    for place in range(max(layer.full, layer.full - layer.hi)):
        o = place - layer.lo
        kept = 0 <= o < layer.outputs
        kind = "cut" if not kept else "b" if not layer.meets(place) else "o"
        svg.box(left + 10 + place * CELL, y, CELL, 26, kind)
        svg.text(left + 10 + (place + 0.5) * CELL, y + 17, o if kept else "·", "m" if kept else "sg")
    return y + 26 - top


def stacked(title, parts, width, rows=True):
    """Several layers below each other, each with its sentence."""
    for _, words in parts:
        assert 36 + 9.6 * len(words) <= width, f"too wide: {words}"
    heights = [24 + (ROW * layer.n if rows else 0) + 32 + 24 for layer, _ in parts]
    svg = picture(width, sum(heights) + 10, title)
    top = 10
    for (layer, words), height in zip(parts, heights):
        draw_layer(svg, 36, top, layer, words, rows)
        top += height
    return svg


def stride():
    parts = [
        (Layer(4, 3, s), f"kernel 3, stride {s}: {Layer(4, 3, s).outputs} outputs{more}")
        for s, more in ((1, ""), (2, ", every second of two products"), (3, ", no overlap"))
    ]
    return str(stacked("What the stride does.", parts, 620))


def padding():
    parts = [
        (Layer(4, 3, 2), "padding 0: the full extent"),
        (Layer(4, 3, 2, lo=1, hi=1), "padding 1: one row less in front, one less behind"),
        (Layer(4, 3, 2, lo=0, hi=1), "[0, 1]: behind only, which PyTorch cannot say"),
    ]
    return str(stacked("What the padding does: it crops y.", parts, 520))


def output_padding():
    parts = [
        (Layer(4, 3, 2, lo=1, hi=1), "padding 1, output_padding 0: 7 outputs"),
        (Layer(4, 3, 2, lo=1, hi=0), "padding 1, output_padding 1: the row comes back, with its products"),
        (Layer(4, 2, 3, lo=0, hi=-1), "kernel 2, stride 3, output_padding 1: a row more, the bias alone"),
    ]
    return str(stacked("What output_padding does.", parts, 720))


def dilation():
    parts = [
        (Layer(4, 3, 1, d=1), "kernel 3, dilation 1"),
        (Layer(4, 3, 1, d=2), "kernel 3, dilation 2: as wide as a kernel of 5"),
        (Layer(4, 3, 2, d=2), "stride 2, dilation 2: odd outputs are the bias alone"),
    ]
    return str(stacked("What the dilation does.", parts, 600))


def same():
    parts = [
        (Layer(5, 3, 2, lo=0, hi=1), '"same" of MindSpore, Keras, JAX, ONNX SAME_UPPER: 10 outputs'),
        (Layer(5, 3, 2, lo=1, hi=0), "ONNX SAME_LOWER; PyTorch with padding 1, output_padding 1: 10 others"),
        (Layer(5, 3, 2, lo=1, hi=1), '"SAME" of Paddle: 9 outputs'),
    ]
    return str(stacked("Three meanings of same: 5 inputs, kernel 3, stride 2.", parts, 710, rows=False))


def checkerboard():
    svg = picture(600, 300, "How many products each output is made of.")
    for at, (k, words) in enumerate(((3, "kernel 3, stride 2: uneven"), (4, "kernel 4, stride 2: even inside"))):
        layer = Layer(4, k, 2)
        left = 20 + at * 300
        svg.text(left, 26, words, "t")
        for row in range(layer.full):
            for column in range(layer.full):
                count = layer.meets(row) * layer.meets(column)
                svg.box(left + column * 25, 40 + row * 25, 25, 25, f"h{count}")
                svg.text(left + column * 25 + 12.5, 57 + row * 25, count)
    return str(svg)


def scatter_gather():
    layer = Layer(4, 4, 2, lo=1, hi=1)
    svg = picture(760, 300, "The same layer seen from x and seen from y.")

    def x_at(left, i):
        return left + 30 + (i * layer.s + layer.k / 2) * CELL

    def y_at(left, place):
        return left + 10 + (place + 0.5) * CELL

    for left, words, chosen in (
        (20, "scatter: where input 1 goes", "x"),
        (400, "gather: what output 4 is made of", "y"),
    ):
        svg.text(left, 26, words, "t")
        for i in range(layer.n):
            for place in layer.places(i):
                if (i == 1) if chosen == "x" else place == 4 + layer.lo:
                    svg.line(x_at(left, i) - 20, 90, y_at(left, place), 190)
        for i in range(layer.n):
            used = i == 1 if chosen == "x" else 4 + layer.lo in layer.places(i)
            svg.box(x_at(left, i) - 34, 60, 28, 30, "x1" if used else "o")
            svg.text(x_at(left, i) - 20, 80, i)
        for place in range(layer.full):
            o = place - layer.lo
            kept = 0 <= o < layer.outputs
            used = place in layer.places(1) if chosen == "x" else o == 4
            svg.box(left + 10 + place * CELL, 190, CELL, 30, "cut" if not kept else "x0" if used else "o")
            svg.text(y_at(left, place), 210, o if kept else "·")
        svg.text(left, 50, "x", "g")
        svg.text(left, 240, "y", "g")
    svg.text(20, 270, "sums meet in memory, in an order that threads change", "g")
    svg.text(400, 270, "one chain for each output, in one order", "g")
    return str(svg)


PICTURES = {
    "shapes-stride": stride,
    "shapes-padding": padding,
    "shapes-output-padding": output_padding,
    "shapes-dilation": dilation,
    "shapes-same": same,
    "shapes-checkerboard": checkerboard,
    "how-scatter-gather": scatter_gather,
}


def main():
    faults = 0
    for name, draw in PICTURES.items():
        file = IMAGES / f"{name}.svg"
        if "--check" not in sys.argv[1:]:
            file.write_text(draw(), encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != draw():
            print(f"draw_shapes: {file} is not what this program draws", file=sys.stderr)
            faults = 1
    return faults


if __name__ == "__main__":
    sys.exit(main())
