#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every file of the tree that a page names in backticks is there.

In:   CONTRIBUTING.md, docs/big-and-endless.md
Out:  exit 0, or one line per fault and exit 1. Names with `toy` in them belong to the page's example.
Usage: check_paths.py [--self-test]
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = ("CONTRIBUTING.md", "docs/big-and-endless.md")
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"build"}


def faults_of(page, text):
    for number, line in enumerate(text.splitlines(), 1):
        for span in re.findall(r"`([^`]+)`", line):
            path = span.split()[0]
            if path.split("/")[0] not in FOLDERS or "/" not in path or "toy" in path:
                continue
            if not (ROOT / path).exists():
                yield f"{page}:{number}: there is no {path}"


def self_test():
    assert not list(faults_of("page", "`tests/docs/check_paths.py --self-test`, `src/dialect/`, `build/x`, `a/b`"))
    assert list(faults_of("page", "one\n`src/dialect/gone.cpp`")) == ["page:2: there is no src/dialect/gone.cpp"]


def main():
    if "--self-test" in sys.argv[1:]:
        return self_test()
    faults = [fault for page in PAGES for fault in faults_of(page, (ROOT / page).read_text(encoding="utf-8"))]
    print("\n".join(faults) or "every file is there")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
