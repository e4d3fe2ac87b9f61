"""How the contenders of one layer are timed.

Method. Rounds; in each round every contender has one turn, in an order shuffled anew.
A turn: (1) wait, at least 8 ms, until this process uses no CPU time any more, because libraries let their threads spin
after a call and those would disturb the next contender; (2) calls shorter than 20 ms: untimed calls for ten
milliseconds, at least one, which wake the contender's own threads and bring back its data; (3) a batch of calls of
about 3 ms (longer calls: one), timed together. A contender's time is the median over its turns. Rounds end when the
layer's budget is spent, at ROUNDS_MOST at the latest; a contender whose single call takes more than a quarter of the
budget is timed once and marked. Layers too large for all contenders to hold their memory at the same time (in_turn): a
turn is creation, one untimed call, timed calls for at least VISIT seconds, release;
turns go round until the budget is spent.
"""

import gc
import random
import statistics
import time

ROUNDS_LEAST, ROUNDS_MOST = 3, 40
BATCH, WARM, SHORT, VISIT, WINDOW = 0.003, 0.010, 0.02, 0.3, 0.0085


def quiet():
    """Waits until no thread of this process runs; at most a quarter of a second.

    The kernel books a running thread's time at its clock ticks only, so a look must span two of 4 ms."""
    for _ in range(20):
        before = time.process_time()
        time.sleep(WINDOW)
        if time.process_time() - before < WINDOW / 8:
            return


class Timed:
    """One contender's samples in seconds per call."""

    def __init__(self, contender):
        self.contender, self.samples, self.once = contender, [], False

    def estimate(self, limit):
        """A first figure; more than `limit` seconds: it stays the only one."""
        quiet()
        self.guess = self.contender.time(1)
        if self.guess > limit:
            self.samples, self.once = [self.guess], True

    def turn(self):
        quiet()
        if self.guess < SHORT:
            self.contender.time(max(1, min(1000, round(WARM / max(self.guess, 1e-7)))))
        calls = max(1, min(1000, round(BATCH / max(self.guess, 1e-7))))
        seconds = self.contender.time(calls) / calls
        self.samples.append(seconds)
        self.guess = min(self.guess, seconds)

    def median(self):
        return statistics.median(self.samples)


def alternate(contenders, budget, seed):
    """{name: Timed} of contenders that are ready to run; `budget` seconds for all of them together."""
    timed = {c.name: Timed(c) for c in contenders}
    collecting = gc.isenabled()
    gc.disable()
    try:
        start = time.perf_counter()
        for t in timed.values():
            t.estimate(budget / 4)
        running, shuffle = [t for t in timed.values() if not t.once], random.Random(seed)
        for done in range(ROUNDS_MOST):
            spent = time.perf_counter() - start
            if not running or (done >= ROUNDS_LEAST and spent > budget) or (done and spent > 1.5 * budget):
                break
            shuffle.shuffle(running)
            for t in running:
                t.turn()
    finally:
        if collecting:
            gc.enable()
    return timed


def in_turn(names, setup, budget):
    """{name: Timed}, where setup(name) gives a contender that is ready to run and nobody else holds memory."""
    timed, start = {name: Timed(None) for name in names}, time.perf_counter()
    for done in range(ROUNDS_MOST):
        if done and time.perf_counter() - start > budget:
            break
        for name in names:
            contender = setup(name)
            contender.time(1)
            quiet()
            began = time.perf_counter()
            while time.perf_counter() - began < VISIT:
                timed[name].samples.append(contender.time(1))
            contender.close()
            gc.collect()
    return timed
