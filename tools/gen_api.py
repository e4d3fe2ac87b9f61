#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The C ABI as a table: writes what follows from it, checks what is written by hand.

In:   capi/api.json (records, constants, functions and the release of each), src/dialect/errors.tsv
Out:  the files of api_writers.py and api_foreign.py; exit 1 and one line per fault where the table contradicts itself
      (api_table.py) or the headers, ctconv.hpp or the Python binding say another thing (api_headers.py)
Usage: gen_api.py [--check] [--self-test]     --check writes nothing and reports files that differ
"""

import argparse
import pathlib
import shutil
import sys
import tempfile

import api_foreign
import api_headers
import api_table
import api_writers
from whole_file import whole

ROOT = api_table.ROOT
READ = (
    "capi/api.json",
    "src/dialect/errors.tsv",
    "include/ctconv/ctconv.h",
    "include/ctconv/ctconv_stream.h",
    "include/ctconv/ctconv_types.h",
    "include/ctconv/ctconv_status.h",
    "include/ctconv/ctconv.hpp",
    "include/ctconv/ctconv_tensor.hpp",
    "include/ctconv/ctconv_stream.hpp",
    "bindings/python/ctconv/_options.py",
    "bindings/python/ctconv/_layer.py",
    "bindings/python/ctconv/_questions.py",
    "bindings/python/ctconv/_region.py",
    "tests/abi/CMakeLists.txt",
    *sorted({path for places in api_headers.FILLED.values() for path, _ in places}),
)
TYPES = "include/ctconv/ctconv_types.h"
MANUAL = "include/ctconv/ctconv.h"
TABLE = "capi/api.json"
# (file, text there, what is planted in its place, a part of the line that must report it)
PLANTED = (
    # the table contradicts itself
    (TABLE, '"math", "type": "int32_t", "offset": 96', '"math", "type": "int32_t", "offset": 100', "math: offset 100"),
    (TABLE, '"grows": true, "first_size": 96', '"grows": true, "first_size": 104', "first_size 104"),
    (TABLE, '"first_size": 72, "size": 104, "doc": "the t', '"first_size": 72, "size": 112, "doc": "', "size 112"),
    (TABLE, '"byte_offset", ', '"byte_offset", "since": "0.2", ', "a frozen record has no later field"),
    (TABLE, '"reproducible", ', '"reproducible", "since": "0.3", ', "release 0.3 is not in releases"),
    (TABLE, '"RELU", "value": 1', '"NONE", "value": 1', "CTCONV_ACTIVATION_NONE: twice"),
    (TABLE, '"const ctconv_runner *"', '"const ctconv_thread *"', "ctconv_thread is no type of the table"),
    (TABLE, '"callback": "alloc"', '"callback": "allot"', "no callback is named allot"),
    (TABLE, '"destroy": "ctconv_destroy"', '"destroy": "ctconv_free"', "ctconv_free: destroys a handle"),
    (TABLE, '"name": "required", "type": "int32_t"', '"name": "required", "type": "int64_t"', "4 bytes of padding"),
    (TABLE, '"python": "VALUE_"', '"python": ""', "INT: twice"),
    (TABLE, '"offset": 0, "null": true, "doc": "NULL', '"offset": 0, "null": 1, "doc": "NULL', "null is true or"),
    # what is generated was written by hand
    ("capi/symbols.txt", "ctconv_execute 0.1", "ctconv_execute 0.2", "capi/symbols.txt: stale"),
    ("capi/first_sizes.h", "= 96;", "= 104;", "capi/first_sizes.h: stale"),
    ("tests/style/published.inc", "MAX_NDIM, 8", "MAX_NDIM, 9", "published.inc: stale"),
    ("tests/style/layout.inc", "math, 96", "math, 92", "layout.inc: stale"),
    ("tests/style/signatures.inc", "int64_t)", "int32_t)", "signatures.inc: stale"),
    ("bindings/python/ctconv/_records.py", '("math", c_int32)', '("math", c_int64)', "_records.py: stale"),
    ("bindings/rust/ctconv-sys/src/abi.rs", "pub math: i32", "pub math: i64", "abi.rs: stale"),
    ("bindings/rust/ctconv-sys/tests/records.inc", "x_shape }", "}", "records.inc: stale"),
    ("bindings/rust/ctconv/src/status.rs", "Status(2004)", "Status(2005)", "status.rs: stale"),
    ("bindings/go/abi.go", "C.ctconv_call{}.y)-16", "C.ctconv_call{}.y)-8", "abi.go: stale"),
    ("bindings/go/status.go", "= 2004", "= 2005", "status.go: stale"),
    # the header says another thing
    (MANUAL, "#define CTCONV_ABI 0", "#define CTCONV_ABI 1", "constant CTCONV_ABI is `1`, in the table `0`"),
    (TYPES, "CTCONV_DTYPE_BFLOAT = 4", "CTCONV_DTYPE_BFLOAT = 3", "CTCONV_DTYPE_BFLOAT is `3`"),
    (TYPES, "CTCONV_VALUE_OTHER = 8", "CTCONV_VALUE_OTHER = 8, CTCONV_VALUE_SET = 9", "the header only"),
    (TYPES, "  int32_t plan_limit; ", "  int64_t plan_limit; ", "ctconv_options: field 6 is `int64_t plan_limit`"),
    (TYPES, "  void *stream;", "  int32_t lanes;\n  void *stream;", "ctconv_call: field 8 is `int32_t lanes`"),
    (TYPES, "  size_t workspace_bytes;\n", "", "ctconv_call: field 7 is `void * stream`"),
    (TYPES, "(void *user, size_t bytes, size_t alignment);", "(void *user, size_t bytes);", "field 2 is `void * ( *"),
    (TYPES, "{sizeof(ctconv_runner), NULL, 1,", "{sizeof(ctconv_runner), NULL, 0,", "INIT RUNNER is"),
    (TYPES, "options 96", "options 104", "does not say `options 96`"),
    (MANUAL, "uint64_t seed, const ctconv_tensor *out", "int64_t seed, const ctconv_tensor *out", "init_weight is"),
    (MANUAL, "ctconv_status ctconv_create(const ", "ctconv_status ctconv_create(", "function ctconv_create is"),
    (MANUAL, "CTCONV_API int32_t ctconv_engine_count(void);", "", "ctconv_engine_count stands in the table only"),
    (MANUAL, "typedef struct ctconv_op ctconv_op;", "", "handle ctconv_op stands in the table only"),
    ("include/ctconv/ctconv_status.h", "STRIDE = 2004", "STRIDE = 2999", "CTCONV_ERR_VALUE_STRIDE is `2999`"),
    # another release than the table dates it to
    (TABLE, '"ctconv_execute", "since": "0.1"', '"ctconv_execute", "since": "0.2"', "0.1: function ctconv_execute"),
    (TABLE, '"python": "ABI", "since": "0.2"', '"python": "ABI", "since": "0.1"', "tests/abi/0.1: constant CTCONV_ABI"),
    (TABLE, '"later": {"0.2": [', '"later": {"0.2": ["CTCONV_ERR_INTERNAL", ', "0.1: constant CTCONV_ERR_INTERNAL"),
    (TABLE, '"later": {"0.2": [', '"later": {"0.2": ["CTCONV_ERR_HASTE", ', "CTCONV_ERR_HASTE is no status"),
    (TABLE, '"releases": ["0.1", "0.2"]', '"releases": ["0.1", "0.2", "0.3"]', "the table's last is 0.3"),
    # what stands on the header
    ("include/ctconv/ctconv.hpp", "ctconv_prepare(", "ctconv_plan(", "ctconv_prepare is not called"),
    ("include/ctconv/ctconv.hpp", "c.stream = ", "// c.stream = ", "does not carry ctconv_call.stream"),
    ("include/ctconv/ctconv.hpp", "g.accumulate = ", "// g.accumulate = ", "does not carry ctconv_grads.accumulate"),
    ("include/ctconv/ctconv.hpp", "CTCONV_VALUE_LIST", "CTCONV_VALUE_ROW", "CTCONV_VALUE_ROW is not in the table"),
    ("bindings/python/ctconv/_options.py", "record.math", "record.maths", "ctconv_options.math is not set"),
    ("bindings/python/ctconv/_questions.py", "call.output_size", "call.size", "does not carry ctconv_call.output_size"),
    ("bindings/rust/ctconv/src/op.rs", "x_begin: row", "x_from: row", "op.rs: ctconv_call.x_begin is not filled"),
    ("bindings/go/shim.h", "r->grads.accumulate = ", "(void)", "shim.h: ctconv_grads.accumulate is not filled"),
    ("bindings/go/op.go", "tuning: ", "tune: ", "op.go: ctconv_options.tuning is not filled"),
    ("tests/abi/CMakeLists.txt", "|call|", "|", "ctconv_call grows, but is not tested as grown"),
)


def files(table):
    return {**api_writers.files(table), **api_foreign.files(table)}


def check(root):
    """One line per fault of the tree under `root`."""
    table = api_table.read(root)
    out = api_table.faults(table)
    if out:
        return out
    for path, text in files(table).items():
        if not (root / path).exists() or (root / path).read_text(encoding="utf-8") != text:
            out.append(f"{path}: stale, run tools/gen_api.py")
    return out + api_headers.faults(table, root)


def self_test():
    """Plants one fault of each sort into a copy and asks that it is reported."""
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        frozen = [path.relative_to(ROOT).as_posix() for path in ROOT.glob("tests/abi/*.*/*.h")]
        for path in (*READ, *frozen, *files(api_table.read())):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, root / path)
        if check(root):
            failures.append(f"the copy is not clean: {check(root)}")
        for path, text, planted, expected in PLANTED:
            whole_text = (root / path).read_text(encoding="utf-8")
            if text not in whole_text:
                failures.append(f"{path}: does not hold {text!r}: nothing planted")
                continue
            (root / path).write_text(whole_text.replace(text, planted, 1), encoding="utf-8")
            found = check(root)
            if not any(expected in line for line in found):
                failures.append(f"{path}: {planted!r}: wanted a line with '{expected}', got {found}")
            (root / path).write_text(whole_text, encoding="utf-8")
    print("\n".join(failures), file=sys.stderr)
    print(f"self-test: {len(PLANTED) - len(failures)} of {len(PLANTED)} planted faults caught")
    return 1 if failures else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; report what differs")
    parser.add_argument("--self-test", action="store_true", help="plant faults in a copy and see that each is caught")
    options = parser.parse_args()
    if options.self_test:
        return self_test()
    table = api_table.read()
    if not options.check and not api_table.faults(table):
        for path, text in files(table).items():
            if not (ROOT / path).exists() or (ROOT / path).read_text(encoding="utf-8") != text:
                with whole(ROOT / path) as f:
                    f.write(text)
    bad = check(ROOT)
    print("\n".join(bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
