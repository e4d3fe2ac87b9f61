#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Today's header against the frozen one of release 0.1, as abidiff (libabigail) sees it.

In:   tests/abi/0.1, include/ctconv; abidiff and a C compiler
Out:  exit 0, or abidiff's report and exit 1; 77 without abidiff
Rule: of both headers a library of empty functions is built, with debug information. No function of 0.1 has left or has
      other types; no record has changed, but that those with struct_size have grown at their end. Planted faults are
      seen: a function that left, a field of another size, a field in the middle.
Usage: check_abi.py [--compiler CC]
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
GROWING = "error runner allocator options call argument grads stream_options".split()
SUPPRESSED = "".join(
    f"[suppress_type]\n  type_kind = struct\n  name = ctconv_{name}\n  has_data_member_inserted_at = end\n"
    f"  has_size_change = yes\n\n"
    for name in GROWING
)
PLANTS = (
    (r"CTCONV_API void ctconv_destroy\(ctconv_op \*op\);", ""),
    (r"uint64_t byte_offset;", "uint32_t byte_offset;"),
    (r"(int32_t threads;)", r"int32_t planted; \1"),
)


def header_text(folder):
    names = [n for n in ("ctconv_status.h", "ctconv_types.h", "ctconv.h", "ctconv_stream.h") if (folder / n).exists()]
    text = "\n".join((folder / name).read_text(encoding="utf-8") for name in names)
    return re.sub(r'^#include "ctconv\w*\.h".*$', "", text, flags=re.M)


def library(compiler, folder, name, text):
    """A shared library whose functions are the header's, all empty."""
    plain = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    functions = re.findall(r"^CTCONV_API ([^;]*?)\b(ctconv_\w+)\(([^;]*)\);", plain, re.M | re.S)
    bodies = [f"{r} {f}({a}) {{ {'' if r.strip() == 'void' else 'return 0;'} }}" for r, f, a in functions]
    (folder / f"{name}.c").write_text(text + "\n" + "\n".join(bodies) + "\n", encoding="utf-8")
    built = folder / f"{name}.so"
    command = [compiler, "-g", "-shared", "-fPIC", "-w", "-o", built, folder / f"{name}.c"]
    subprocess.run(command, check=True)
    return built


def difference(folder, old, new):
    """abidiff's report; empty where nothing that old callers see has changed."""
    (folder / "suppressed").write_text(SUPPRESSED, encoding="utf-8")
    command = ["abidiff", "--no-added-syms", "--suppressions", folder / "suppressed", old, new]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout + done.stderr if done.returncode else ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--compiler", default="cc")
    options = parser.parse_args()
    if not shutil.which("abidiff"):
        print("no abidiff (Debian: abigail-tools)")
        return 77
    frozen, today = header_text(ROOT / "tests/abi/0.1"), header_text(ROOT / "include/ctconv")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        old = library(options.compiler, folder, "old", frozen)
        report = difference(folder, old, library(options.compiler, folder, "new", today))
        for n, (good, bad) in enumerate(PLANTS):
            planted, count = re.subn(good, bad, today)
            assert count == 1, good
            assert difference(folder, old, library(options.compiler, folder, f"planted{n}", planted)), good
    print(report or f"nothing that callers of 0.1 see has changed; {len(PLANTS)} planted faults seen")
    return 1 if report else 0


if __name__ == "__main__":
    sys.exit(main())
