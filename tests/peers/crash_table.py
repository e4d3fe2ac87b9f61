#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What packages do with layers that nobody can compute: a table for docs/reliability.md.

In:   PACKAGE=PYTHON pairs: the interpreter that has the package (crash_peers.py lists them); for ctconv the environment
      names the library (CTCONV_LIBRARY, PYTHONPATH)
Out:  a Markdown table by package; with --json every answer; with --write it is put into docs/reliability.md between
      its two marks. Exit 0 where ctconv refused every case with a clear error, else 1 and its other cases
Rule: crash     the child was ended by a signal, or ended itself
      hang      no answer in 20 s
      nonsense  a result, though the layer has none
      unclear   an error that names neither the argument at fault nor that memory or the range of a number ran out
      clear     an error that does
      A package's column counts the cases its operator can be given. The whole layer must give a result.
Usage: crash_table.py [--json FILE] [--write] [PACKAGE=PYTHON | FILE]...      (none: ctconv with this interpreter)
       FILE: answers that --json kept, so that packages may be asked one after the other
"""

import argparse
import datetime
import json
import pathlib
import re
import subprocess
import sys

import crash_cases

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs/reliability.md"
MARKS = "<!-- crash table: tests/peers/crash_table.py --write -->", "<!-- end of the crash table -->"
CLASSES = ("crash", "hang", "nonsense", "unclear", "clear")
WORDS = {
    "stride": r"strides?",
    "dilation": r"dilations?",
    "padding": r"pad(s|ding)?|paddings|output (spatial )?(size|shape|extent|dimension)s?|empty",
    "output_padding": r"output[_ ]?padding|out_?pad|adj",
    "groups": r"groups?",
    "channels": r"channels?|weight|filter|kernel",
    "x": r"input|x|channels?|dim(ension)?s?|shape|rank|stride",
    "kernel": r"kernel(_size|_shape)?|weight|filters?|dim(ension)?s?|shape|rank",
    "bias": r"bias|b",
    "output_size": r"output[_ ]?(size|shape)",
}
SPENT = r"memory|allocat\w*|overflow\w*|too (large|big)|int32|exceed\w*|bad_alloc|63 bits|out of range|int_fast64|int64"


def is_clear(case, message):
    """Underlines and capitals count as spaces: conv_stride, strideH."""
    words = re.sub(r"([a-z])([A-Z])", r"\1 \2", message).replace("_", " ").lower()
    fields = "|".join(WORDS[field] for field in case["field"].split())
    pattern = f"{fields}|{SPENT}".replace("[_ ]?", " ?")
    return bool(re.search(rf"\b({pattern})\b", words))


def class_of(case, answer):
    outcome = answer["outcome"]
    if outcome == "none":
        return None
    if outcome == "hang":
        return "hang"
    if outcome == "result":
        return "nonsense"
    if outcome != "error":
        return "crash"
    return "clear" if is_clear(case, answer["message"]) else "unclear"


def answers_of(package, python):
    """The package's version, and its answer to each case by name."""
    command = [python, "-B", HERE / "crash_peers.py", package]
    done = subprocess.run(command, capture_output=True, text=True, timeout=7200)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines or "version" not in lines[0]:
        sys.exit(f"{package}: {done.stderr[-2000:]}")
    answers = {line["name"]: line for line in lines[1:]}
    if answers["whole"]["outcome"] != "result":
        sys.exit(f"{package}: the whole layer: {answers['whole']}")
    return lines[0]["version"], answers


def asked(packages):
    for word in packages:
        if "=" in word:
            package, python = word.split("=", 1)
            yield package, *answers_of(package, python)
        else:
            for package, kept in json.loads(pathlib.Path(word).read_text(encoding="utf-8")).items():
                yield package, kept["version"], kept["answers"]


def table_of(rows):
    yield "| package | cases | " + " | ".join(CLASSES) + " |"
    yield "| --- |" + " ---: |" * (1 + len(CLASSES))
    for package, version, classes in rows:
        counts = [sum(c == name for c in classes.values()) for name in CLASSES]
        numbers = " | ".join(f"**{n}**" if n and name in CLASSES[:3] else str(n) for n, name in zip(counts, CLASSES))
        yield f"| {package} {version} | {len(classes)} | {numbers} |"


def write(lines):
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(MARKS[0])
    block = "\n".join([MARKS[0], "", *lines, "", MARKS[1]])
    PAGE.write_text(before + block + rest.split(MARKS[1])[1], encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("packages", nargs="*", default=[f"ctconv={sys.executable}"])
    options = parser.parse_args()
    cases = {case["name"]: case for case in crash_cases.cases()}
    rows, all_answers, faults = [], {}, []
    for package, version, answers in asked(options.packages):
        found = {name: class_of(case, answers[name]) for name, case in cases.items() if name in answers}
        rows.append((package, version, {name: c for name, c in found.items() if c}))
        all_answers[package] = {"version": version, "answers": answers, "classes": found}
        if package == "ctconv":
            faults = [f"{name}: {answers[name]}" for name, c in found.items() if c != "clear"]
            faults += [f"{name}: no answer" for name in cases if name not in answers]
    lines = [f"{len(cases)} cases, {datetime.date.today()}:", "", *table_of(rows)]
    print("\n".join(lines))
    print("\n".join(faults))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(all_answers, indent=1) + "\n", encoding="utf-8")
    if options.write:
        write(lines)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
