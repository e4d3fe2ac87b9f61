#!/usr/bin/env python3
"""libctconv.so seen from outside.

In:   the built library, capi/symbols.txt, the public header
Out:  exit 0, or one line per fault and exit 1
Rule: the defined dynamic symbols are exactly those of symbols.txt (one version node, CTCONV_<abi>); every function of the
      header is in the list and the other way round; the SONAME is libctconv.so.<abi>; nothing of CUDA, OpenMP or oneDNN is needed.
Usage: check_symbols.py LIBRARY
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# What the shared library may need. Sanitizers add their run-time libraries.
ALLOWED = re.compile(r"^(libstdc\+\+|libm|libgcc_s|libc|libpthread|libdl|ld-linux.*|libasan|libubsan|libtsan|libgcov)\.so")


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main():
    library = sys.argv[1]
    faults = []
    listed = [line for line in (ROOT / "capi/symbols.txt").read_text().split() if line]
    if listed != sorted(set(listed)):
        faults.append("capi/symbols.txt is not sorted or holds a name twice")
    header = (ROOT / "include/ctconv/ctconv.h").read_text()
    declared = set(re.findall(r"^CTCONV_API [^(]*?\b(ctconv_\w+)\(", header, re.M))
    for name in declared ^ set(listed):
        faults.append(f"{name}: in {'the header' if name in declared else 'symbols.txt'} only")

    exported, nodes = set(), set()
    for line in run("nm", "-D", "--defined-only", library).splitlines():
        kind, name = line.split()[-2:]
        name, _, version = name.partition("@@")
        if kind == "A":  # the version node itself
            nodes.add(name)
        else:
            exported.add(name)
            if version:
                nodes.add(version)
    for name in sorted(exported - set(listed)):
        faults.append(f"{name}: exported, but not in symbols.txt")
    for name in sorted(set(listed) - exported):
        faults.append(f"{name}: in symbols.txt, but not exported")

    needed = run("readelf", "-d", library)
    soname = re.search(r"SONAME.*\[(.*?)\]", needed)
    if not soname or not re.fullmatch(r"libctconv\.so\.\d+", soname.group(1)):
        faults.append(f"SONAME is {soname.group(1) if soname else 'missing'}")
    elif nodes != {"CTCONV_" + soname.group(1).rsplit(".", 1)[1]}:
        faults.append(f"version nodes are {sorted(nodes)}")
    for name in re.findall(r"NEEDED.*\[(.*?)\]", needed):
        if not ALLOWED.match(name):
            faults.append(f"needs {name}")
    for line in run("ldd", library).splitlines():
        if re.search(r"cuda|cudnn|cublas|nvrtc|gomp|libomp|iomp|tbb", line.split()[0]):
            faults.append("loads " + line.strip())
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
