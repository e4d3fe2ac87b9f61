#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every language has a way onto a machine: docs/install.md names it in its table, and the page says where to begin.

In:   docs/languages/*.md and docs/install.md.   Out: exit 0, or a line for each page that leaves it out and exit 1.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMES = {"c": "C", "cpp": "C++", "python": "Python", "rust": "Rust", "go": "Go", "node": "Node"}


def faults():
    table = "\n".join(l for l in (ROOT / "docs/install.md").read_text().splitlines() if l.startswith("| "))
    first = re.findall(r"^\| ([^|]*) \|", table, re.MULTILINE)
    listed = {word.strip() for cell in first for word in re.split(r",| or ", cell)}
    for page in sorted((ROOT / "docs/languages").glob("*.md")):
        name = NAMES.get(page.stem, page.stem)
        if name not in listed:
            yield f"docs/install.md: no row for {name}"
        install = re.search(r"^## Install\n(.*?)^## ", page.read_text(), re.DOTALL | re.MULTILINE)
        if install is None or not re.search(r"\bclone\b|install\.md", install.group(1)):
            yield f"{page.relative_to(ROOT)}: its section Install does not say where to begin: a clone, or install.md"


found = list(faults())
print("\n".join(found) or "every language has a row in docs/install.md and says where to begin")
sys.exit(1 if found else 0)
