# SPDX-License-Identifier: Apache-2.0
"""Docstrings of the tree are plain text, no reStructuredText: here they become it, for autodoc.

In:   the lines of a docstring.
Out:  lines that show the same: a paragraph stays one, its `code` becomes code, other marks are escaped; a block that
      is indented or set in columns is shown as it stands.
"""

import re

COLUMNS = re.compile(r"\S {2,}\S")
MARKS = re.compile(r"([\\*_|<>`])")


def is_set(lines):
    """Whether a block depends on its white space."""
    return any(line.startswith(" ") or COLUMNS.search(line) for line in lines)


def paragraph(lines):
    """Prose as reStructuredText: code in backticks is code, the rest is text."""
    parts = re.split(r"`([^`]+)`", " ".join(lines))
    return "".join(MARKS.sub(r"\\\1", p) if i % 2 == 0 else f"``{p}``" for i, p in enumerate(parts))


def blocks_of(lines):
    block = []
    for line in [*lines, ""]:
        if line.strip():
            block.append(line.rstrip())
        elif block:
            yield block
            block = []


def shown(lines):
    out = []
    for block in blocks_of(lines):
        if is_set(block):
            out += ["::", "", *("   " + line for line in block), ""]
        else:
            out += [paragraph(block), ""]
    return out


def process(app, what, name, subject, options, lines):
    lines[:] = shown(lines)


def setup(app):
    app.connect("autodoc-process-docstring", process)
    return {"version": "1", "parallel_read_safe": True}
