# SPDX-License-Identifier: Apache-2.0
"""Bytes: what a limit says, what the process holds.

In:  512, "512M", "1.5G" (K, M, G, T are powers of 1024; "B" or "iB" may follow)
Out: an int
"""

import os
import re

from ._errors import wrong

_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def parsed(given):
    """A positive number of bytes."""
    if isinstance(given, str):
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:I?B)?\s*", given.upper())
        number = int(float(found[1]) * 1024 ** _POWERS[found[2]]) if found else 0
    else:
        number = given if isinstance(given, int) and not isinstance(given, bool) else 0
    if number <= 0:
        raise wrong("memory", given, f"memory is {given!r}; a number of bytes is needed, such as 2G or 512M", "above 0")
    return number


def resident():
    """Bytes of memory this process holds now; 0 where the system does not tell."""
    return _line("VmRSS") or 0


def most_resident():
    """The most it ever held."""
    return _line("VmHWM") or 0


def _line(name):
    try:
        with open(f"/proc/{os.getpid()}/status", encoding="ascii", errors="replace") as file:
            return next((int(line.split()[1]) * 1024 for line in file if line.startswith(name + ":")), None)
    except OSError:
        return None
