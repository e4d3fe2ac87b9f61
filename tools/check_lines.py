#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The width of the tree's lines, as a test.

In:   the hand-written text files under the root: by their endings, and programs that begin with #!
Out:  nothing and exit 0, or one line per fault and exit 1
Rule: no line above 120 characters, no tab, no white space at a line's end, a line feed at the end of the file.
      Markdown may exceed 120 in a table, a heading and a line that has no place to break (a link); two spaces at the
      end of its lines are a break. A makefile's recipes begin with a tab. Data (.json, .tsv, .jsonl), licences and
      seeds of fuzzers are no text of ours.
Usage: check_lines.py [--root DIR] [--self-test]
"""

import argparse
import pathlib
import re
import sys
import tempfile

import tree

WIDTH = 120
ENDINGS = {".py", ".rs", ".js", ".cmake", ".txt", ".sh", ".toml", ".inc", ".in", ".md"} | tree.C_FAMILY
SEEDS = "tests/fuzz/seeds/"
UNBREAKABLE = re.compile(r"^\s*(?:[-*+]\s+|\d+[.)]\s+|>\s*)?\S+$")


def is_text(root, path):
    if path.startswith(SEEDS):
        return False
    suffix = pathlib.PurePosixPath(path).suffix
    if suffix or "/" not in path:
        return suffix in ENDINGS
    with open(root / path, "rb") as f:
        return f.read(2) == b"#!"


def may_be_long(path, line):
    return path.endswith(".md") and (line.lstrip().startswith(("|", "#")) or UNBREAKABLE.match(line))


def faults_of(root, path):
    try:
        text = (root / path).read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        return [(1, f"no UTF-8: {error.reason} at byte {error.start}")]
    out = []
    lines = text.split("\n")
    recipes = lines[0].startswith("#!/usr/bin/make")
    for number, line in enumerate(lines, 1):
        if recipes:
            line = line.removeprefix("\t")
        if len(line) > WIDTH and not may_be_long(path, line):
            out.append((number, f"{len(line)} characters, at most {WIDTH}"))
        if "\t" in line or "\r" in line:
            out.append((number, "a tab or a carriage return"))
        if line != line.rstrip(" ") and not (path.endswith(".md") and re.search(r"\S  $", line)):
            out.append((number, "white space at the end of the line"))
    if text and not text.endswith("\n"):
        out.append((len(lines), "no line feed at the end of the file"))
    return out


def check(root):
    count, bad = 0, []
    for path in tree.files(root):
        if is_text(root, path):
            count += 1
            bad += [f"{path}:{line}: {what}" for line, what in faults_of(root, path)]
    return count, bad


def self_test():
    """Plants one fault of each sort, and what is legal beside it, into an empty tree."""
    long = "x" * (WIDTH + 1)
    words = "word " * 30 + "end\n"
    planted = {
        "src/long.cpp": (f"// {long}\n", "124 characters, at most 120"),
        "cuda/long.cu": (f"{long}\n", "121 characters, at most 120"),
        "tools/program": (f"#!/bin/sh\n# {words}", "at most 120"),
        "CMakeLists.txt": (f"# {words}", "at most 120"),
        "docs/prose.md": (words, "at most 120"),
        "docs/item.md": (f"- {words}", "at most 120"),
        "src/wide.py": ("é" * (WIDTH + 1) + "\n", "121 characters"),
        "src/tab.h": ("int a;\tint b;\n", "a tab"),
        "src/return.h": ("int a;\r\n", "a tab or a carriage return"),
        "src/space.h": ("int a; \n", "white space at the end"),
        "src/end.h": ("int a;", "no line feed"),
        "src/latin.h": (b"// \xe9\n", "no UTF-8"),
    }
    legal = {
        "src/fits.cpp": "x" * WIDTH + "\n",
        "src/accents.cpp": "é" * WIDTH + "\n",
        "docs/table.md": f"| {words}# {words}- [a](https://{long})\n{long}\nbroken  \nhere\n",
        "tests/abi/0.1/frozen.h": long + "\n",
        "tests/data/values.json": long,
        "tests/fuzz/seeds/fuzz_npy/v1": long,
        "build/made.cpp": long,
        "NOTICE": long,
        "src/empty.h": "",
        "packaging/debian/rules": "#!/usr/bin/make -f\nall:\n\ttrue\n",
    }
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for path, text in [*legal.items(), *((p, t) for p, (t, _) in planted.items())]:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(text if isinstance(text, bytes) else text.encode())
        found = check(root)[1]
    for path, (_, expected) in planted.items():
        own = [line for line in found if line.startswith(path + ":")]
        if len(own) != 1 or expected not in own[0]:
            print(f"self-test: {path}: wanted one line with '{expected}', got {own}", file=sys.stderr)
            failures += 1
    for path in legal:
        if any(line.startswith(path + ":") for line in found):
            print(f"self-test: {path} is legal but was reported", file=sys.stderr)
            failures += 1
    print(f"self-test: {len(planted)} planted faults, {len(legal)} legal files, {failures} judged wrongly")
    return 1 if failures else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, default=tree.ROOT)
    parser.add_argument("--self-test", action="store_true", help="plant faults and see that each is caught")
    options = parser.parse_args()
    if options.self_test:
        return self_test()
    count, bad = check(options.root)
    for line in bad:
        print(line)
    print(f"check_lines: {count} files, {len(bad)} faults", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
