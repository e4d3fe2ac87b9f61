#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is shipped, seen as an attacker or a packager sees it.

In:   the built files; --objects: a list of what they were linked from; --commands: how; --hide:
      folders whose names must not be inside
Out:  exit 0, or one line per fault and exit 1
Rule: full binding at load and read-only relocations, no executable stack, no relocations in code, no RPATH, a program
      that is position independent, shadow stack noted on x86-64 but no indirect branch tracking for what holds
      generated code, stack protector and (optimised) FORTIFY in our own objects, a SONAME, no path of the build.
      docs/decisions/hardening.md gives the reasons.
Usage: check_hardening.py [--hide DIR]... [--plain] [--objects LIST] [--commands JSON] FILE...
       --plain: built for a sanitizer or coverage, the compile options are off and a program has a fixed address
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys

# What the program may need where it runs: nothing that only the build machine has.
PROGRAM_NEEDS = re.compile(
    r"^(libctconv|libstdc\+\+|libm|libgcc_s|libc|libpthread|libdl|ld-linux.*|libasan|libubsan|libtsan|libgcov)\.so"
)


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def look(path, options):
    header, segments = run("readelf", "-hW", path), run("readelf", "-lW", path)
    dynamic, notes = run("readelf", "-dW", path), run("readelf", "-nW", path)
    program = "(NEEDED)" in dynamic and "Shared library: [libctconv.so" in dynamic
    if not re.search(r"\bBIND_NOW\b|Flags:.*\bNOW\b", dynamic):
        yield "functions are bound lazily (no BIND_NOW)"
    if "GNU_RELRO" not in segments:
        yield "relocations stay writable (no GNU_RELRO)"
    stack = re.search(r"GNU_STACK.*", segments)
    if not stack or re.search(r"\bRWE\b", stack.group()):
        yield "the stack is executable"
    if re.search(r"LOAD .* (RWE|WE)\b", segments):
        yield "a segment is writable and executable"
    if "TEXTREL" in dynamic:
        yield "relocations in code (TEXTREL)"
    if re.search(r"\((RPATH|RUNPATH)\)", dynamic):
        if not re.search(r"\((RPATH|RUNPATH)\).*\[\$ORIGIN[^:\]]*\]", dynamic):
            yield "an RPATH that is not relative to the file"
    if "Type:" in header and not re.search(r"Type:\s+DYN", header) and not options.plain:
        yield "not position independent"
    if "x86-64" in header.replace("X86-64", "x86-64") and not options.plain:
        feature = re.search(r"x86 feature: (.*)", notes)
        if not feature or "SHSTK" not in feature.group(1):
            yield "not marked for the shadow stack"
        elif "IBT" in feature.group(1):
            yield "marked for indirect branch tracking, which generated code does not keep"
    if program:
        for name in re.findall(r"\(NEEDED\).*\[(.*?)\]", dynamic):
            if not PROGRAM_NEEDS.match(name):
                yield f"needs {name}"
    elif not re.search(r"\(SONAME\).*\[libctconv", dynamic):
        yield "no SONAME"
    content = pathlib.Path(path).read_bytes()
    for folder in options.hide:
        at = content.find(folder.encode())
        if at >= 0:
            yield f"a path of the build is inside: {content[at : at + 120].split(bytes(1))[0].decode(errors='replace')}"


def look_at_objects(objects):
    undefined = run("nm", "-A", "-u", *objects)
    protected = {line.split(":")[0] for line in undefined.splitlines() if line.endswith(" __stack_chk_fail")}
    if len(protected) * 3 < len(objects):
        yield f"stack protector in {len(protected)} of {len(objects)} objects only"


def look_at_commands(path):
    """Few of our calls have a size to check, so that objects need not show it: how they are compiled does."""
    for command in json.loads(pathlib.Path(path).read_text()):
        line = command["command"]
        if re.search(r"/ctconv_(onednn_)?objects\.dir/", line) and not re.search(r"-D_FORTIFY_SOURCE=[23]", line):
            yield f"{command['file']}: compiled without FORTIFY"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hide", action="append", default=[])
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--commands")
    parser.add_argument("--objects", type=lambda path: pathlib.Path(path).read_text().split(), default=[])
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()
    faults = [f"{path}: {fault}" for path in options.files for fault in look(path, options)]
    if options.objects and not options.plain:
        faults += look_at_objects(options.objects)
    if options.commands and not options.plain:
        faults += look_at_commands(options.commands)
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
