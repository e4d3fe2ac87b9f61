#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `tools/check --everything` would run, and that a stage that fails stops none of the others.

In:   tools/check
Out:  exit 0, or an assertion
Rule: the plan has every stage that a release asks for, each a command that tools/check or another program knows.
      In a tree of its own, whose programs only end: one that fails, one that is skipped and one that passes all run,
      stand in the table, and the end is exit 1. Without the failure it is exit 0.
"""

import pathlib
import shutil
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
WANTED = "style, build, short tests, sanitizers, threads, fuzzers, clang, wheel, long tests, planted faults, "
WANTED += "all threads, mutants, coverage"
# What the commands of a stage must say.
SAYS = {
    "style": ("format --check", "check_layers"),
    "build": ("cmake --build --preset release",),
    "short tests": ("ctest --test-dir build/release",),
    "sanitizers": ("ctest --test-dir build/asan", "^(long|peers|gpu|python)$", "libasan", "--label-regex ^python$"),
    "threads": ("--preset tsan --target test_base", "ctest --test-dir build/tsan"),
    "all threads": ("--preset tsan --target test_programs", "(more_)?threads"),
    "fuzzers": ("--preset fuzz --target fuzz_targets", "FUZZ_SECONDS="),
    "clang": ("ctest --test-dir build/clang",),
    "long tests": ("ctest --test-dir build/release", "^(peers|gpu)$"),
}


def run(folder, *words):
    command = [folder / "tools/check", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def check_plan():
    done = run(ROOT, "--everything", "--dry-run")
    assert done.returncode == 0, done.stderr
    plan = dict(line.split("] ", 1)[1].split("  ", 1) for line in done.stdout.splitlines())
    plan = {name: command.split() for name, command in plan.items()}
    for name in WANTED.split(", "):
        assert name in plan, (name, plan)
        program = ROOT / plan[name][0]
        assert program.is_file(), program
    for name, texts in SAYS.items():
        done = run(ROOT, *plan[name][1:], "--dry-run")
        assert done.returncode == 0, (name, done.stderr)
        assert all(text in done.stdout for text in texts), (name, texts, done.stdout)


def check_run():
    programs = {"package_wheels": 3, "fuzz_plants": 0, "coverage": 77}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "tools").mkdir()
        shutil.copy(ROOT / "tools/check", folder / "tools/check")
        for program, code in programs.items():
            path = folder / "tools" / program
            path.write_text(f"#!/bin/sh\necho {program} ran\nexit {code}\n", encoding="utf-8")
            path.chmod(0o755)
        done = run(folder, "--everything", "--only", "^(wheel|planted faults|coverage)$")
        assert done.returncode == 1, done
        for text in ("[1/3] wheel", "[2/3] planted faults", "[3/3] coverage", "1 of 3 stages failed"):
            assert text in done.stdout, (text, done.stdout)
        table = done.stdout.split("last line\n")[1].splitlines()
        for line, words in zip(table, (("wheel", "failed (3)"), ("planted", "passed"), ("coverage", "skipped"))):
            assert all(word in line for word in words), (line, words)
            assert line.endswith(" ran"), line
        assert (folder / "build/everything/planted-faults.log").read_text(encoding="utf-8") == "fuzz_plants ran\n"
        assert run(folder, "--everything", "--only", "planted").returncode == 0
        assert run(folder, "--everything", "--only", "no such stage").returncode not in (0, 1)


if __name__ == "__main__":
    check_plan()
    check_run()
    print("the plan has all stages; all of them run")
