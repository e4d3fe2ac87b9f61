#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One version everywhere it is written.

In:  CMakeLists.txt (project), the headers (macros), the packages, the first release of CHANGELOG.md.
Out: nothing and exit 0, or the places side by side and exit 1.
Usage: check_version.py [ROOT]
"""

import pathlib
import re
import sys

PLACES = {
    "CMakeLists.txt": r"project\(ctconv VERSION (\d+)\.(\d+)\.(\d+)",
    "include/ctconv/*.h": r"CTCONV_VERSION_MAJOR (\d+)\n.*_MINOR (\d+)\n.*_PATCH (\d+)\n",
    "pyproject.toml": r'\nversion = "(\d+)\.(\d+)\.(\d+)"',
    "bindings/python-cuda/pyproject.toml": r'\nversion = "(\d+)\.(\d+)\.(\d+)"',
    "CITATION.cff": r"\nversion: (\d+)\.(\d+)\.(\d+)",
    "packaging/debian/changelog": r"^ctconv \((\d+)\.(\d+)\.(\d+)-",
    "packaging/conan/conanfile.py": r'\n    version = "(\d+)\.(\d+)\.(\d+)"',
    "packaging/vcpkg/ports/ctconv/vcpkg.json": r'\n  "version": "(\d+)\.(\d+)\.(\d+)"',
    "CHANGELOG.md": r"\n## (\d+)\.(\d+)\.(\d+)",
}


def main(root):
    found = {}
    for place, pattern in PLACES.items():
        match = re.search(pattern, "".join(path.read_text() for path in sorted(root.glob(place))))
        found[place] = ".".join(match.groups()) if match else "no version found"
    if len(set(found.values())) == 1 and "no version found" not in found.values():
        return 0
    for place, version in found.items():
        print(f"check_version: {place}: {version}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2])))
