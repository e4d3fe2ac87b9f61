#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/reliability.md says only what can be run again.

In:   docs/reliability.md; --build: a build folder whose tests ctest lists
Out:  exit 0, or one line per fault and exit 1; 77 where the build has not all its tests yet
Rule: each row has five cells: number, promise, figure, command, date. Numbers are unique, R1 to R18 are all there.
      A row that is "not there yet" has neither command nor date; every other row has both, the date as 2026-11-27.
      A command is `[NAME=value ...] program words`: the program is a file of the tree that can be run. Of tools/check
      each --tests pattern finds a test: of the build, under --fuzz a target of tests/fuzz. Its options are known to
      the program: they stand in its text.
      SECURITY.md has its scope, its versions and both numbers of days (R18).
Usage: check_table.py [--build DIR] [--self-test]
"""

import argparse
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/reliability.md"
WANTED = [f"R{n}" for n in range(1, 19)]
LATER = "not there yet"
DISCLOSURE = ("## Scope", "## Supported versions", "within 3 days", "at most 90 days")


def rows_of(text):
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"\| R\d", line):
            yield number, [cell.strip() for cell in line.strip().strip("|").split("|")]


def fuzz_targets():
    text = (ROOT / "tests/fuzz/CMakeLists.txt").read_text(encoding="utf-8")
    return {f"fuzz-smoke.{name}" for name in re.findall(r"^\s*ctconv_fuzz\((\w+)", text, re.M)}


def built_tests(build):
    """Names ctest knows, or None where an executable of tests is not built yet."""
    command = ["ctest", "--test-dir", build, "--show-only=json-v1"]
    listing = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    names = {test["name"] for test in listing["tests"]}
    return None if any("_NOT_BUILT" in name for name in names) else names


def faults_of_command(words, tests):
    while words and re.fullmatch(r"[A-Z_][A-Z0-9_]*=\S*", words[0]):
        words = words[1:]
    if not words:
        yield "no program"
        return
    program = ROOT / words[0]
    if not program.is_file() or not os.access(program, os.X_OK):
        yield f"{words[0]} is no program of the tree"
        return
    text = program.read_text(encoding="utf-8")
    for word in words[1:]:
        option = word.split("=")[0]
        if option.startswith("--") and option not in text:
            yield f"{words[0]} does not know {option}"
    known = fuzz_targets() if "--fuzz" in words else tests
    for at, word in enumerate(words):
        if word == "--tests" and known is not None and not any(re.search(words[at + 1], name) for name in known):
            yield f"no test is called {words[at + 1]}"


def faults_of_row(cells, tests):
    if len(cells) != 5:
        yield f"{len(cells)} cells instead of 5"
        return
    _, promise, figure, command, date = cells
    if not promise or not figure:
        yield "an empty cell"
    spans = re.findall(r"`([^`]+)`", command)
    if LATER in figure:
        if spans or date != "-":
            yield f"a row that is {LATER} has a command or a date"
        return
    if not spans:
        yield "no command"
    if not re.fullmatch(r"20\d\d-\d\d-\d\d", date):
        yield f"no date: {date}"
    for span in spans:
        for fault in faults_of_command(shlex.split(span), tests):
            yield f"{span}: {fault}"


def faults_of(text, tests, wanted):
    seen = []
    for number, cells in rows_of(text):
        seen.append(cells[0])
        for fault in faults_of_row(cells, tests):
            yield f"{number}: {cells[0]}: {fault}"
    for name in sorted({name for name in seen if seen.count(name) > 1}):
        yield f"{name} stands there twice"
    for name in wanted:
        if not any(re.fullmatch(name + "[a-z]?", row) for row in seen):
            yield f"{name} is missing"


def self_test():
    tests = {"hostile: all"}
    good = "| R1 | p | 7 of 7 | `N_1=1 tools/check --tests '^hostile: '` | 2026-11-27 |"
    later = f"| R1 | p | {LATER} | - | - |"
    assert not list(faults_of(good, tests, ["R1"])) and not list(faults_of(later, tests, ["R1"]))
    for fault, line in {
        "no test": good.replace("hostile", "tame"),
        "no date": good.replace("2026-11-27", "-"),
        "no program of the tree": good.replace("tools/check", "tools/chekc"),
        "no command": good.replace("`", ""),
        "does not know": good.replace("--tests", "--test-only"),
        "cells instead": good.replace("| p |", "|"),
        "twice": good + "\n" + good,
        "has a command": good.replace("7 of 7", LATER),
        "is missing": good.replace("R1 ", "R2 "),
    }.items():
        found = list(faults_of(line, tests, ["R1"]))
        assert any(fault in text for text in found), (fault, found)
    assert faults_of_command(["tools/check", "--fuzz", "--tests", "fuzz_descriptor"], tests) is not None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build")
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    if options.self_test:
        return self_test()
    tests = built_tests(options.build) if options.build else None
    faults = list(faults_of(PAGE.read_text(encoding="utf-8"), tests, WANTED))
    security = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    faults += [f"SECURITY.md lacks: {words}" for words in DISCLOSURE if words not in security]
    print("\n".join(faults) or f"{len(list(rows_of(PAGE.read_text(encoding='utf-8'))))} rows, 0 faults")
    if faults:
        return 1
    if options.build and tests is None:
        print("not all tests are built: their names were not looked up")
        return 77
    return 0


if __name__ == "__main__":
    sys.exit(main())
