# SPDX-License-Identifier: Apache-2.0
"""Whether others slow the machine down at this moment.

In:  libbench_probe.so (probe.cpp): per thread the speed of a loop of nops and of a loop of multiply-adds.
Out: Watch.calm(): one look; true where every speed is at least LEAST of the run's best.
The best of a speed is the KEPT-th highest seen, so that one lucky look does not decide. What makes a processor slow for
a tenth of a second to seconds and shows neither in the load nor in /proc/stat is a busy neighbour on the same core.
Who shares the machine by its scheduler shows in machine.Strangers instead.
"""

import ctypes
import heapq
import time

LEAST, KEPT, FIRST_LOOKS, PAUSE = 0.85, 5, 60, 0.01


def prober(build, threads):
    """The function that looks once and returns the speeds; None where the library is not built."""
    file = build and build / "libbench_probe.so"
    if not file or not file.exists():
        return None
    library = ctypes.CDLL(str(file))
    library.bench_probe_new.restype = ctypes.c_void_p
    library.bench_probe_look.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_double)]
    probe, speeds = library.bench_probe_new(threads), (ctypes.c_double * (2 * threads))()
    if not probe:
        return None

    def look():
        library.bench_probe_look(probe, speeds)
        return list(speeds)

    return look


class Watch:
    """look: see prober; None: everything counts as calm."""

    def __init__(self, look, first_looks=FIRST_LOOKS):
        self.look, self.highest, self.looks, self.slow = look, None, 0, 0
        if look:
            for _ in range(first_looks):
                self.calm()
                time.sleep(PAUSE)
            self.looks = self.slow = 0

    def best(self):
        """The run's best of every speed."""
        return [kept[0] for kept in self.highest]

    def calm(self):
        if not self.look:
            return True
        speeds = self.look()
        self.highest = self.highest or [[] for _ in speeds]
        for kept, speed in zip(self.highest, speeds):
            (heapq.heappush if len(kept) < KEPT else heapq.heappushpop)(kept, speed)
        quiet = all(speed >= LEAST * best for speed, best in zip(speeds, self.best()))
        self.looks += 1
        self.slow += not quiet
        return quiet

    def wait(self, until):
        """Looks until a moment is calm or the clock (time.perf_counter) reads `until`. Whether it is calm."""
        while not self.calm():
            if time.perf_counter() >= until:
                return False
            time.sleep(PAUSE)
        return True

    def facts(self):
        """What a run says of it."""
        if not self.look:
            return None
        return {"looks": self.looks, "slow_looks": self.slow, "least": LEAST, "best_speeds": self.best()}
