#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Nothing in the library asks the program's locale for how a number or a letter looks.

In:   the object files of the library, one path a line in OBJECTS; the sources of cuda and tools/cli under the root
Out:  exit 0, or one line per fault and exit 1
Rule: no object refers to printf's family, strtod's and strtol's, the <ctype.h> functions, a C++ stream or std::locale
      (std::to_string of a double refers to vsnprintf, so it is found as well); in the sources of cuda and tools/cli,
      which are not all built everywhere, the same calls stand only where ALLOWED names them with a reason.
      src/base/number.h is the way to print and read a number.
Usage: check_locale.py [--self-test] [OBJECTS]
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Undefined symbols, demangled.
SYMBOL = re.compile(
    r"^(_*(v?[sfd]?n?printf|vas?printf|asprintf)(_chk)?|_*(iso(c99|c23)_)?v?[sf]?scanf"
    r"|(__isoc23_)?strto(d|f|ld|l|ll|ul|ull|imax|umax)(_l)?|ato(i|l|ll|f)|strfmon|strftime|strcoll|strxfrm"
    r"|is(alpha|alnum|digit|xdigit|space|upper|lower|punct|print|graph|cntrl|blank)"
    r"|to(lower|upper)|isw\w+|tow(lower|upper)"
    r"|__ctype_(b|tolower|toupper)_loc|setlocale|localeconv|nl_langinfo)$"
    r"|std::locale::|std::basic_[io]*stream<|std::__cxx11::basic_[io]*stringstream<|std::basic_[io]*fstream<"
    r"|std::ios_base"
)
CALL = re.compile(
    r"\b(v?[sf]?n?printf|v?[sf]?scanf|strto(?:d|f|ld|l|ll|ul|ull)|ato(?:i|l|ll|f)|sto(?:i|l|ll|ul|ull|f|d|ld)"
    r"|is(?:alpha|alnum|digit|xdigit|space|upper|lower|punct)|to(?:lower|upper)|setlocale|imbue)\s*\("
    r"|\b([io]?stringstream|[io]fstream)\b(?!>)"
)
# (file, call): why it may stand there. Integers without grouping and texts look alike under every locale.
ALLOWED = {
    ("tools/cli/layer.cpp", "istringstream"): "whole lines",
    ("tools/cli/layer.cpp", "snprintf"): "%s",
    ("tools/cli/formula.cpp", "istringstream"): "words",
    ("tools/cli/progress.cpp", "fprintf"): "%s and %lld",
    ("tools/cli/main.cpp", "fprintf"): "%s",
    ("tools/cli/main.cpp", "ostringstream"): "the text of --help",
    ("tools/cli/array.cpp", "stoll"): "digits only",
    ("tools/cli/npy.cpp", "stoll"): "digits only",
    ("tools/cli/tiles_journal.cpp", "stoll"): "digits only",
    ("tools/cli/bench_command.cpp", "snprintf"): "%s",
    ("tools/cli/tune_command.cpp", "ifstream"): "bytes",
    ("tools/cli/tuning_place.cpp", "ifstream"): "whole lines",
    ("tools/cli/tiles_command.cpp", "ifstream"): "whole lines",
    ("tools/cli/tiles_command.cpp", "atoll"): "digits of the kernel's own",
    ("tools/cli/tiles_command.cpp", "fprintf"): "%s, %zu, %lld and %d",
}


def faults_of_symbols(where, listing):
    """Faults in what nm -C -u printed about one object."""
    names = [line.split(None, 1)[1].strip() for line in listing.splitlines() if line.strip().startswith("U ")]
    return [f"{where}: refers to {name[:80]}" for name in names if SYMBOL.search(name)]


def code_of(text):
    """The text without comments and the contents of strings."""
    return re.sub(
        r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"", lambda m: "\n" * m.group().count("\n"), text, flags=re.S
    )


def faults_of_source(path, text):
    out = []
    for number, line in enumerate(code_of(text).splitlines(), 1):
        if line.lstrip().startswith("#include"):
            continue
        for match in CALL.finditer(line):
            call = match.group(1) or match.group(2)
            if (path, call) not in ALLOWED:
                out.append(
                    f"{path}:{number}: {call} asks the locale; see src/base/number.h, or ALLOWED in check_locale.py"
                )
    return out


def self_test():
    """The rule finds what was there, and nothing else."""
    bad = [
        "snprintf",
        "vsnprintf",
        "__snprintf_chk",
        "strtod",
        "tolower",
        "__ctype_b_loc",
        "std::locale::locale()",
        "std::basic_ostream<char, std::char_traits<char> >& std::basic_ostream<char>::_M_insert<double>(double)",
    ]
    good = ["memcpy", "fopen", "fputs", "std::to_chars(char*, char*, double)", "std::from_chars(char const*)", "getenv"]
    for name in bad:
        assert faults_of_symbols("x", f"                 U {name}\n"), name
    for name in good:
        assert not faults_of_symbols("x", f"                 U {name}\n"), name
    for line in (
        "x = std::strtod(a, b);",
        "std::ostringstream out;",
        "c = tolower(c);",
        "s = std::stod(t);",
        'printf("%g", x);',
    ):
        assert faults_of_source("a.cpp", line), line
    for line in (
        "// std::strtod(a)",
        'f("printf(x)");',
        "std::from_chars(a, b, c);",
        "fmt::print(x);",
        "#include <sstream>",
    ):
        assert not faults_of_source("a.cpp", line), line


def main():
    self_test()
    arguments = [a for a in sys.argv[1:] if a != "--self-test"]
    faults = []
    objects = pathlib.Path(arguments[0]).read_text().split("\n") if arguments else []
    for path in filter(None, objects):
        listing = subprocess.run(["nm", "-C", "-u", path], check=True, capture_output=True, text=True).stdout
        faults += faults_of_symbols(path.rsplit(".dir/", 1)[-1], listing)
    sources = [p for folder in ("cuda", "tools/cli") for p in (ROOT / folder).rglob("*")]
    sources = sorted(p for p in sources if p.suffix in (".h", ".cpp", ".cu", ".cuh"))
    for path in sources:
        faults += faults_of_source(str(path.relative_to(ROOT)), path.read_text())
    print("\n".join(faults) if faults else f"check_locale: {len(objects)} objects, {len(sources)} sources, 0 faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
