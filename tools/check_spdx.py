#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The licence line of the tree's files, as a test.

In:   the programs and sources under the root (tree.py), generated ones too: by their endings, and what begins with #!
Out:  nothing and exit 0, or one line per fault and exit 1; with --write the missing lines are put in
Rule: the first line, or the second behind a program's #!, is `SPDX-License-Identifier: Apache-2.0` in the comment of
      its language. In Go an empty line parts it from `package`: else it is the package's documentation.
Left: data, pages, pictures: LICENSE speaks for the whole tree. examples/, which pages quote to the letter. Frozen
      headers (tests/abi/0.*).
Usage: check_spdx.py [--write] [--root DIR] [--self-test]
"""

import argparse
import pathlib
import sys
import tempfile

import tree

TAG = "SPDX-License-Identifier: Apache-2.0"
BLOCK = "/* {} */"  # C99 and what is included from it
FORMS = {
    **dict.fromkeys((".c", ".inc"), BLOCK),
    **dict.fromkeys((".h", ".hpp", ".cpp", ".cu", ".cuh", ".rs", ".go", ".js", ".mjs", ".ts"), "// {}"),
    **dict.fromkeys((".py", ".cmake", ".sh", ".toml", ".in", ".yml", ".yaml", ".cff"), "# {}"),
}
NAMED = {"CMakeLists.txt": "# {}", "requirements.txt": "# {}"}
LEFT = ("tests/data/", "tests/fuzz/seeds/", "examples/")


def form_of(root, path):
    """The line that `path` must have, or None: it is no text of this rule."""
    if path.startswith(LEFT):
        return None
    name = pathlib.PurePosixPath(path)
    form = NAMED.get(name.name) or FORMS.get(name.suffix)
    if path.startswith("include/"):
        form = form and BLOCK  # also for C90 callers
    if form is None and not name.suffix:
        with open(root / path, "rb") as f:
            form = "# {}" if f.read(2) == b"#!" else None
    return form and form.format(TAG)


def check(root, write):
    count, bad = 0, []
    for path in tree.files(root):
        wanted = form_of(root, path)
        if not wanted:
            continue
        count += 1
        text = (root / path).read_text(encoding="utf-8")
        lines = text.split("\n")
        at = 1 if lines[0].startswith("#!") else 0
        kept = [line for line in lines if line != wanted]
        parting = [""] if path.endswith(".go") and "".join(kept[at : at + 1]).startswith("package ") else []
        if lines == kept[:at] + [wanted] + parting + kept[at:]:
            continue
        if write:
            (root / path).write_text("\n".join(kept[:at] + [wanted] + parting + kept[at:]), encoding="utf-8")
        else:
            what = f"an empty line behind '{wanted}'" if wanted in lines[at : at + 1] else f"the line '{wanted}'"
            bad.append(f"{path}:{at + 1}: {what} is missing; tools/check_spdx.py --write adds it")
    return count, bad


def self_test():
    """Files without the line, or with it in the wrong place or form, and what is legal beside them."""
    planted = {
        "src/none.cpp": "// A.\n",
        "src/other.cpp": "// SPDX-License-Identifier: MIT\n// A.\n",
        "include/ctconv/form.h": f"// {TAG}\n/* A. */\n",
        "tools/late": f"#!/bin/sh\n# A.\n# {TAG}\n",
        "src/late.py": f'"""A."""\n# {TAG}\n',
        "bindings/rust/src/lib.rs": "//! A.\n",
        "bindings/go/glued.go": f"// {TAG}\npackage a\n",
        "CMakeLists.txt": "# A.\n",
        "bench/requirements.txt": "numpy\n",
    }
    legal = {
        "src/right.cpp": f"// {TAG}\n// A.\n",
        "include/ctconv/right.h": f"/* {TAG} */\n/* A. */\n",
        "tools/right": f"#!/bin/sh\n# {TAG}\n# A.\n",
        "bindings/go/apart.go": f"// {TAG}\n\npackage a\n",
        "bindings/go/told.go": f"// {TAG}\n// Generated.\n\npackage a\n",
        "docs/page.md": "# A\n",
        "tests/data/cases.py": "# data\n",
        "tests/abi/0.1/frozen.h": "/* A. */\n",
        "src/kinds.tsv": "1\n",
        "examples/hello.c": "/* hello.c: A. */\n",
        "README": "text\n",
    }
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for path, text in {**planted, **legal}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        found = check(root, False)[1]
        for path in planted:
            failures += sum(line.startswith(path + ":") for line in found) != 1
        failures += len(found) != len(planted)
        failures += bool(check(root, True)[1] + check(root, False)[1])
        failures += (root / "src/late.py").read_text() != f'# {TAG}\n"""A."""\n'
    print(f"self-test: {len(planted)} planted faults, {len(legal)} legal files, {failures} judged wrongly")
    return 1 if failures else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, default=tree.ROOT)
    parser.add_argument("--write", action="store_true", help="add the missing lines")
    parser.add_argument("--self-test", action="store_true", help="plant faults and see that each is caught")
    options = parser.parse_args()
    if options.self_test:
        return self_test()
    count, bad = check(options.root, options.write)
    for line in bad:
        print(line)
    print(f"check_spdx: {count} files, {len(bad)} faults", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
