# SPDX-License-Identifier: Apache-2.0
"""The ctypes records against C: a small program prints the header's sizes, offsets, numbers; the binding's must agree.

A header that grows by a field at a record's end is found here too: the size differs, the old struct_size stays legal.
"""

import ctypes
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from ctconv import _abi

ROOT = pathlib.Path(__file__).resolve().parents[3]
HEADERS = [ROOT / "include" / "ctconv" / name for name in ("ctconv.h", "ctconv_stream.h")]
TYPES = HEADERS[0].with_name("ctconv_types.h")
COMPILER = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc") or shutil.which("clang")
pytestmark = [
    pytest.mark.skipif(not TYPES.is_file(), reason="the header is not beside the binding: nothing to compare with"),
    pytest.mark.skipif(COMPILER is None, reason="no C compiler: the records cannot be compared with the header's"),
]

RECORDS, NUMBERS, PROTOTYPES = _abi.RECORDS, _abi.CONSTANTS, _abi.PROTOTYPES


@pytest.fixture(scope="module")
def of_c(tmp_path_factory):
    """`name: number` as the C compiler sees the header."""
    lines = [f'  printf("{name}: %lld\\n", (long long){name});' for name in NUMBERS]
    for record, cls in RECORDS.items():
        lines.append(f'  printf("{record}: %zu\\n", sizeof({record}));')
        for field, _ in cls._fields_:
            for question in ("offsetof({r}, {f})", "sizeof((({r} *)0)->{f})"):
                asked = question.format(r=record, f=field)
                lines.append(f'  printf("{asked}: %zu\\n", {asked});')
    folder = tmp_path_factory.mktemp("abi")
    source, program = folder / "abi.c", folder / "abi"
    source.write_text(
        "#include <ctconv/ctconv.h>\n#include <stddef.h>\n#include <stdio.h>\nint main(void) {\n"
        + "\n".join(lines)
        + "\n  return 0;\n}\n"
    )
    subprocess.run([COMPILER, "-std=c99", f"-I{ROOT / 'include'}", str(source), "-o", str(program)], check=True)
    out = subprocess.run([str(program)], check=True, stdout=subprocess.PIPE, text=True).stdout
    return {name: int(number) for name, number in (line.rsplit(": ", 1) for line in out.splitlines())}


def test_numbers(of_c):
    assert {name: of_c[name] for name in NUMBERS} == NUMBERS


@pytest.mark.parametrize("record", RECORDS)
def test_records(of_c, record):
    cls, want, got = RECORDS[record], {}, {}
    for field, _ in cls._fields_:
        place, size = f"offsetof({record}, {field})", f"sizeof((({record} *)0)->{field})"
        want[place], want[size] = of_c[place], of_c[size]
        got[place], got[size] = getattr(cls, field).offset, getattr(cls, field).size
    assert got == want
    assert ctypes.sizeof(cls) == of_c[record]


def test_no_record_has_hidden_padding():
    for record, cls in RECORDS.items():
        end = 0
        for field, _ in cls._fields_:
            assert getattr(cls, field).offset == end, f"{record}.{field}"
            end += getattr(cls, field).size
        assert end == ctypes.sizeof(cls), record


def without_comments(path):
    return re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)


def test_every_field_is_here():
    text = without_comments(TYPES)
    assert set(re.findall(r"typedef struct (ctconv_\w+) \{", text)) == set(RECORDS)
    for record, cls in RECORDS.items():
        body = re.search(r"typedef struct " + record + r" \{(.*?)\} " + record + ";", text, re.S).group(1)
        names = re.findall(r"(\w+)(?:\[\w+\])?;|\(\*(\w+)\)\(", re.sub(r"\(\*(\w+)\)\(.*", r"(*\1)(", body))
        assert [a or b for a, b in names] == [field for field, _ in cls._fields_], record


def test_every_constant_is_here():
    text = without_comments(TYPES)
    assert set(re.findall(r"\b(CTCONV_[A-Z0-9_]+) = \d+", text)) < set(NUMBERS)


def test_every_function_has_its_number_of_arguments():
    text = "".join(map(without_comments, HEADERS))
    assert set(re.findall(r"^CTCONV_API [^;]*?\b(ctconv_\w+)\(", text, re.M)) == set(PROTOTYPES)
    for name, (_, arguments) in PROTOTYPES.items():
        inside = re.search(r"\b" + name + r"\(([^)]*)\)", text).group(1)
        count = 0 if inside.strip() == "void" else inside.count(",") + 1
        assert count == len(arguments), name


def test_the_library_has_every_function():
    for name, (result, arguments) in PROTOTYPES.items():
        function = getattr(_abi.lib, name)
        assert function.restype is result and list(function.argtypes) == arguments, name


def test_a_library_that_lacks_a_function_is_refused(tmp_path):
    source, library = tmp_path / "old.c", tmp_path / "old.so"
    source.write_text("int ctconv_version(void) { return 1; }\n")
    subprocess.run([COMPILER, "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
    done = subprocess.run(
        [sys.executable, "-c", "import ctconv"],
        env={**os.environ, "CTCONV_LIBRARY": str(library)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 1 and f"ImportError: {library} has no ctconv_desc_create" in done.stderr, done.stderr
