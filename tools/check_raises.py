#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every row of src/dialect/raises.tsv has a test.

In:  raises.tsv, errors.tsv, tests/data/raises_cases.json
Out: the list of (dialect, row, identifier) without a case, of cases whose row is not in the table, of statuses of kinds
     1 to 3 without a case, of statuses of kinds 4 to 9 that no test names (retired rows are free of both)
Refuses: nothing; exits 1 where one of the lists is not empty.
"""

import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def rows(name):
    for line in (ROOT / "src" / "dialect" / name).read_text().splitlines():
        if line and not line.startswith("#"):
            yield line.split("\t")


def named_by_tests():
    """Every word of the tests that may name a status. tests/style pins all of them, which tests none."""
    words = set()
    for folder in ("tests", "bindings/python/tests"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".cpp", ".c", ".h", ".py") and path.relative_to(ROOT).parts[:2] != ("tests", "style"):
                words |= set(re.findall(r"\w+", path.read_text(errors="replace")))
    return {word.removeprefix("CTCONV_ERR_") for word in words}


def main():
    wanted = {
        (dialect, row[2], identifier)
        for row in rows("raises.tsv")
        for dialect in row[0].split(", ")
        for identifier in row[4].split()
    }
    cases = json.loads((ROOT / "tests" / "data" / "raises_cases.json").read_text())["cases"]
    have = {(case["dialect"], case["row"], case["status"]) for case in cases}
    statuses = {row[1] for row in rows("errors.tsv") if row[0][0] in "123" and len(row[0]) == 4}
    later = {row[1] for row in rows("errors.tsv") if row[0][0] in "45679" and not row[2].startswith("retired")}
    lists = {
        "rows without a case": sorted(wanted - have),
        "cases without a row": sorted(have - wanted),
        "statuses without a case": sorted(statuses - {case["status"] for case in cases}),
        "statuses no test names": sorted(later - named_by_tests()),
    }
    for title, found in lists.items():
        for entry in found:
            print(f"{title}: {entry}")
    if any(lists.values()):
        sys.exit(1)
    print(
        f"{len(wanted)} rows and identifiers, {len(cases)} cases, {len(statuses)} and {len(later)} statuses: all tested"
    )


if __name__ == "__main__":
    main()
