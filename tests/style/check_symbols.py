#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""libctconv.so seen from outside.

In:   the built library, capi/symbols.txt (symbol and the release it appeared in), the public header
Out:  exit 0, or one line per fault and exit 1
Rule: the defined dynamic symbols are exactly those of symbols.txt, each in its release's version node: CTCONV_<abi> for
      the first release, CTCONV_<release> for later ones; no release is above the header's; every function of the header
      is in the list and the other way round; the SONAME is libctconv.so.<abi>, the header's CTCONV_ABI; nothing of
      CUDA, OpenMP or oneDNN is needed.
Usage: check_symbols.py LIBRARY
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# What the shared library may need. Sanitizers add their run-time libraries.
ALLOWED = re.compile(
    r"^(libstdc\+\+|libm|libgcc_s|libc|libpthread|libdl|ld-linux.*|libasan|libubsan|libtsan|libgcov)\.so"
)


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def read_table(text):
    """symbols.txt as {symbol: (major, minor)} and the faults of its form."""
    table, faults = {}, []
    names = [line.split()[0] for line in text.splitlines() if line]
    if names != sorted(set(names)):
        faults.append("capi/symbols.txt is not sorted or holds a name twice")
    for line in text.splitlines():
        match = re.fullmatch(r"(ctconv_\w+) (\d+)\.(\d+)", line)
        if match:
            table[match.group(1)] = (int(match.group(2)), int(match.group(3)))
        else:
            faults.append(f"capi/symbols.txt: not \"symbol release\": {line!r}")
    return table, faults


def node_of(release, table, abi):
    """The version node of a release's symbols."""
    return f"CTCONV_{abi}" if release == min(table.values()) else "CTCONV_{}.{}".format(*release)


def version_faults(library, table, abi):
    """What the library exports against what the table says, node by node."""
    exported, nodes = {}, set()
    for line in run("nm", "-D", "--defined-only", library).splitlines():
        kind, name = line.split()[-2:]
        name, _, version = name.partition("@@")
        if kind == "A":  # the version node itself
            nodes.add(name)
        else:
            exported[name] = version
    faults = [f"{name}: exported, but not in symbols.txt" for name in sorted(set(exported) - set(table))]
    faults += [f"{name}: in symbols.txt, but not exported" for name in sorted(set(table) - set(exported))]
    for name in sorted(set(table) & set(exported)):
        want = node_of(table[name], table, abi)
        if exported[name] != want:
            faults.append(f"{name}: in version node {exported[name] or 'none'}, should be in {want}")
    unknown = nodes - {node_of(release, table, abi) for release in table.values()}
    return faults + [f"version node {node} belongs to no release" for node in sorted(unknown)]


def macro(header, name):
    return int(re.search(rf"^#define {name} (\d+)\b", header, re.M).group(1))


def main():
    library = sys.argv[1]
    header = "".join((ROOT / "include/ctconv" / name).read_text() for name in ("ctconv.h", "ctconv_stream.h"))
    abi = macro(header, "CTCONV_ABI")
    release = (macro(header, "CTCONV_VERSION_MAJOR"), macro(header, "CTCONV_VERSION_MINOR"))
    table, faults = read_table((ROOT / "capi/symbols.txt").read_text())
    declared = set(re.findall(r"^CTCONV_API [^(]*?\b(ctconv_\w+)\(", header, re.M))
    for name in sorted(declared ^ set(table)):
        faults.append(f"{name}: in {'the header' if name in declared else 'symbols.txt'} only")
    faults += [f"{name}: of a release above the header's" for name in sorted(table) if table[name] > release]
    faults += version_faults(library, table, abi)

    needed = run("readelf", "-d", library)
    soname = re.search(r"SONAME.*\[(.*?)\]", needed)
    if not soname or soname.group(1) != f"libctconv.so.{abi}":
        faults.append(f"SONAME is {soname.group(1) if soname else 'missing'}")
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
