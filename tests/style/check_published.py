#!/usr/bin/env python3
"""Every constant of the public headers is pinned in published.inc, and nothing pinned has left the headers.

In:   include/ctconv/ctconv.h, ctconv_types.h, ctconv_status.h, tests/style/published.inc
Out:  exit 0, or one line per fault and exit 1. The numbers themselves are compared by the compiler (abi_pins.c).
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main():
    text = "".join(
        (ROOT / "include/ctconv" / name).read_text() for name in ("ctconv.h", "ctconv_types.h", "ctconv_status.h")
    )
    found = set(re.findall(r"\b(CTCONV_[A-Z0-9_]+) = \d+", text)) | set(
        re.findall(r"^#define (CTCONV_[A-Z0-9_]+) \d+\b", text, re.M)
    )
    found -= {"CTCONV_VERSION_MAJOR", "CTCONV_VERSION_MINOR", "CTCONV_VERSION_PATCH"}
    pinned = re.findall(r"^PUBLISHED\((\w+), \d+\)$", (ROOT / "tests/style/published.inc").read_text(), re.M)
    faults = [f"{name}: new, append it to tests/style/published.inc" for name in sorted(found - set(pinned))]
    faults += [f"{name}: published once and gone from the headers" for name in sorted(set(pinned) - found)]
    faults += [f"{name}: pinned twice" for name in sorted(set(n for n in pinned if pinned.count(n) > 1))]
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
