#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pins what `volatile` buys in src/engine/native/simd_channels.cpp, as a test.

In:   the folder with the compiled object; objdump
Out:  exit 0: in the loop of each block of 6 to 12 positions no address comes out of a vector register; else exit 1
Refuses: a machine without objdump, code for another processor, a build that is not optimised: exit 77
Why:  such moves compete with the multiply-adds for their ports
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys

ROUTINE = re.compile(r"^[0-9a-f]+ <.*N_AVX[23]::.*Channels<(?:float|double), (\d+), \d+>")
PRODUCT = re.compile(r"\tvfmadd\d+[ps][sd] ")
FROM_VECTOR = re.compile(r"\tv?(?:movq|pextrq|movd|pextrd) +(?:\$\w+,)?%[xyz]mm\d+,%r")


def routines(text):
    """(name, rows, lines) of each block routine in a disassembly."""
    for part in re.split(r"\n\n+", text):
        lines = part.strip().splitlines()
        found = ROUTINE.match(lines[0]) if lines else None
        if found:
            yield lines[0], int(found.group(1)), lines[1:]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    options = parser.parse_args()
    objects = [p for p in options.folder.rglob("simd_channels.cpp.o")]
    if len(objects) != 1 or shutil.which("objdump") is None:
        print("parked_test: skipped: no object of simd_channels.cpp, or no objdump", file=sys.stderr)
        return 77
    command = ["objdump", "-d", "-C", "--no-show-raw-insn", str(objects[0])]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seen, faults = 0, []
    for name, rows, lines in routines(text):
        places = [i for i, line in enumerate(lines) if PRODUCT.search(line)]
        if rows < 6 or not places:
            continue
        seen += 1
        inside = [line for line in lines[places[0] : places[-1]] if FROM_VECTOR.search(line)]
        faults += [f"{name}: {line.strip()}" for line in inside[:1]]
    if seen == 0:
        print("parked_test: skipped: no optimised routine for AVX2 or AVX-512", file=sys.stderr)
        return 77
    for fault in faults:
        print(fault)
    print(f"parked_test: {seen} routines, {len(faults)} with addresses in vector registers", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
