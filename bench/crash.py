# SPDX-License-Identifier: Apache-2.0
"""Peers that end the process: who ran when it died, and a run that goes on without him there.

In:  a run's file; contenders as they are made; the exit status of the run's process
Out: Marker: a file beside the run's that names the layer and the contender at work, written before each call
     crashed(out, status): (layer, contender, signal), or None where the process ended by itself
Refuses: nothing; of a contender of ours that dies the run ends.
"""

import json
import mmap
import signal

SIZE = 256


def _beside(out):
    return out.with_suffix(".now")


class Marker:
    """One page in memory: a mark costs no call of the system, and the file keeps it when the process dies."""

    def __init__(self, out):
        self._path = _beside(out)
        self._path.write_bytes(b" " * SIZE)
        with self._path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), SIZE)

    def watch(self, contender, layer):
        """Marks the contender before each of its calls."""
        said = json.dumps([layer.id, contender.name]).encode().ljust(SIZE)
        for name in ("setup", "time"):

            def marked(*given, call=getattr(contender, name)):
                self._page[:SIZE] = said
                return call(*given)

            setattr(contender, name, marked)
        return contender

    def close(self):
        self._page.close()
        self._path.unlink()


def crashed(out, status):
    """Who was at work in a process that a signal ended."""
    if status >= 0 or not _beside(out).exists():
        return None
    said = _beside(out).read_text().strip()
    return (*json.loads(said), signal.Signals(-status).name) if said else None
