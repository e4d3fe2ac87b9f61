# SPDX-License-Identifier: Apache-2.0
"""How the contenders of one layer are timed.

Method. Rounds; in each round every contender has one turn, in an order shuffled anew.
A turn: (1) wait, at least 8 ms, until this process uses no CPU time any more, because libraries let their threads spin
after a call and those would disturb the next contender; (2) calls shorter than 20 ms: untimed calls for ten
milliseconds, at least one, which wake the contender's own threads and bring back its data; (3) a batch of calls of
about 3 ms (longer calls: one), timed together. A contender's time is the median over its turns.
Disturbance. Between the turns the machine's own speed is looked at (disturbance.py). A turn with a slow look before or
behind it is dropped, whoever's it is, and taken again once the machine is calm, TRIES times at most. A round counts
only where every contender has an undisturbed turn in it, so that it is dropped for everyone alike. Where fewer than
ROUNDS_LEAST rounds count when the patience is at an end, all turns are taken and the layer is soft.
Rounds end when the layer's budget is spent and ROUNDS_LEAST count, at ROUNDS_MOST or after PATIENCE budgets at the
latest. Contenders LAGGING times slower than the fastest have no further turns after ROUNDS_LEAST rounds. A contender
whose single call takes more than a quarter of the budget is timed once and marked; where its first call did already
and was FAR times slower than the first contender's, that call is the one.
Layers too large for all contenders to hold their memory at the same time (in_turn): a turn is creation, one untimed
call, timed calls for at least VISIT seconds, release; turns go round until the budget is spent.
"""

import gc
import random
import statistics
import time

ROUNDS_LEAST, ROUNDS_MOST, TRIES, PATIENCE, LAGGING, FAR = 3, 40, 3, 2, 3, 10
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
    """One contender's samples in seconds per call: `samples` of rounds that count, `rough` of the others."""

    def __init__(self, contender):
        self.contender, self.samples, self.rough, self.once = contender, [], [], False

    def estimate(self, limit, first):
        """A first figure; more than `limit` seconds: it stays the only one. first: (its first call, that of the first
        contender) in seconds, or None."""
        if first and first[0] > max(limit, FAR * first[1]):
            self.guess = first[0]
        else:
            quiet()
            self.guess = self.contender.time(1)
        if self.guess > limit:
            self.samples, self.once = [self.guess], True

    def turn(self):
        """Seconds per call; nobody else's threads run."""
        if self.guess < SHORT:
            self.contender.time(max(1, min(1000, round(WARM / max(self.guess, 1e-7)))))
        calls = max(1, min(1000, round(BATCH / max(self.guess, 1e-7))))
        seconds = self.contender.time(calls) / calls
        self.guess = min(self.guess, seconds)
        return seconds

    def median(self):
        return statistics.median(self.samples)


class Rounds:
    """The rounds of one layer. count: those that count; dropped: turns that do not; soft: too few rounds counted."""

    def __init__(self, watch):
        self.watch, self.done, self.count, self.dropped, self.soft = watch, 0, 0, 0, False

    def round(self, running, turn, until):
        """One round of turn(timed), a list of samples. until: see Watch.wait."""
        calm, taken = self.watch.wait(until), []
        for t in running:
            for left in reversed(range(TRIES)):
                samples = turn(t)
                quiet()
                if calm and self.watch.calm():
                    break
                self.dropped += 1
                if not calm:
                    break
                calm = left > 0 and time.perf_counter() < until and self.watch.wait(until)
            taken.append(samples)
        self.done += 1
        self.count += calm
        for t, samples in zip(running, taken):
            (t.samples if calm else t.rough).extend(samples)
        return calm

    def end(self, timed):
        """Settles what counts."""
        self.soft = self.count < min(ROUNDS_LEAST, self.done)
        for t in timed:
            if self.soft and not t.once or not t.samples:
                t.samples += t.rough


def alternate(contenders, budget, seed, watch, firsts=None):
    """({name: Timed}, Rounds) of contenders that are ready to run; `budget` seconds for all of them together.
    firsts: {name: seconds of its first call}."""
    timed, rounds = {c.name: Timed(c) for c in contenders}, Rounds(watch)
    collecting = gc.isenabled()
    gc.disable()
    try:
        start, firsts = time.perf_counter(), firsts or {}
        for name, t in timed.items():
            t.estimate(budget / 4, (firsts[name], firsts[contenders[0].name]) if name in firsts else None)
        running, shuffle = [t for t in timed.values() if not t.once], random.Random(seed)
        quiet()
        while running and rounds.done < ROUNDS_MOST:
            spent = time.perf_counter() - start
            if (rounds.count >= ROUNDS_LEAST and spent > budget) or (rounds.done and spent > PATIENCE * budget):
                break
            if rounds.count == ROUNDS_LEAST:
                fastest = min(t.guess for t in running)
                running = [t for t in running if t.guess <= LAGGING * fastest]
            shuffle.shuffle(running)
            rounds.round(running, lambda t: [t.turn()], start + PATIENCE * budget)
    finally:
        if collecting:
            gc.enable()
    rounds.end(timed.values())
    return timed, rounds


def in_turn(names, setup, budget, watch):
    """({name: Timed}, Rounds), where setup(name) gives a contender ready to run and nobody else holds memory."""
    timed, rounds, start = {name: Timed(None) for name in names}, Rounds(watch), time.perf_counter()
    order = {id(t): name for name, t in timed.items()}

    def visit(t):
        contender, samples = setup(order[id(t)]), []
        contender.time(1)
        quiet()
        began = time.perf_counter()
        while time.perf_counter() - began < VISIT:
            samples.append(contender.time(1))
        contender.close()
        gc.collect()
        return samples

    while rounds.done < ROUNDS_MOST and (not rounds.done or time.perf_counter() - start < budget):
        rounds.round(list(timed.values()), visit, start + PATIENCE * budget)
    rounds.end(timed.values())
    return timed, rounds
