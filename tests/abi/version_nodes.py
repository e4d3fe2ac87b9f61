#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A symbol of the next minor release gets a version node of its own.

In:   cmake/VersionScript.cmake, a planted table of three releases, a C compiler
Out:  exit 0, or one line per fault and exit 1
Rule: each symbol carries its release's node; a program linked with the newer library is refused when it starts with the
      older one, and not at its first call; one linked with the older library runs with the newer; check_symbols.py
      sees a symbol in a wrong node.
Usage: version_nodes.py CMAKE CC
"""

import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/style"))
import check_symbols  # noqa: E402

OLD = "ctconv_alpha 0.1\nctconv_beta 0.1\n"
NEW = "ctconv_alpha 0.1\nctconv_beta 0.1\nctconv_gamma 0.2\nctconv_iota 0.10\n"


def build(cmake, cc, folder, table, script_table=None):
    """libctconv.so.0 in `folder` with the functions of `table`, versioned by `script_table`."""
    folder.mkdir()
    names = [line.split()[0] for line in table.splitlines()]
    (folder / "code.c").write_text(
        "".join(f"int {name}(void) {{ return 1; }}\n" for name in names) + "int hidden(void) { return 0; }\n"
    )
    (folder / "table").write_text(script_table or table)
    subprocess.run(
        [
            cmake,
            f"-DTABLE={folder}/table",
            "-DABI=0",
            f"-DOUT={folder}/script",
            "-P",
            str(ROOT / "cmake/VersionScript.cmake"),
        ],
        check=True,
    )
    library = folder / "libctconv.so.0"
    subprocess.run(
        [
            cc,
            "-shared",
            "-fPIC",
            str(folder / "code.c"),
            "-o",
            str(library),
            "-Wl,-soname,libctconv.so.0",
            f"-Wl,--version-script={folder}/script",
        ],
        check=True,
    )
    return library


def program(cc, path, library, name):
    """A program that says so when it has started, then calls `name` if it has an argument."""
    path.with_suffix(".c").write_text(
        f'#include <stdio.h>\nint {name}(void);\n'
        f'int main(int n, char **v) {{ (void)v; puts("started"); fflush(stdout); return n > 1 ? {name}() - 1 : 0; }}\n'
    )
    subprocess.run([cc, str(path.with_suffix(".c")), "-o", str(path), str(library), "-Wl,-z,lazy"], check=True)
    return path


def start(path, folder, *arguments):
    environment = dict(os.environ, LD_LIBRARY_PATH=str(folder))
    return subprocess.run([str(path), *arguments], env=environment, capture_output=True, text=True)


def main():
    cmake, cc = sys.argv[1:3]
    faults = []

    def expect(condition, text):
        if not condition:
            faults.append(text)

    with tempfile.TemporaryDirectory() as scratch:
        work = pathlib.Path(scratch)
        old = build(cmake, cc, work / "old", OLD)
        new = build(cmake, cc, work / "new", NEW)
        table, form = check_symbols.read_table(NEW)
        faults += form + check_symbols.version_faults(str(new), table, 0)
        listing = check_symbols.run("nm", "-D", str(new))
        for wanted in ("ctconv_alpha@@CTCONV_0\n", "ctconv_gamma@@CTCONV_0.2\n", "ctconv_iota@@CTCONV_0.10\n"):
            expect(wanted in listing, f"{wanted.strip()} is missing in:\n{listing}")
        expect("hidden" not in listing, "a symbol outside the table is exported")

        wrong = build(cmake, cc, work / "wrong", NEW, NEW.replace("gamma 0.2", "gamma 0.1"))
        seen = check_symbols.version_faults(str(wrong), table, 0)
        expect(
            any("ctconv_gamma: in version node CTCONV_0, " in fault for fault in seen), f"wrong node not seen: {seen}"
        )

        user = program(cc, work / "user_of_old", old, "ctconv_alpha")
        for folder in (old.parent, new.parent):
            result = start(user, folder, "call")
            expect(result.returncode == 0, f"0.1's program with {folder.name}: {result.stderr}")
        user = program(cc, work / "user_of_new", new, "ctconv_gamma")
        expect(start(user, new.parent, "call").returncode == 0, "0.2's program with its own library fails")
        result = start(user, old.parent)
        expect(
            result.returncode != 0 and "started" not in result.stdout and "CTCONV_0.2" in result.stderr,
            f"0.2's program starts with 0.1's library: {result.stdout}{result.stderr}",
        )
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
