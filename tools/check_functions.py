#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The length of the library's functions and the depth of their loops, as a test.

In:   the sources of src, capi and cuda, kernels and headers too: no compiler, so that what Highway compiles once a
      target and what nvcc compiles are read like the rest
Out:  nothing and exit 0, or one line per fault and exit 1
Rule: from a function's opening brace to its closing one at most 60 lines, lambdas inside counted along; no loop inside
      more than four others, whether braces stand between them or not
How:  comments, strings and preprocessor lines are blanked, braces matched. A brace at namespace or class level opens a
      body where a parameter list stands before it; the braces of `a_{1}` in a constructor's list open none.
Usage: check_functions.py [--root DIR] [--self-test] [--list N]     --list: the N longest instead
"""

import argparse
import pathlib
import re
import sys
import tempfile

import tree

FOLDERS = ("src/", "capi/", "cuda/")
MAX_LINES, MAX_LOOPS = 60, 5
BLANK = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"\((?:.*?)\)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-zA-Z])\'(?:\\.[^\']*|[^\'\\])\''
    r"|^[ \t]*#(?:[^\n]*\\\n)*[^\n]*",
    re.DOTALL | re.MULTILINE,
)
CONTAINER = re.compile(
    r"^(?:template\s*<.*>\s*)?(?:inline\s+)?(?:namespace|extern\s*$|class|struct|union|enum)\b", re.DOTALL
)
INITIALISERS = re.compile(r"\)\s*(?:const\s*|noexcept\s*)*:(?!:)")
LOOP = re.compile(r"\b(for|while|do)\b")


def blanked(text):
    """The same places, without what is no code."""
    return BLANK.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)


def closing(text, at):
    """The place of the bracket that closes the one at `at`."""
    pairs = {"(": ")", "{": "}", "[": "]"}
    opens, closes = text[at], pairs[text[at]]
    depth = 0
    for match in re.compile(re.escape(opens) + "|" + re.escape(closes)).finditer(text, at):
        depth += 1 if match.group(0) == opens else -1
        if depth == 0:
            return match.start()
    raise ValueError(f"line {text.count(chr(10), 0, at) + 1}: '{opens}' is not closed")


def bodies(text, begin, end):
    """(name, place of the opening brace, of the closing one) of each function in text[begin:end]."""
    head = at = begin
    while at < end:
        c = text[at]
        if c in ";}":
            head = at + 1
        elif c in "([":
            at = closing(text, at)
        elif c == "{":
            header, close = text[head:at].strip(), closing(text, at)
            if CONTAINER.match(header) and "=" not in re.sub(r"<.*>", "", header, flags=re.DOTALL):
                yield from bodies(text, at + 1, close)
                head = close + 1
            elif "(" in header:
                begun = INITIALISERS.search(header)
                if not (begun and re.search(r"[\w>]$", header)):
                    yield name_of(header), at, close
                    head = close + 1
            at = close
        at += 1


def name_of(header):
    words = re.findall(r"(operator\s*[^\s(]+|~?\w+)\s*\(", re.sub(r"^\s*template\s*<[^{]*?>\s*(?=\w)", "", header))
    return words[0] if words else header[-40:]


def loop_end(text, at):
    """The end of the statement which the loop at `at` controls."""
    word = re.compile(r"\s*(\w*)").match(text, at)
    at = word.end()
    if word.group(1) in ("for", "while", "if", "switch"):
        at = re.compile(r"\s*(?:constexpr\s*)?\(").match(text, at).end() - 1
        return statement_end(text, closing(text, at) + 1)
    return statement_end(text, at)


def statement_end(text, at):
    at = re.compile(r"\s*").match(text, at).end()
    if text[at] == "{":
        return closing(text, at)
    if re.compile(r"(?:for|while|if|switch|do)\b").match(text, at):
        end = loop_end(text, at)
        other = re.compile(r"[};]?\s*else\b").match(text, end)
        return statement_end(text, other.end()) if other else end
    while text[at] not in ";":
        at = closing(text, at) + 1 if text[at] in "({[" else at + 1
    return at


def loops(text, begin, end):
    """(depth, place) of the innermost loop of a body."""
    deepest, outer = (0, begin), []
    for match in LOOP.finditer(text, begin, end):
        outer = [e for e in outer if e > match.start()]
        if match.group(1) == "while":
            after = closing(text, text.index("(", match.end())) + 1
            if re.compile(r"\s*;").match(text, after):
                continue  # of a do, which is counted
        outer.append(loop_end(text, match.start()) + 1)
        deepest = max(deepest, (len(outer), match.start()), key=lambda d: d[0])
    return deepest


def faults_of(text):
    """([(line, what)], [(lines, line, name)])"""
    text = blanked(text)
    line_of = lambda at: text.count("\n", 0, at) + 1  # noqa: E731
    out, lengths = [], []
    for name, begin, end in bodies(text, 0, len(text)):
        length = line_of(end) - line_of(begin)
        lengths.append((length, line_of(begin), name))
        if length > MAX_LINES:
            out.append((line_of(begin), f"{name}: {length} lines, at most {MAX_LINES}"))
        depth, at = loops(text, begin, end)
        if depth > MAX_LOOPS:
            out.append((line_of(at), f"{name}: {depth} loops inside each other, at most {MAX_LOOPS}"))
    return out, lengths


def check(root):
    count, bad, longest = 0, [], []
    for path in tree.sources(root):
        if not path.startswith(FOLDERS):
            continue
        try:
            faults, lengths = faults_of((root / path).read_text(encoding="utf-8"))
        except (ValueError, AttributeError, IndexError) as error:
            faults, lengths = [(1, f"is not understood: {error}")], []
        count += len(lengths)
        bad += [f"{path}:{line}: {what}" for line, what in faults]
        longest += [(length, f"{path}:{line}: {name}") for length, line, name in lengths]
    return count, bad, sorted(longest, reverse=True)


def self_test():
    """Bodies at the limit and one beyond it, in every form a function has here."""
    fill = lambda n: "".join(f"  a += {i};\n" for i in range(n))  # noqa: E731
    forms = {
        "plain": "int f(int a) {\n%s}\n",
        "member": "namespace n {\nstruct S : public T<int> {\n  int f(int a) const noexcept {\n%s}\n  int b;\n};\n}\n",
        "constructor": "S::S(int a) : a_{a}, b_(a), c_{{a, a}} {\n%s}\n",
        "template": "template <class T, int N = (3 > 2)>\nauto f(T a) -> decltype(a) {\n%s}\n",
        "kernel": '#define X {\nextern "C" {\n__global__ void k(int* a) {\n%s}\n}\n',
        "lambda": "const auto f = [](int a) {\n%s};\n",
        "strings": "int f(int a) {\n  g(\"}\", '}', '\"', 1'000); // }\n  /* } */\n%s}\n",
    }
    failures = 0
    for form, text in forms.items():
        inside = MAX_LINES - 1 - (2 if form == "strings" else 0)
        for extra in (0, 1):
            found = faults_of(text % fill(inside + extra))[0]
            if len(found) != extra:
                print(f"self-test: {form}, {MAX_LINES + extra} lines: {found}", file=sys.stderr)
                failures += 1
    head = "for (int i = 0; i < n; ++i) "
    nests = {
        "braces": lambda n: (head + "{\n") * n + "a = {1};" + "}\n" * n,
        "none": lambda n: head * n + "a += i;\n",
        "mixed": lambda n: "do {" + (head + "if (a) ") * (n - 1) + "{ b(); } else c(); } while (a);",
        "lambda": lambda n: head + "run([&](int a) { " + "while (a) " * (n - 1) + "--a; });",
        "beside": lambda n: (head + "{ " + head + "b(); }\n") * n,
    }
    for form, nest in nests.items():
        for extra in (0, 1):
            found = faults_of("int f(int a) {\n" + nest(MAX_LOOPS + extra) + "}\n")[0]
            if len(found) != (extra if form != "beside" else 0):
                print(f"self-test: nest of {form}, {MAX_LOOPS + extra} deep: {found}", file=sys.stderr)
                failures += 1
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for path in ("src/a.cpp", "cuda/kernels/b.cu", "capi/c.h", "tests/d.cpp"):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text("// A.\nint f(int a) {\n" + fill(MAX_LINES) + "}\n")
        if len(check(root)[1]) != 3:
            print(f"self-test: three of four files are judged, not {check(root)[1]}", file=sys.stderr)
            failures += 1
    print(f"self-test: {len(forms) + len(nests)} forms, {failures} judged wrongly")
    return 1 if failures else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, default=tree.ROOT)
    parser.add_argument("--self-test", action="store_true", help="plant faults and see that each is caught")
    parser.add_argument("--list", type=int, metavar="N", help="the N longest functions")
    options = parser.parse_args()
    if options.self_test:
        return self_test()
    count, bad, longest = check(options.root)
    if options.list:
        print("\n".join(f"{length:4} {where}" for length, where in longest[: options.list]))
        return 0
    for line in bad:
        print(line)
    print(f"check_functions: {count} functions, {len(bad)} faults", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
