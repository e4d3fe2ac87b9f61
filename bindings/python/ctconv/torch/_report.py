# SPDX-License-Identifier: Apache-2.0
"""What accelerate() did to a model: a row for each transposed convolution, printed as a table.

In:  rows.   Out: text; undo() gives the model's layers back to torch.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Iterator

from . import _held, _swap


@dataclasses.dataclass
class Row:
    """One transposed convolution of the model."""

    name: str  # as in named_modules()
    kind: str  # its class
    module: Any = dataclasses.field(repr=False)
    swapped: bool = False  # its forward is ctconv.torch.nn's
    frozen: bool = False  # its weight is packed once
    already: bool = False  # it was before this call
    left: bool = False  # to torch, for such an input and weight, although it is swapped
    reason: str = ""  # why it is not swapped, or is left to torch
    x_shape: tuple[int, ...] | None = None  # of the example's first call
    y_shape: tuple[int, ...] | None = None
    torch_ms: float | None = None  # the smallest of the rounds
    ctconv_ms: float | None = None
    rounds: int = 0  # how often each was timed
    settled: bool = True  # half of the rounds of the faster one lie below all of the other's
    spread: float = 1.0  # the median round over the smallest, of the less steady one
    difference: float | None = None  # the largest, between torch's y and ours
    largest: float | None = None  # magnitude in torch's y

    @property
    def speedup(self) -> float | None:
        return self.torch_ms / self.ctconv_ms if self.torch_ms and self.ctconv_ms else None


def _shape(shape: tuple[int, ...] | None) -> str:
    return "" if shape is None else "x".join(map(str, shape))


def _agreement(row: Row) -> str:
    if row.difference is None:
        return ""
    return "same bits" if row.difference == 0 else f"{row.difference:.1e} of {row.largest:.3g}"


def _cells(row: Row) -> list[str]:
    arrow = f"{_shape(row.x_shape)} -> {_shape(row.y_shape)}" if row.x_shape is not None else ""
    times = [f"{t:.2f}" if t is not None else "" for t in (row.torch_ms, row.ctconv_ms, row.speedup)]
    times[2] = times[2] if row.settled else "~" + times[2]
    by = "ctconv" if row.swapped and not row.left else "torch"
    by += ", frozen" if row.frozen and by == "ctconv" else ""
    by += f": {row.reason}" if row.reason else ""
    return [row.name or "(the model)", row.kind, arrow, *times, _agreement(row), by]


_UNSTEADY = 1.5  # of a median round over the smallest: other programs took the processor
_MANY = 2000  # page faults; about a millisecond of the kernel's time
_HEAD = ["layer", "class", "x -> y", "torch ms", "ctconv ms", "times", "difference", "computed by"]


class Report:
    """The rows of accelerate(). `print(report)` shows the table; `report.undo()` takes the swaps back."""

    def __init__(self, model: Any, rows: list[Row]) -> None:
        self.model, self.rows = model, rows
        self.new_pages: int | None = None  # page faults of a pass of the example, its memory once used

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> Row:
        """The row of the layer of this name."""
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)

    @property
    def swapped(self) -> list[str]:
        """Names of the layers that ctconv computes, where it can (`row.left` says of which it cannot)."""
        return [row.name for row in self.rows if row.swapped]

    def undo(self) -> int:
        """Gives the swapped layers back to torch; how many they were."""
        count = 0
        for row in self.rows:
            if row.swapped and not row.already:
                count += _swap.unswap(row.module)
                _held.thaw(row.module)
                row.swapped, row.left, row.frozen, row.reason = False, False, False, "undone"
        return count

    def __str__(self) -> str:
        if not self.rows:
            return "no transposed convolution in this model"
        cells = [_HEAD, *map(_cells, self.rows)]
        used = [i for i in range(len(_HEAD)) if any(row[i] for row in cells[1:])]
        widths = {i: max(len(row[i]) for row in cells) for i in used}
        lines = ["  ".join(row[i].ljust(widths[i]) for i in used).rstrip() for row in cells]
        return "\n".join([*lines, self._sum()])

    def _sum(self) -> str:
        ours = [row for row in self.rows if row.swapped and not row.left]
        text = f"{len(ours)} of {len(self.rows)} transposed convolutions are computed by ctconv"
        timed = [row for row in ours if row.speedup]
        if timed:
            before, now = (sum(getattr(row, name) for row in timed) for name in ("torch_ms", "ctconv_ms"))
            text += f": {before:.2f} ms became {now:.2f} ms"
        text += self._doubts([row for row in self.rows if row.speedup])
        if self.new_pages is not None and self.new_pages >= _MANY:
            text += (
                f"\na pass of the model makes {self.new_pages} new pages of memory, which cost time: "
                "ctconv.pool.keep_malloc() keeps them (docs/inside-a-model.md)"
            )
        return text

    @staticmethod
    def _doubts(timed: list[Row]) -> str:
        """What of the times is not to be relied on."""
        text, open_ = "", [row for row in timed if not row.settled]
        if open_:
            text += (
                f"\n~: {len(open_)} of {len(timed)} speed-ups are within what the rounds differ by: take them for equal"
            )
        spread = max((row.spread for row in timed), default=1.0)
        if spread > _UNSTEADY:
            text += (
                f"\ntimes are the smallest of {min(row.rounds for row in timed)} or more rounds by turns; "
                f"a median round took up to {spread:.1f} times as long: the machine is busy"
            )
        return text

    __repr__ = __str__
