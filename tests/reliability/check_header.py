#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The public headers alone, by every compiler here and every standard a caller may ask for.

In:   gcc and clang, as far as they are on the path; include/ctconv
Out:  exit 0, or what a compiler said and exit 1; 77 where neither is there
Rule: each header is whole by itself, and every warning is an error.
Usage: check_header.py
"""

import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADERS = ("ctconv.h", "ctconv_types.h", "ctconv_status.h", "ctconv_stream.h")
STANDARDS = {"c": ("c99", "c11", "c17"), "c++": ("c++17", "c++20")}
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror")


def said(compiler, language, standard, text):
    command = [compiler, f"-std={standard}", *WARNINGS, f"-I{ROOT / 'include'}", "-fsyntax-only", "-x", language, "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    return done.stderr if done.returncode else ""


def main():
    compilers = [name for name in ("gcc", "clang") if shutil.which(name)]
    if not compilers:
        print("neither gcc nor clang")
        return 77
    count, faults = 0, []
    texts = [(name, f"#include <ctconv/{name}>\nint main(void) {{ return 0; }}\n") for name in HEADERS]
    for compiler in compilers:
        for language, standards in STANDARDS.items():
            for standard in standards:
                for name, text in texts:
                    count += 1
                    if words := said(compiler, language, standard, text):
                        faults.append(f"{compiler} -std={standard} {name}: {words[:400]}")
    # The rule finds a fault.
    assert said(compilers[0], "c", "c99", "int f(void) { int unused; return 0; }\n")
    print("\n".join(faults) or f"{count} times a header alone, by {' and '.join(compilers)}: 0 faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
