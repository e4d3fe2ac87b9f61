#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""libctconv against the real packages: random legal and illegal calls must give the same shape,
values and kind of error.

In:  CTCONV_PEER_TORCH, _PADDLE, _MINDSPORE, _ONNX, _KERAS: python executables that hold the packages (onnx: else the
     torch one, where it holds onnxruntime; keras: on the backend KERAS_BACKEND); the ctconv package on the path.
Usage: differential.py [--count 2000] [--seed N] [--only NUMBER] [dialect ...]
       dialect: a name or the beginning of one
Out: per dialect the number of agreements, the allowed differences by rule (allowed.py gives the reason of each), and
     every other difference with the seed and number that make it again.
     Exit 1 where there is one, 77 where no peer is set.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import threading
from collections import Counter

import ctconv
from allowed import rule_for
from compare import difference, ours
from generate import draw
from wire import decode_all

HERE = pathlib.Path(__file__).resolve().parent
PEERS = {
    "torch": "CTCONV_PEER_TORCH",
    "paddle": "CTCONV_PEER_PADDLE",
    "mindspore": "CTCONV_PEER_MINDSPORE",
    "onnx": "CTCONV_PEER_ONNX",
    "keras": "CTCONV_PEER_KERAS",
}
PATIENCE, FIRST_PATIENCE = 20, 300  # seconds for one answer, and for the first of a process, which imports its package


class Peer:
    """A package in its own process, started anew when a case kills it."""

    def __init__(self, family, python):
        self.command, self.process, self.patience = [python, str(HERE / f"peer_{family}.py")], None, FIRST_PATIENCE

    def ask(self, case):
        if self.process is None or self.process.poll() is not None:
            environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
            self.patience = FIRST_PATIENCE
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=environment,
            )
        timer = threading.Timer(self.patience, self.process.kill)
        timer.start()
        try:
            self.process.stdin.write(json.dumps(case) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            timer.cancel()
        if line:
            self.patience = PATIENCE
            return json.loads(line)
        return {"raised": ["Crash"], "message": f"the process ended with {self.process.wait()}"}

    def close(self):
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait()


def show(case, number, what, mine, theirs):
    plain = {k: v for k, v in case.items() if k != "clean" and v not in (None, 0, {}, "float32")}
    plain["args"] = decode_all(case["args"])
    left = (
        f"{mine['name']}: {mine['message']}"
        if "name" in mine
        else f"{mine['shape']} weight {mine['weight_shape']} {mine['dtype']}"
    )
    right = (
        f"{theirs['raised'][0]}: {theirs['message'][:200]!r}"
        if "raised" in theirs
        else f"{theirs['shape']} weight {theirs['weight_shape']} {theirs['dtype']}"
    )
    print(f"  DIFFERENT ({what}) number {number}: {plain}\n    ctconv: {left}\n    peer:   {right}", flush=True)


def run(dialect, peer, seed, numbers, shown):
    counts, rules, bad = Counter(), Counter(), 0
    for number in numbers:
        case = draw(dialect, seed, number)
        mine, theirs = ours(case), peer.ask(case)
        what = difference(mine, theirs)
        counts[
            "refused by both" if what is None and "name" in mine else "same values" if what is None else "different"
        ] += 1
        if what is None:
            continue
        rule = rule_for(case, what, mine, theirs)
        if rule is None:
            bad += 1
            if bad <= shown:
                show(case, number, what, mine, theirs)
        else:
            rules[rule] += 1
    print(
        f"{dialect}: {len(numbers)} calls, {counts['same values']} same values, "
        f"{counts['refused by both']} refused by both, "
        f"{sum(rules.values())} allowed differences, {bad} others",
        flush=True,
    )
    for rule, count in sorted(rules.items()):
        print(f"    {count:5d}  {rule}")
    return bad


def executables():
    found = {family: os.environ[name] for family, name in PEERS.items() if os.environ.get(name)}
    torch = found.get("torch")
    if (
        "onnx" not in found
        and torch
        and subprocess.run([torch, "-c", "import onnx, onnxruntime"], stderr=subprocess.DEVNULL).returncode == 0
    ):
        found["onnx"] = torch
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", type=int, default=None)
    parser.add_argument("--shown", type=int, default=10)
    parser.add_argument("dialects", nargs="*")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    found = executables()
    bad = ran = 0
    print(f"seed {seed}")
    for family, name in PEERS.items():
        wanted = [
            d
            for d in ctconv.dialects()
            if d.startswith(family + ".") and (not options.dialects or d.startswith(tuple(options.dialects)))
        ]
        if family not in found:
            if wanted:
                print(f"SKIPPED: {name} is not set: {', '.join(wanted)} not compared with the real package")
            continue
        peer = Peer(family, found[family])
        for dialect in wanted:
            numbers = range(options.count) if options.only is None else [options.only]
            bad += run(dialect, peer, seed, numbers, options.shown)
            ran += 1
        peer.close()
    sys.exit(77 if ran == 0 else 1 if bad else 0)


if __name__ == "__main__":
    main()
