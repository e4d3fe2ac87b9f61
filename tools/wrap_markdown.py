#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Markdown with no line above 120 columns: prose is filled again, the rest stays as it is.

In:   the text of a page (`wrapped`), or files named on the command line, which are rewritten in place
Out:  the same page; a paragraph or list item with a line that is too long is filled again to 120 columns
Left: tables, headings, fenced code, lines indented by four or more that follow a blank one, a word that is itself
      too long (a link's address)
"""

import pathlib
import re
import sys

WIDTH = 120
ITEM = re.compile(r"^(\s*)([-*+]|\d+[.)])\s+")
# At the beginning of a line these words would open a list, a heading, a quotation or a table.
OPENS = re.compile(r"^([-*+]|\d+[.)]|#{1,6}|>.*|\|.*|```.*)$")
# Two spaces or a backslash at the end of a line break it on purpose.
BREAK = re.compile(r"(  |\\)$")
ALONE = re.compile(r"^\s*(\||#|>|```|!\[|<|\[[^\]]+\]:)")


def fill(text, first, rest):
    """The words of `text` in lines of at most WIDTH: the first begins with `first`, the others with `rest`."""
    lines, line = [], []
    indent = len(first)
    for word in text.split():
        if line and indent + len(" ".join([*line, word])) > WIDTH:
            # What may not begin a line takes the word before it along.
            keep = [line.pop()] if OPENS.match(word) and len(line) > 1 else []
            lines.append(line)
            line, indent = keep, len(rest)
        line.append(word)
    lines.append(line)
    return [(rest if n else first) + " ".join(words) for n, words in enumerate(lines)]


def blocks(lines):
    """(kind, lines): `prose` is one paragraph or one list item, `other` is left as it is."""
    fenced = False
    block = []
    for number, line in enumerate(lines):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        indented = line.startswith("    ") and not block and (number == 0 or not lines[number - 1].strip())
        other = fenced or not line.strip() or indented or ALONE.match(line)
        if block and (other or ITEM.match(line)):
            yield "prose", block
            block = []
        if other:
            yield "other", [line]
            continue
        block.append(line)
        if BREAK.search(line):
            yield "prose", block
            block = []
    if block:
        yield "prose", block


def wrapped(text):
    out = []
    for kind, lines in blocks(text.split("\n")):
        if kind == "other" or all(len(line) <= WIDTH for line in lines):
            out += lines
            continue
        item = ITEM.match(lines[0])
        first = item.group(0) if item else re.match(r"\s*", lines[0]).group(0)
        rest = " " * len(first) if item else first
        out += fill(" ".join([lines[0][len(first) :], *lines[1:]]), first, rest)
        out[-1] += "  " if lines[-1].endswith("  ") else ""
    return "\n".join(out)


def main():
    for name in sys.argv[1:]:
        path = pathlib.Path(name)
        before = path.read_text(encoding="utf-8")
        after = wrapped(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            print(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
