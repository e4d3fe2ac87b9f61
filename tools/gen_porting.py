#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The porting pages: one for each pair of frameworks, from docs/porting/recipes.json.

In:   recipes.json (its `about` says what the short forms mean)
Out:  docs/porting/A-B.md for every pair: words, tensors, layers side by side, and where the same words differ.
      tests/docs/check_porting.py computes every row.
Usage: gen_porting.py [--check]     --check writes nothing and exits 1 where a page differs
"""

import itertools
import json
import pathlib
import sys

from whole_file import whole

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "porting"
RANK, SIZES = 2, (5, 6)  # of the pages; the test computes rank 3 too
X_SHAPE = {"first": "(N, C, H, W)", "last": "(N, H, W, C)"}
W_SHAPE = {"in out k": "(in, out / groups, kh, kw)", "k out in": "(kh, kw, out, in)", "k in out": "(kh, kw, in, out)"}


def recipes():
    return json.loads((FOLDER / "recipes.json").read_text(encoding="utf-8"))


def pads(order, begin, end, extent, rank):
    """(begin, end) cropped on each axis, as a framework writes it."""
    if order == "axis":
        return (begin, end) * rank
    if order == "ends":
        return (begin,) * rank + (end,) * rank
    return ((extent - 1 - begin, extent - 1 - end),) * rank  # nested: zeros around the spread input


def expanded(args, framework, layer, rank, sizes):
    """A recipe's arguments with their short forms written out. sizes: x's spatial extents."""
    out = {}
    for name, value in args.items():
        if isinstance(value, dict):
            ((form, given),) = value.items()
            extent = layer["d"] * (layer["k"] - 1) + 1
            if form == "each":
                value = (given,) * rank
            elif form == "size":
                value = tuple(given * size for size in sizes)
            elif form == "pairs":
                value = pads(framework["pairs"], *given, extent, rank)
            elif form == "axis":
                value = tuple(given) * rank
            else:
                value = (tuple(given),) * rank
        out[name] = value
    return out


def axes_of(layout, rank=RANK):
    """The axes of a weight in this order, as places of (in, out, k...)."""
    taps = list(range(2, rank + 2))
    places = {"in": [0], "out": [1], "k": taps}
    return [axis for word in layout.split() for axis in places[word]]


def permutation(have, want, rank=RANK):
    """The transpose that brings axes ordered as `have` into the order `want`."""
    have, want = axes_of(have, rank), axes_of(want, rank)
    return tuple(have.index(axis) for axis in want)


def weight_expression(source, target, frameworks, rank=RANK):
    """Python that makes the target's weight of the source's `w`, for one group."""
    a, b = frameworks[source], frameworks[target]
    order = permutation(a["w"], b["w"], rank)
    text = "w" if order == tuple(range(rank + 2)) else f"w.transpose{order}"
    if "jax" in (source, target):  # its taps are turned round
        cuts = ["::-1" if axis >= 2 else ":" for axis in axes_of(b["w"], rank)]
        while cuts[-1] == ":":
            cuts.pop()
        text += f"[{', '.join(cuts)}]"
    return text


def x_expression(source, target, frameworks, rank=RANK):
    have, want = frameworks[source]["x"], frameworks[target]["x"]
    if have == want:
        return "x"
    return f"x.transpose{(0, *range(2, rank + 2), 1) if want == 'last' else (0, rank + 1, *range(1, rank + 1))}"


def cropped(framework, crop, rank=RANK):
    cut = f"{crop[0] or ''}:{-crop[1] or ''}"
    cuts = [cut] * rank
    return f"y[{', '.join([':', *cuts] if framework['x'] == 'last' else [':', ':', *cuts])}]"


def arguments(framework, layer, writing):
    args = expanded(writing["args"], framework, layer, RANK, SIZES)
    return "`" + ", ".join(f"{name}={value!r}" for name, value in args.items()) + "`"


def written(framework, layer, writing):
    """A recipe as a reader would write it."""
    parts = [arguments(framework, layer, writing)]
    if "spread" in writing:
        parts.append("with zeros between the taps")
    if "size" in writing:
        parts.append(f"`output_size={[writing['size'] * size for size in SIZES]}` in the call")
    if "crop" in writing:
        parts.append(f"then `{cropped(framework, writing['crop'])}`")
    if "halves" in writing:
        parts.append("a layer for each group, then joined along the channels")
    return ", ".join(parts)


def words_of(cell):
    return ", ".join(f"`{word}`" for word in cell) if isinstance(cell, list) else cell


def table(head, rows):
    return [f"| {' | '.join(head)} |", "|" + " --- |" * len(head), *(f"| {' | '.join(row)} |" for row in rows), ""]


def tensors(a, b, frameworks):
    names = [frameworks[who]["name"] for who in (a, b)]
    rows = [
        ["x and y", *(X_SHAPE[frameworks[who]["x"]] for who in (a, b))],
        ["weight", *(W_SHAPE[frameworks[who]["w"]] for who in (a, b))],
        ["from the other: x", f"`{x_expression(b, a, frameworks)}`", f"`{x_expression(a, b, frameworks)}`"],
        ["from the other: w", *(f"`{weight_expression(*pair, frameworks)}`" for pair in ((b, a), (a, b)))],
    ]
    out = table(["", *names], rows)
    if "megengine" in (a, b):
        out += [
            "With groups MegEngine's weight is `w.reshape(groups, in // groups, out // groups, kh, kw)`.",
            "",
        ]
    return out


def page(a, b, data):
    frameworks = data["frameworks"]
    names = [frameworks[who]["name"] for who in (a, b)]
    classes = [f"`{frameworks[who]['class'].format(r=RANK)}`" for who in (a, b)]
    rows = [[row["what"], words_of(row[a]), words_of(row[b])] for row in data["words"]]
    layers = [
        [layer["what"], *(written(frameworks[who], layer, layer[who]) for who in (a, b))] for layer in data["layers"]
    ]
    one = {layer["id"]: layer for layer in data["layers"]}
    traps = [
        [
            frameworks[trap["who"]]["name"],
            arguments(frameworks[trap["who"]], one[trap["layer"]], trap),
            one[trap["layer"]]["what"],
            trap["say"],
        ]
        for trap in data["traps"]
        if trap["who"] in (a, b)
    ]
    out = [
        f"# {names[0]} and {names[1]}",
        "",
        "Generated by tools/gen_porting.py from docs/porting/recipes.json; do not edit. Every row is computed by a",
        "test, in both frameworks' dialects, in 2-D and 3-D: same shape, same values.",
        "",
        f"{classes[0]} and {classes[1]}, in 2-D. [Other pairs](index.md).",
        "",
        "## Words",
        "",
        *table(["what", *names], rows),
        "## Tensors",
        "",
        *tensors(a, b, frameworks),
        "## Layers",
        "",
        "x has 5 rows and 6 columns where a size is named.",
        "",
        *table(["layer", *names], layers),
        *(line for who in (a, b) if "note" in frameworks[who] for line in (frameworks[who]["note"], "")),
        "## Same words, another layer",
        "",
        *table(["in", "these words", "are not", "because"], traps),
    ]
    return "\n".join(out)


def main():
    data = recipes()
    stale = []
    for a, b in itertools.combinations(data["frameworks"], 2):
        file = FOLDER / f"{a}-{b}.md"
        text = page(a, b, data)
        if "--check" not in sys.argv[1:]:
            with whole(file) as f:
                f.write(text)
        elif not file.exists() or file.read_text(encoding="utf-8") != text:
            stale.append(file.name)
    if stale:
        sys.exit(f"stale, run tools/gen_porting.py: {', '.join(stale)}")


if __name__ == "__main__":
    main()
