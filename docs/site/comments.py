#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The headers' plain comments as doxygen's: a filter between a header and doxygen.

In:   the path of a header.   Out: the header on stdout, line for line, with
        /* ... */ or // lines that stand before a declaration      as /** ... */
        /* ... */ or // behind a field or a declaration            as /**< ... */
      and what doxygen takes for commands escaped. Banners (/* ---- ... */), the licence and the comment that opens
      the file stay plain: the site shows them as they stand.
Usage: comments.py HEADER | comments.py --self-test
"""

import re
import sys

SPECIAL = re.compile(r"[\\@<>#%&$]")
BLOCK = re.compile(r"/\*.*?\*/", re.DOTALL)


def escaped(text):
    return SPECIAL.sub(lambda found: "\\" + found[0], text)


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


if __name__ == "__main__":
    if "--self-test" in sys.argv[1:]:
        self_test()
    else:
        with open(sys.argv[1], encoding="utf-8") as file:
            sys.stdout.write(filtered(file.read()))
