#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every code block of the pages below or of those named, run as a reader would paste it.

In:   a build folder; the pages. Each page has a folder of its own: the repository's entries as links, build/release the
      build, an empty HOME. Its blocks run in it in their order; what a block exports the later ones see.
Out:  one line a block, exit 0; or what went wrong, exit 1; 77 where a program that --needs names is missing.
Rule: a block is fenced and names its language.
        c       its first comment names its file ("/* hello.c: ..."); a later sh block uses it. What examples/ holds
                under that name is the same
        cpp, rust, go, js   kept as the file its first line names ("// first/main.go: ..."), for a later sh block
        sh      run by sh -eu; not where its first line is `# Not run by the test of this page: REASON` and it builds
        python  a program of its own; `# needs A, B` as first line: run where these are installed; sh too
        {NAME}  a directive of the site, no code: passed over
        text    what the block before it prints on stdout; "..." stands for anything, alone on a line for any lines
Usage: check_samples.py BUILD_DIR [PAGE...] [--needs=PROGRAM] [--self-test]
"""

import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = (
    "README.md",
    "bindings/python/README.md",
    "docs/languages/python.md",
    "docs/accelerate.md",
    "docs/inside-a-model.md",
    "docs/training.md",
    "docs/onnx.md",
    "docs/jax.md",
    "docs/keras.md",
    "docs/install.md",
    "docs/big-and-endless.md",
    "docs/index.md",
    "docs/guide/choosing-a-dialect.md",
    "docs/guide/shapes.md",
    "docs/guide/how-it-works.md",
    "docs/guide/guarantees.md",
    "docs/guide/engines.md",
    "docs/guide/faq.md",
    "docs/porting/index.md",
    "docs/cli.md",
)
ELSEWHERE = "docs/languages/"  # pages with tests of their own: tests/languages
NOT_RUN = "# Not run by the test of this page: "
BUILDS = (
    "./tools/demo",
    "./tools/check",
    "./tools/docs",
    "./tools/package_",
    "pip install ",
    "apt-get install ./dist",
    "python3 examples/",
)  # may be left out
SECONDS = 120  # a block's time
FILES = ("c", "cpp", "rust", "go", "js")  # languages whose blocks are files
KNOWN = (*FILES, "sh", "python", "text")
DIRECTIVE = re.compile(r"\{[\w-]+\}")


class Fault(Exception):
    pass


def blocks_of(text):
    """(line, language, body) of each fenced block. Refuses an indented block and one without a language."""
    out, inside, before = [], None, ""
    for number, line in enumerate(text.splitlines(), 1):
        if inside is not None:
            if line == "```":
                if inside[1] in KNOWN:
                    out.append((inside[0], inside[1], "".join(part + "\n" for part in inside[2])))
                inside = None
            else:
                inside[2].append(line)
        elif line.startswith("```"):
            inside = (number, line[3:].strip(), [])
            if inside[1] not in KNOWN and not DIRECTIVE.match(inside[1]):
                raise Fault(f"line {number}: a block of language '{inside[1]}'; known are {', '.join(KNOWN)}")
        elif line.startswith("    ") and not before.strip():
            raise Fault(f"line {number}: an indented block is not run: fence it and name its language")
        before = line
    if inside is not None:
        raise Fault(f"line {inside[0]}: the block has no end")
    return out


def pattern_of(expected):
    """A regular expression for a text block."""
    lines = []
    for line in expected.splitlines():
        lines.append(r"(?:.*\n)*?" if line == "..." else ".*".join(map(re.escape, line.split("..."))) + r" *\n")
    return "".join(lines)


class Page:
    """One page's folder and what its blocks have exported."""

    def __init__(self, work, build):
        self.tree, self.build = work / "tree", build
        self.tree.mkdir(parents=True)
        for entry in ROOT.iterdir():
            if entry.name not in ("build", ".git"):
                (self.tree / entry.name).symlink_to(entry)
        (self.tree / "build").mkdir()
        (self.tree / "build" / "release").symlink_to(build)
        home, programs = work / "home", work / "bin"
        home.mkdir()
        programs.mkdir()
        python = programs / "python3"  # a link would leave a virtual environment
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
        unset = ("CTCONV_LIBRARY", "PYTHONPATH", "LD_LIBRARY_PATH", "PKG_CONFIG_PATH")
        self.environment = {name: value for name, value in os.environ.items() if name not in unset}
        self.environment |= {"HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
        toolchains = pathlib.Path.home() / ".rustup"  # where cargo may come from, whatever HOME says
        if toolchains.is_dir():
            self.environment.setdefault("RUSTUP_HOME", str(toolchains))
        self.environment["PATH"] = f"{programs}:{os.environ['PATH']}"

    def run(self, command, **more):
        done = subprocess.run(
            command,
            cwd=self.tree,
            env={**self.environment, **more},
            stdin=subprocess.DEVNULL,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=SECONDS,
        )
        if done.returncode:
            raise Fault(f"exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def shell(self, body):
        exported = self.tree.parent / "exported"
        out = self.run(["sh", "-eu", "-c", f"{body}\nenv -0 > '{exported}'"])
        pairs = (pair.partition("=") for pair in exported.read_text().split("\0") if pair)
        self.environment = {name: value for name, _, value in pairs}
        return out

    def with_package(self, language, body):
        # The reader has installed the package: the one of the tree, on the library just built.
        paths = {"PYTHONPATH": str(ROOT / "bindings/python"), "CTCONV_LIBRARY": str(self.build / "libctconv.so")}
        command = ["sh", "-eu", "-c"] if language == "sh" else [sys.executable, "-c"]
        return self.run([*command, body], **paths)

    def keep(self, body):
        named = re.match(r"(?:/\*|//) ((?:\w+/)*\w+\.\w+): ", body)
        if not named:
            raise Fault("a block that is a file begins with a comment that names it")
        example = ROOT / "examples" / named[1]
        if example.exists() and body != example.read_text():
            raise Fault(f"differs from examples/{named[1]}")
        if (ROOT / named[1].split("/")[0]).exists():
            raise Fault(f"{named[1]}: the repository has that name")
        (self.tree / named[1]).parent.mkdir(parents=True, exist_ok=True)
        (self.tree / named[1]).write_text(body)
        return named[1]


def run_block(page, language, body):
    """What the block printed, and the words for the log."""
    if language in FILES:
        return "", f"kept as {page.keep(body)}"
    needed = re.findall(r"\w+", re.match(r"(?:# needs (.*)\n)?", body)[1] or "")
    if not all(map(importlib.util.find_spec, needed)):
        return None, f"left out: {body.splitlines()[0]}"
    if language == "python" or needed:
        return page.with_package(language, body), "ran"
    if body.startswith(NOT_RUN):
        commands = [line for line in body.splitlines() if not line.startswith("#")]
        if not all(line.startswith(BUILDS) for line in commands):
            raise Fault(f"only {', '.join(BUILDS)} may be left out")
        return None, f"not run: {body.splitlines()[0][len(NOT_RUN) :]}"
    return page.shell(body), "ran"


def check_page(name, text, work, build):
    page, printed, files, scripts = Page(work, build), None, [], ""
    for line, language, body in blocks_of(text):
        where = f"{name}:{line} {language}"
        try:
            if language == "text":
                if printed is not None and not re.fullmatch(pattern_of(body), printed):
                    raise Fault(f"the block before it printed\n{printed}")
                print(f"{where}: {'as printed' if printed is not None else 'not compared'}")
                continue
            printed, said = run_block(page, language, body)
            if language in ("c", "cpp"):
                files.append(said.split()[-1])
            scripts += body if language == "sh" else ""
            print(f"{where}: {said}")
        except (Fault, subprocess.TimeoutExpired) as error:
            raise Fault(f"{where}: {error}") from None
    for file in files:
        if file not in scripts:
            raise Fault(f"{name}: no sh block compiles {file}")


def forgotten():
    """Pages of docs/ with code that no test runs."""
    for path in sorted((ROOT / "docs").rglob("*.md")):
        name = path.relative_to(ROOT).as_posix()
        code = re.search(r"^```(?!text$)\w", path.read_text(encoding="utf-8"), re.MULTILINE)
        if code and name not in PAGES and not name.startswith(ELSEWHERE):
            yield name


def check(build, pages):
    for name in forgotten():
        raise Fault(f"{name}: has code, and no test runs it: name it in PAGES")
    with tempfile.TemporaryDirectory() as work:
        for number, name in enumerate(pages):
            check_page(name, (ROOT / name).read_text(), pathlib.Path(work) / str(number), build)


def self_test(build):
    """Pages that must fail, each with a part of what is said, and one that must pass."""
    hello = (ROOT / "examples" / "hello.c").read_text()
    bad = {
        "text\n\n    indented\n": "indented",
        "```\nx\n```\n": "language",
        "```sh\ntrue\n": "no end",
        "```sh\nfalse\n```\n": "exit 1",
        "```sh\necho 1\n```\n```text\n2\n```\n": "printed",
        f"```sh\n{NOT_RUN}because\nrm -rf x\n```\n": "left out",
        "```python\nundefined\n```\n": "NameError",
        "```c\nint main;\n```\n": "names it",
        "```rust\n// src/main.rs: x\n```\n": "has that name",
        "```cpp\n// first.cpp: x\n```\n": "compiles",
        f"```c\n{hello}\n```\n": "differs",
        f"```c\n{hello}```\n": "compiles",
    }
    good = "```{toctree}\na/b\n```\n```go\n// a/main.go: x\n```\n```sh\ngrep x a/main.go\n```\n"
    good += "```sh\nexport A=1\necho 1 2; echo 3\n```\n```text\n1 ...\n...\n```\n```sh\ntest $A = 1\n```\n"
    with tempfile.TemporaryDirectory() as work:
        for number, (text, part) in enumerate(bad.items()):
            try:
                check_page("planted", text, pathlib.Path(work) / str(number), build)
            except Fault as fault:
                if part not in str(fault):
                    raise
                continue
            raise Fault(f"nothing was found in\n{text}")
        check_page("planted", good, pathlib.Path(work) / "good", build)


def main(arguments):
    build = pathlib.Path(arguments[0]).resolve()
    for program in (a[len("--needs=") :] for a in arguments if a.startswith("--needs=")):
        if shutil.which(program) is None:
            print(f"skipped: there is no {program} on this machine")
            return 77
    pages = [a for a in arguments[1:] if not a.startswith("--")]
    try:
        if "--self-test" in arguments:
            self_test(build)
        else:
            check(build, pages or PAGES)
    except Fault as fault:
        print(f"check_samples: {fault}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
