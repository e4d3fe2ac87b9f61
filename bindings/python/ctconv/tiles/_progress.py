# SPDX-License-Identifier: Apache-2.0
"""How far a run is: tiles, bytes a second, time left.

In:  steps of a run; how it shall be told: None (a line on a terminal), False, True (lines, ten seconds apart), or a
     function that is called with a State after every tile
Out: text on standard error
"""

import sys
import time
from collections import namedtuple

State = namedtuple("State", "done total seconds bytes_per_second seconds_left")
State.__doc__ = "Tiles done (with earlier runs) and in all; of this run: seconds, bytes of y a second, time left."
State.__module__ = "ctconv.tiles"
_LINES_APART = 10.0  # seconds
_DRAWS_APART = 0.2


def duration(seconds):
    seconds = int(seconds + 0.5)
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    return f"{minutes // 60} h {minutes % 60} min"


def rate(bytes_per_second):
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if bytes_per_second >= 0.9995 * size:
            return f"{bytes_per_second / size:.3g} {unit}/s"
    return f"{bytes_per_second / 1e3:.3g} kB/s"


def words(state):
    text = f"{state.done} of {state.total} tiles, {100 * state.done // state.total} %"
    if state.seconds_left is None:
        return text
    return f"{text}, {rate(state.bytes_per_second)}, {duration(state.seconds_left)} left"


class Progress:
    def __init__(self, how, total, done):
        self._how, self._total, self._before, self._done = how, total, done, 0
        self.bytes, self._start, self._told = 0, time.monotonic(), float("-inf")
        self._drawn = False
        self._terminal = how is None and sys.stderr is not None and sys.stderr.isatty()
        self._show(self.state())

    def state(self):
        seconds = time.monotonic() - self._start
        done = self._before + self._done
        if not self._done or seconds <= 0:
            return State(done, self._total, seconds, 0.0, None)
        return State(done, self._total, seconds, self.bytes / seconds, seconds / self._done * (self._total - done))

    def step(self, size):
        """A further tile of so many bytes is written."""
        self._done, self.bytes = self._done + 1, self.bytes + size
        self._show(self.state())

    def _show(self, state):
        if callable(self._how):
            if self._done:
                self._how(state)
            return
        apart = _LINES_APART if self._how is True else _DRAWS_APART
        last = state.done == self._total
        if state.seconds - self._told < apart and not last:
            return
        self._told = state.seconds
        if self._how is True:
            print(f"  tiles: {words(state)}", file=sys.stderr, flush=True)
        elif self._terminal:
            print(f"\r\x1b[K  tiles: {words(state)}", end="", file=sys.stderr, flush=True)
            self._drawn = True

    def close(self):
        if self._drawn:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        self._drawn = False
