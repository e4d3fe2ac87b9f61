# SPDX-License-Identifier: Apache-2.0
"""The journal of a run: which tiles are written, so that a run that was killed goes on where it was.

In:  a path; what the run is made of, as a dict: the layer with its weights, x, the shape of y
Out: a text file that only grows. Its first line is a JSON object {"of": the dict, "grid": the tiles, "part": the
     system's number of the file that holds y}, each further line the number of a tile whose elements have been written.
     Every line ends in the CRC-32 of itself together with the first line, so that a torn or foreign line is known: its
     tile is computed again.
Refuses: a journal of another run (what differs is named), a damaged first line, one that another process holds
"""

import fcntl
import json
import os
import warnings
import zlib

from ._errors import storage_error, wrong

ANEW = "fresh=True (--fresh) begins anew"


def _sum(text, seed=0):
    return f"{zlib.crc32(text.encode(), seed):08x}"


class Journal:
    """done: the numbers of the tiles that are written; grid, part: what begin() was given, None before."""

    def __init__(self, path, identity):
        self.path, self.identity, self.done = os.fspath(path), identity, set()
        self.grid, self.part, self._seed, self._fd = None, None, 0, None
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            text = f"{self.path} is held by another process: the same output is being computed there"
            raise wrong("out", self.path, text) from None
        except OSError as error:
            raise storage_error(error, f"the journal {self.path} cannot be opened") from error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def read(self):
        """Whether there is something to go on with: grid and done are then set."""
        with open(os.dup(self._fd), "rb") as file:
            file.seek(0)
            text = file.read().decode("utf-8", "replace")
        lines = text.split("\n")
        if text == "" or (len(lines) == 1 and not self._told(lines[0])):
            return False  # killed before the first line was whole
        head = self._told(lines[0])
        if head is None:
            text = f"the journal {self.path} is damaged in its first line, and what it is of is not known; {ANEW}"
            raise wrong("out", self.path, text)
        self._compare(head["of"])
        self.grid, self.part, self._seed = head["grid"], head.get("part"), zlib.crc32(lines[0].encode())
        last = lines.pop()
        bad = sum(not self._take(line) for line in lines[1:])
        if last and not self._take(last):
            bad += 1
        if last:
            self._append("\n")
        if bad:
            text = f"{self.path}: {bad} of {len(lines)} lines are damaged; their tiles are computed again"
            warnings.warn(text, stacklevel=4)
        return True

    @staticmethod
    def _told(line):
        """The object of a first line, or None where it is damaged."""
        text, _, check = line.rpartition(" ")
        if check != _sum(text):
            return None
        try:
            head = json.loads(text)
        except ValueError:
            return None
        return head if isinstance(head, dict) and {"of", "grid"} <= set(head) else None

    def _take(self, line):
        number, _, check = line.partition(" ")
        if not number.isdigit() or check != _sum(number, self._seed):
            return line == ""
        self.done.add(int(number))
        return True

    def _compare(self, old):
        new = json.loads(json.dumps(self.identity))
        names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        if names:
            told = "; ".join(_told(name, old.get(name), new.get(name)) for name in names)
            text = f"the journal {self.path} is of another run: {told}. Call as before, or {ANEW}"
            raise wrong("out", self.path, text)

    def forget(self):
        """Before anything becomes of an old part: what was noted holds no more, also after a loss of power."""
        self.done = set()
        try:
            os.ftruncate(self._fd, 0)
            os.fsync(self._fd)
        except OSError as error:
            raise storage_error(error, f"the journal {self.path} cannot be written") from error

    def begin(self, grid, part):
        """Writes the first line."""
        self.grid, self.part = grid, part
        text = json.dumps({"of": self.identity, "grid": grid, "part": part}, sort_keys=True)
        line = f"{text} {_sum(text)}"
        self._seed = zlib.crc32(line.encode())
        self._append(line + "\n")

    def add(self, numbers):
        """Tiles that are written. Call it after their elements have reached the disk."""
        self._append("".join(f"{number} {_sum(str(number), self._seed)}\n" for number in numbers))
        self.done.update(numbers)

    def _append(self, line):
        data = line.encode()
        try:
            written = os.write(self._fd, data)
            if written != len(data):
                raise OSError(28, os.strerror(28))
        except OSError as error:
            raise storage_error(error, f"the journal {self.path} cannot be written") from error

    def remove_empty(self):
        """Of a run that was refused before it began."""
        if os.fstat(self._fd).st_size == 0:
            self.remove()

    def remove(self):
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            pass


_SHOWN, _BEFORE = 60, 12  # characters of a value in a refusal; of those, what stands before the first that differs


def _told(name, was, now):
    """Both values, so that what differs is seen."""
    was, now = json.dumps(was), json.dumps(now)
    same = len(os.path.commonprefix([was, now]))
    return f"{name} was {_cut(was, same)}, is {_cut(now, same)}"


def _cut(text, at):
    """A long text from shortly before `at` on."""
    if len(text) <= _SHOWN:
        return text
    first = min(max(0, at - _BEFORE), len(text) - _SHOWN)
    return "..." * (first > 0) + text[first : first + _SHOWN] + "..." * (first + _SHOWN < len(text))
