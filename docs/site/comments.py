#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The headers' plain comments as doxygen's: a filter between a header and doxygen.

In:   the path of a header.   Out: the header on stdout, line for line, with
        /* ... */ or // lines that stand before a declaration      as /** ... */
        /* ... */ or // behind a field or a declaration            as /**< ... */
      and what doxygen takes for commands escaped, `code` as code. A function that shares the comment of the one
      before it gets the sentence of capi/api.json. Banners (/* ---- ... */), the licence and the comment that opens
      the file stay plain: the site shows them as they stand.
Usage: comments.py HEADER | comments.py --self-test
"""

import json
import pathlib
import re
import sys

TABLE = pathlib.Path(__file__).resolve().parents[2] / "capi" / "api.json"

SPECIAL = re.compile(r"[\\@<>#%&$]")
BLOCK = re.compile(r"/\*.*?\*/", re.DOTALL)


def escaped(text):
    text = SPECIAL.sub(lambda found: "\\" + found[0], text)
    return re.sub(r"`([^`\n]+)`", r"<tt>\1</tt>", text)


def with_sentences(text, sentences):
    """Functions without a comment of their own, each with its sentence in front, on its own line."""
    out = []
    for line in text.split("\n"):
        found = re.match(r"CTCONV_API .*?(ctconv_\w+)\(", line)
        alone = found and "/**<" not in line and not (out and out[-1].endswith("*/") and "/**<" not in out[-1])
        out.append(f"/** {escaped(sentences[found[1]])} */ {line}" if alone and found[1] in sentences else line)
    return "\n".join(out)


def is_plain(text, before):
    """Whether a comment is no documentation: a banner, the file's opening, an instruction to a tool."""
    words = text[2:].strip()
    return words.startswith(("----", "SPDX", "clang-format", "**")) or "#include" not in before and "#if" not in before


def filtered(text):
    text = "\n".join(map(with_block, text.split("\n")))
    text = re.sub(r"^( *)// ([^\n]*)((?:\n\1//[^\n]*)*)$", join_lines, text, flags=re.MULTILINE)
    out, at = [], 0
    for found in BLOCK.finditer(text):
        before, comment = text[: found.start()], found[0]
        out.append(text[at : found.start()])
        at = found.end()
        line = before.rsplit("\n", 1)[-1]
        if is_plain(comment, before) or line.lstrip().startswith("#"):
            out.append(comment)
        elif line.strip():
            out.append("/**<" + escaped(comment[2:-2]) + "*/")
        else:
            out.append("/**" + escaped(comment[2:-2]) + "*/")
    return "".join([*out, text[at:]])


def with_block(line):
    """A line whose comment stands behind code, with a block in place of //."""
    found = re.match(r"( *[^ /].*?[;,{]) +// ([^-].*)", line)
    return f"{found[1]} /* {found[2]} */" if found and "*/" not in line else line


def join_lines(found):
    """A row of // lines as one block of as many lines."""
    lines = [line.strip()[2:] for line in found[0].split("\n")]
    if "----" in lines[0] or "SPDX" in lines[0] or any("*/" in line for line in lines):
        return found[0]
    return found[1] + "/*" + "\n".join(lines) + " */"


def self_test():
    header = (
        "/* SPDX */\n/* The file. */\n#ifndef A\n/* ---- part ---- */\n/* Makes <a> @1.\n * More. */\nint a(void);\n"
    )
    header += "struct s {\n  int b; /* 0 */\n  int c;  // one\n};\n// Two\n// lines\nint d();\n"
    wanted = "/* SPDX */\n/* The file. */\n#ifndef A\n/* ---- part ---- */\n/** Makes \\<a\\> \\@1.\n * More. */\n"
    wanted += "int a(void);\nstruct s {\n  int b; /**< 0 */\n  int c; /**< one */\n};\n/** Two\n lines */\nint d();\n"
    got = filtered(header)
    if got != wanted:
        sys.exit(f"comments: wanted\n{wanted}\ngot\n{got}")
    shared = "/** One, `two`. */\nCTCONV_API int ctconv_a(int);\nCTCONV_API int ctconv_b(int);"
    if "\n/** bee */ CTCONV_API int ctconv_b" not in with_sentences(shared, {"ctconv_a": "a", "ctconv_b": "bee"}):
        sys.exit("comments: the second function has no sentence")


if __name__ == "__main__":
    if "--self-test" in sys.argv[1:]:
        self_test()
    else:
        with open(sys.argv[1], encoding="utf-8") as file:
            table = json.loads(TABLE.read_text(encoding="utf-8"))["functions"]
            sys.stdout.write(with_sentences(filtered(file.read()), {f["name"]: f["doc"] for f in table}))
