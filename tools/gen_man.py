#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ctconv(3) from the public headers, which are the manual.

In:   include/ctconv/{ctconv,ctconv_types,ctconv_status}.h, the version of CMakeLists.txt
Out:  FOLDER/ctconv.3, and for every function FOLDER/<function>.3, a page of one line that leads there
How:  the opening comment of ctconv.h is the description, its headings are sections; each `---- title ----` begins a
      section; a comment and the declarations behind it are one entry. The other two headers follow as they stand.
Refuses: a header in which it finds fewer functions than capi/symbols.txt names
Usage: gen_man.py FOLDER
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEADERS = ROOT / "include" / "ctconv"
TITLE = re.compile(r"/\* -{4} (.*?) -+ \*/")
ENTRY = re.compile(r"/\*.*?\*/|CTCONV_API [^;]*;(?:[ \t]*/\*[^\n]*\*/)?", re.DOTALL)
NAME = re.compile(r"\b(ctconv_\w+)\(")
SPECIAL = {"\\": "\\e", "-": "\\-", "~": "\\(ti", "^": "\\(ha", "`": "\\(ga", "'": "\\(aq"}


def escaped(text):
    out = "".join(SPECIAL.get(c, c) for c in text)
    return re.sub(r"^(?=\.)", r"\\&", out, flags=re.MULTILINE)


def verbatim(lines):
    return ".nf\n" + escaped("\n".join(lines)) + "\n.fi\n"


def comment_lines(comment):
    """The lines of a C comment without its marks."""
    lines = re.sub(r"\s*\*/$", "", re.sub(r"^/\*\s?", "", comment)).split("\n")
    return [lines[0]] + [re.sub(r"^ \* ?", "", line) for line in lines[1:]]


def prose(lines):
    """A paragraph that man fills; lines that are set in keep their layout."""
    out, kept = ".PP\n", []
    for line in lines:
        if line.startswith("  "):
            kept.append(line)
            continue
        if kept:
            out, kept = out + verbatim(kept), []
        out += escaped(line) + "\n"
    return out + (verbatim(kept) if kept else "")


def description(comment):
    """The opening comment: a heading stands alone behind an empty line, what follows it is set in."""
    out, block, lines = "", [], comment_lines(comment)
    for i, line in enumerate(lines):
        follows = lines[i + 1] if i + 1 < len(lines) else ""
        if line and i and not lines[i - 1].strip() and re.fullmatch(r"[A-Z][\w ]*", line) and follows.startswith("  "):
            out += verbatim(block) + f".SS {line}\n"
            block = []
        else:
            block.append(line)
    return out + verbatim(block)


def entry(comment, declarations):
    names = [name for text in declarations for name in NAME.findall(text)[:1]]
    out = f".SS {', '.join(escaped(name) for name in names)}\n" + verbatim(
        [line for text in declarations for line in text.replace("CTCONV_API ", "").split("\n")]
    )
    return out + (prose(comment_lines(comment)) if comment else "")


def functions(text):
    """The sections and entries of the body of ctconv.h."""
    out, comment, declarations = "", None, []

    def close():
        nonlocal comment, declarations
        written = entry(comment, declarations) if declarations else prose(comment_lines(comment)) if comment else ""
        comment, declarations = None, []
        return written

    for match in ENTRY.finditer(text):
        part = match.group(0)
        title = TITLE.fullmatch(part)
        if title:
            out += close() + f".SH {title.group(1).upper()}\n"
        elif part.startswith("/*"):
            out += close()
            comment = part
        else:
            declarations.append(part)
    return out + close()


def body_of(name):
    """The header behind its opening comments and before the end of its guard."""
    text = (HEADERS / name).read_text(encoding="utf-8")
    text = re.sub(r"^(?:/\*.*?\*/\s*)+", "", text, flags=re.DOTALL)
    return [line for line in text.split("\n") if not re.match(r"#(ifndef|define|endif).*_H_", line)]


def declared(text):
    """From the first section to the end of the declarations."""
    return text[text.index("/* ----") : text.rindex("#ifdef __cplusplus")]


def page(version):
    text = (HEADERS / "ctconv.h").read_text(encoding="utf-8")
    opening = re.findall(r"/\*.*?\*/", text, re.DOTALL)[1]
    streams = (HEADERS / "ctconv_stream.h").read_text(encoding="utf-8")
    body = declared(text[text.index("typedef struct ctconv_op") :]) + declared(streams)
    return "".join(
        [
            '.\\" Written by tools/gen_man.py from include/ctconv.\n',
            f'.TH CTCONV 3 "" "libctconv {version}" "Library Functions"\n.nh\n.ad l\n',
            ".SH NAME\nctconv \\- transposed convolution in 1, 2 and 3 dimensions\n",
            ".SH SYNOPSIS\n.nf\n.B #include <ctconv/ctconv.h>\n.PP\n",
            ".B cc file.c $(pkg\\-config \\-\\-cflags \\-\\-libs ctconv)\n.fi\n",
            ".SH DESCRIPTION\n" + description(opening),
            functions(body),
            ".SH RECORDS AND CONSTANTS\n" + verbatim(body_of("ctconv_types.h")),
            ".SH STATUSES\n" + verbatim(body_of("ctconv_status.h")),
            ".SH SEE ALSO\n.BR ctconv (1)\n",
        ]
    )


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    version = re.search(r"project\(ctconv VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text())[1]
    text = page(version)
    symbols = [line.split()[0] for line in (ROOT / "capi" / "symbols.txt").read_text().splitlines()]
    headings = set(re.findall(r"ctconv_\w+", " ".join(re.findall(r"^\.SS (.*)$", text, re.MULTILINE))))
    missing = sorted(set(symbols) - headings)
    if missing:
        sys.exit(f"gen_man: ctconv.h says nothing of {', '.join(missing)}")
    (folder / "ctconv.3").write_text(text, encoding="utf-8")
    for symbol in symbols:
        (folder / f"{symbol}.3").write_text(".so man3/ctconv.3\n", encoding="utf-8")


if __name__ == "__main__":
    main()
