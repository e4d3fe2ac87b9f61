# SPDX-License-Identifier: Apache-2.0
"""The built module: one export, its SONAME, no CUDA or cuDNN among what it needs,
code for every architecture; libctconv.so knows no CUDA.

in: --module libctconv_cuda.so [--library libctconv.so] --architectures 80,86 [--cuobjdump path];
out: exit status, one line a check
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys


ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--module", required=True)
    parser.add_argument("--library")
    parser.add_argument("--architectures", default="")
    parser.add_argument("--cuobjdump", default="")
    a = parser.parse_args()
    bad = []

    exported = [line.split()[-1] for line in run("nm", "-D", "--defined-only", a.module).splitlines()]
    if exported != ["ctconv_cuda_module_init"]:
        bad.append(f"exports {exported}")
    undefined = [line.split()[-1] for line in run("nm", "-D", "--undefined-only", a.module).splitlines()]
    foreign = [s for s in undefined if re.match(r"(cu[A-Z]|cuda|cudnn|__cuda|_Z)", s)]
    if foreign:
        bad.append(f"undefined {foreign}")
    allowed = re.compile(r"lib(c|m|dl|rt|pthread|gcc_s)\.so|ld-linux")
    needed = re.findall(r"NEEDED\s+(\S+)", run("objdump", "-p", a.module))
    if [n for n in needed if not allowed.match(n)]:
        bad.append(f"needs {needed}")
    seam = re.search(r"^#define CTCONV_CUDA_ABI (\d+)u$", (ROOT / "cuda/module.h").read_text(), re.M).group(1)
    soname = re.findall(r"SONAME\s+(\S+)", run("objdump", "-p", a.module))
    if soname != [f"libctconv_cuda.so.{seam}"]:
        bad.append(f"SONAME {soname}")
    print("module: exports", exported, "needs", needed, "SONAME", soname)
    if a.library and not os.path.exists(a.library):
        print("library: not built here, NOT LOOKED AT")
    elif a.library:
        library = re.findall(r"NEEDED\s+(\S+)", run("objdump", "-p", a.library))
        symbols = [line.split()[-1] for line in run("nm", "-D", a.library).splitlines()]
        if any("cud" in n for n in library) or any(re.match(r"(cu[A-Z]|cuda|cudnn)", s) for s in symbols):
            bad.append(f"libctconv needs {library}")
        print("library: needs", library)
    if a.cuobjdump and a.architectures:
        elf = run(a.cuobjdump, "--list-elf", a.module)
        ptx = run(a.cuobjdump, "--list-ptx", a.module)
        for one in a.architectures.split(","):
            if f".sm_{one}." not in elf:
                bad.append(f"no machine code for sm_{one}")
        newest = a.architectures.split(",")[-1]
        if f".sm_{newest}." not in ptx:
            bad.append(f"no PTX for compute_{newest}")
        print(
            "module: machine code for",
            sorted(set(re.findall(r"sm_\d+", elf))),
            "PTX",
            sorted(set(re.findall(r"sm_\d+", ptx))),
        )
    for line in bad:
        print("FAILED:", line)
    return 1 if bad else 0


sys.exit(main())
