#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The include rule of the tree, and the size of its files, as a test.

In:   the hand-written sources (.h .hpp .cpp .c .cu .cuh) under the root
Out:  nothing and exit 0, or one line per fault and exit 1
Rule: the table below; a folder may always include itself; includes of ours are spelt from the repository root
      (installed headers as "ctconv/..."); no file above 500 lines or 20 kB; each opens with a comment; cuda's
      and the engines' folders never meet, what they share lies in src/kit; a folder that is not in the table is a
      fault.
Usage: check_layers.py [--root DIR] [--self-test] [--table]
"""

import argparse
import pathlib
import re
import shutil
import sys
import tempfile

import tree

ROOT = pathlib.Path(__file__).resolve().parent.parent
PUBLIC = "include/ctconv"
ALL = "*"
# What the backends share; of each other they know nothing.
BACKEND = [f"src/backend/{name}.h" for name in ("backend", "facts", "fixed", "gradient_parts", "options", "workspace")]
# folder: what it may include besides itself, folders with all below them or single files. The longest matching
# folder decides.
TABLE = {
    "include/ctconv": [],
    "src/base": [],
    "src/args": ["src/base"],
    "src/desc": ["src/base"],
    "src/dialect": ["src/base", "src/args", "src/desc"],
    "src/problem": ["src/base", "src/desc"],
    "src/machine": ["src/base", "src/kit/targets.h"],
    "src/plan": ["src/base", "src/problem", "src/machine"],
    "src/kit": ["src/base", "src/problem"],
    "src/engine/reference": ["src/base", "src/problem", "src/plan", "src/kit", "src/machine"],
    "src/engine/native": ["src/base", "src/problem", "src/plan", "src/kit", "src/machine"],
    "src/engine/winograd": ["src/base", "src/problem", "src/plan", "src/kit", "src/machine"],
    "src/engine/onednn": ["src/base", "src/problem", "src/plan", "src/kit", "src/machine"],
    "src/engine/tiles": ["src/base", "src/problem", "src/plan", "src/kit", "src/machine"],
    "src/backend": ["src/base", "src/problem", "src/plan"],
    "src/backend/cpu": ["src/base", "src/problem", "src/plan", *BACKEND],
    "src/backend/cuda": ["src/base", "src/problem", "src/plan", *BACKEND, "cuda/module.h"],
    "src/stream": ["src/base", "src/desc", "src/problem", "src/backend/backend.h", "src/backend/fixed.h"],
    "cuda": ["src/base", "src/problem", "src/plan"],
    "capi": [ALL],
    "tests": [ALL],
    "tools": [PUBLIC],
    "bindings": [PUBLIC],
    "bench": [PUBLIC],
    "examples": [PUBLIC],
}
MAX_LINES, MAX_BYTES = 500, 20 * 1024
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
# Highway re-includes the file it stands in, by this macro.
TARGET = re.compile(r'^\s*#\s*define\s+HWY_TARGET_INCLUDE\s+"([^"]+)"')


def folder_of(path):
    """The row of TABLE that `path` (from the root) belongs to, or None."""
    best = [f for f in TABLE if below(path, f)]
    return max(best, key=len) if best else None


def below(path, folder):
    """Whether `path` is that file, or lies in that folder."""
    return path == folder or path.startswith(folder + "/")


def resolve(root, path, kind, name):
    """The file of ours that an include names, as a path from the root; None: not ours.
    A list of complaints beside it."""
    if name.startswith("ctconv/"):  # the public header, as its users spell it
        return "include/" + name, []
    if (root / name).is_file() and folder_of(name):
        return name, ([] if kind == '"' else [f'<{name}>: our own files are included with quotes'])
    beside = (root / path).parent / name
    if kind == '"' and beside.is_file():
        inside = str(beside.resolve().relative_to(root.resolve()))
        if path.startswith(PUBLIC + "/") and inside.startswith(PUBLIC + "/"):
            return inside, []  # installed headers cannot know our root
        return inside, [f'"{name}": spell it from the repository root, "{inside}"']
    if kind == '"' and name.split("/")[0] in {f.split("/")[0] for f in TABLE}:
        return None, [f'"{name}": no such file']
    return None, []


def faults_of(root, path):
    text = (root / path).read_text(encoding="utf-8", errors="replace")
    out = []
    row = folder_of(path)
    if row is None:
        return [(1, "this folder has no row in the table of tools/check_layers.py")]
    lines = text.splitlines()
    if not text.lstrip().startswith(("//", "/*")):
        out.append((1, "a file opens with a comment: what comes in, what goes out, what it refuses"))
    if not tree.is_generated(path, root):
        if len(lines) > MAX_LINES:
            out.append((MAX_LINES + 1, f"{len(lines)} lines, at most {MAX_LINES}"))
        if len(text.encode()) > MAX_BYTES:
            out.append((1, f"{len(text.encode())} bytes, at most {MAX_BYTES}"))
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        kind, name = match.groups() if match else (None, None)
        if not match and (target := TARGET.match(line)):
            kind, name = '"', target.group(1)
        if name is None:
            continue
        target, complaints = resolve(root, path, kind, name)
        out += [(number, c) for c in complaints]
        if target is None:
            continue
        allowed, to = TABLE[row], folder_of(target)
        if ALL in allowed or to == row or any(below(target, a) for a in allowed):
            continue
        may = ", ".join(allowed) if allowed else "nothing of ours"
        out.append((number, f'includes "{name}" of {to or target}; {row} may include itself and {may}'))
    return out


def check(root):
    count, bad = 0, []
    for path in tree.sources(root):
        count += 1
        bad += [f"{path}:{line}: {what}" for line, what in faults_of(root, path)]
    return count, bad


def self_test():
    """Plants one fault of each sort into a copy of the tree and asks that exactly that is reported."""
    opening = "// Planted.\n"
    planted = [
        (
            "src/base/planted.h",
            opening + '#include "src/problem/problem.h"\n',
            "src/base may include itself and nothing of ours",
        ),
        (
            "src/engine/native/planted.cpp",
            opening + '#include "src/engine/reference/planted_target.h"\n',
            "of src/engine/reference",
        ),
        (
            "src/kit/planted.h",
            opening + '#include "src/plan/engine.h"\n',
            "src/kit may include itself and src/base, src/problem",
        ),
        ("src/kit/planted.cpp", opening + '#include "src/engine/native/native.h"\n', "of src/engine/native"),
        ("src/problem/planted_kit.h", opening + '#include "src/kit/moves.h"\n', "of src/kit"),
        (
            "src/backend/planted.cpp",
            opening + '#include "cuda/planted_target.h"\n',
            "src/backend may include itself and src/base, src/problem, src/plan",
        ),
        ("src/backend/planted_up.h", opening + '#include "capi/planted_target.h"\n', "of capi"),
        ("src/backend/planted_down.cpp", opening + '#include "src/backend/cpu/cpu_backend.h"\n', "of src/backend/cpu"),
        ("src/backend/cpu/planted.h", opening + '#include "src/backend/cuda/cuda_backend.h"\n', "of src/backend/cuda"),
        ("src/backend/cpu/planted.cpp", opening + '#include "src/engine/native/native.h"\n', "of src/engine/native"),
        ("src/backend/cuda/planted.cpp", opening + '#include "cuda/planted_target.h"\n', "of cuda"),
        (
            "src/engine/native/planted_backend.cpp",
            opening + '#include "src/backend/planted_target.h"\n',
            "of src/backend",
        ),
        ("src/problem/planted.cpp", opening + '#include "problem.h"\n', "spell it from the repository root"),
        (
            "tools/planted.cpp",
            opening + '#include "src/base/status.h"\n',
            "tools may include itself and include/ctconv",
        ),
        ("examples/planted.c", opening + '#include "capi/planted_target.h"\n', "of capi"),
        ("src/plan/planted.h", opening + '#include "src/plan/nowhere.h"\n', "no such file"),
        ("src/desc/planted.h", "#pragma once\n", "opens with a comment"),
        ("src/args/planted.h", opening + "\n" * MAX_LINES, "lines, at most"),
        ("src/args/planted.cpp", opening + "// " + "x" * MAX_BYTES + "\n", "bytes, at most"),
        ("extra/planted.cpp", opening, "no row in the table"),
    ]
    harmless = [
        ("src/engine/reference/planted_target.h", opening),
        ("capi/planted_target.h", opening),
        ("cuda/planted_target.h", opening),
        ("src/backend/planted_target.h", opening),
        (
            "src/backend/cuda/planted_legal.cpp",
            opening + '#include "cuda/module.h"\n#include "src/backend/backend.h"\n',
        ),
        ("src/engine/reference/planted_legal.cpp", opening + '#include "src/kit/moves.h"\n'),
        ("tools/planted_public.cpp", opening + '#include "ctconv/ctconv.h"\n'),
        ("tests/planted.cpp", opening + '#include "src/base/status.h"\n#include "capi/planted_target.h"\n'),
    ]
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / "tree"
        for path in tree.sources(ROOT):
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, copy / path)
        for path, text in harmless:
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            (copy / path).write_text(text)
        before = set(check(copy)[1])
        for path, _ in harmless:
            if any(line.startswith(path + ":") for line in before):
                print(f"self-test: {path} is legal but was reported", file=sys.stderr)
                failures += 1
        for path, text, expected in planted:
            target = copy / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
            new = [line for line in check(copy)[1] if line not in before]
            if len(new) != 1 or not new[0].startswith(path + ":") or expected not in new[0]:
                print(f"self-test: {path}: wanted one line with '{expected}', got {new}", file=sys.stderr)
                failures += 1
            target.unlink()
    print(f"self-test: {len(planted) - failures} of {len(planted)} planted faults caught")
    return 1 if failures else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, default=ROOT)
    parser.add_argument("--self-test", action="store_true", help="plant faults in a copy and see that each is caught")
    parser.add_argument("--table", action="store_true", help="print the rule")
    options = parser.parse_args()
    if options.table:
        for folder, allowed in TABLE.items():
            print(f"{folder:22} {'everything' if ALL in allowed else ' '.join(allowed) or '-'}")
        return 0
    if options.self_test:
        return self_test()
    count, bad = check(options.root)
    for line in bad:
        print(line)
    print(f"check_layers: {count} files, {len(bad)} faults", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
