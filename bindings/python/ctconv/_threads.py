# SPDX-License-Identifier: Apache-2.0
"""How many threads a Layer with threads=0 takes.

In:  set_num_threads(n); else CTCONV_NUM_THREADS, else OMP_NUM_THREADS; else all cores the process may use.
Out: the number at the time a layer is made; layers that exist keep theirs.
OMP_NUM_THREADS can only lower the number: it is often set for other machines. A list "4,2" means its first number.
"""

from __future__ import annotations

import os

from ._desc import build_info
from ._errors import refusal, shown

_chosen = 0


def _number(text: str | None) -> int:
    first = (text or "").split(",")[0].strip()
    return min(int(first), 4096) if first.isdecimal() and len(first) < 9 else 0


def _cores() -> int:
    lines = dict(line.split(": ", 1) for line in build_info().splitlines() if ": " in line)
    return int(lines.get("cores", os.cpu_count() or 1))


def wanted() -> int:
    """What the option threads=0 becomes; 0: the library counts the cores."""
    if _chosen:
        return _chosen
    own = _number(os.environ.get("CTCONV_NUM_THREADS"))
    if own:
        return own
    omp = _number(os.environ.get("OMP_NUM_THREADS"))
    return min(omp, _cores()) if omp else 0


def get_num_threads() -> int:
    """Threads of a layer made now with threads=0."""
    return wanted() or _cores()


def set_num_threads(n: int) -> None:
    """Threads of every layer made from now on with threads=0, in this process. 0: as if never called.
    The layers of ctconv.torch.nn follow torch.set_num_threads instead."""
    global _chosen
    try:
        count = None if isinstance(n, bool) else n.__index__()
    except (AttributeError, TypeError):
        count = None
    if count is None:
        raise refusal("MISUSE_OPTION", f"threads is {shown(n)}; an int is needed", "threads", n, wrong_type=True)
    if not 0 <= count <= 4096:
        raise refusal("MISUSE_OPTION", f"threads is {n}; 0 to 4096 are legal", "threads", n, "0 to 4096")
    _chosen = count
