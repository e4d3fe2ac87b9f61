#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/data/golden_gradients_dialects.jsonl: gradients that torch, paddle and mindspore compute in float32.

In:  CTCONV_PEER_TORCH, CTCONV_PEER_PADDLE, CTCONV_PEER_MINDSPORE: python executables that hold the packages; the
     ctconv package on the path (its list of dialects). All three are needed.
     make_dialect_gradients.py > tests/data/golden_gradients_dialects.jsonl
Out: one case a line, in the dialect's own words: args and call as in golden_values.jsonl, shapes, dx, dw, db (null:
     no bias), and the package with its version. x, weight, bias and dy are wire.py's formulas.
Small integers: every sum is exact, whatever its order. Problems come from generate.py before its faults; one that the
package refuses or has no gradient for is left out, as one of more than 160 numbers is, and one whose forward call we
answer otherwise by a rule of allowed.py. What is left out is counted.
"""

import json
import os
import subprocess
import sys
from collections import Counter

import ctconv
from allowed import rule_for
from compare import difference, ours
from differential import PEERS, Peer
from generate import draw
from wire import decode_all, values_of

SEED, LARGEST = 20261127, 160
COUNTS = {"torch": 44, "paddle": 15, "mindspore": 26}  # of each dialect
PACKAGES = {"torch": "torch", "paddle": "paddlepaddle", "mindspore": "mindspore"}


def golden(value):
    """A tuple is an array, a list {"$list": [...]}, as the golden files write them."""
    if isinstance(value, list):
        return {"$list": [golden(one) for one in value]}
    return [golden(one) for one in value] if isinstance(value, tuple) else value


def numbers(packed):
    return None if packed is None else [int(v) for v in values_of(packed).ravel()]


def line_of(case, reply, source):
    """The case as the file holds it; None where it is too large, or not of integers."""
    parts = {name: reply[name] for name in ("dx", "dw", "db")}
    if any(part is not None and values_of(part).size > LARGEST for part in parts.values()):
        return None
    assert all(part is None or (values_of(part) % 1 == 0).all() for part in parts.values())
    line = {"dialect": case["dialect"]}
    for name in ("args", "call"):
        line[name] = {key: golden(value) for key, value in decode_all(case[name]).items()}
    line |= {"input_shape": case["x_shape"], "weight_shape": reply["weight_shape"], "output_shape": reply["shape"]}
    line["bias_shape"] = None if parts["db"] is None else parts["db"]["shape"]
    return line | {name: numbers(part) for name, part in parts.items()} | {"source": source}


def version_of(family, python):
    script = f"import importlib.metadata as m; print(m.version({PACKAGES[family]!r}))"
    said = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True).stdout
    return f"ran {family} {said.strip().split('+')[0]}"


def write_dialect(dialect, peer, source, wanted):
    """Prints `wanted` cases; says on stderr what was left out and why."""
    found, number, left_out = 0, 0, Counter()
    while found < wanted and number < 40 * wanted:
        case = draw(dialect, SEED, number)
        case |= case.pop("clean") | {"gradients": True}
        number += 1
        reply = peer.ask(case)
        if "raised" in reply:
            left_out[reply["raised"][0] + ": " + reply["message"].strip().splitlines()[-1][:90]] += 1
            continue
        mine = ours(case)
        what = difference(mine, reply)
        rule = what and rule_for(case | {"clean": case}, what, mine, reply)
        if rule:
            left_out[rule] += 1
            continue
        line = line_of(case, reply, source)
        if line is None:
            left_out["too large"] += 1
            continue
        found += 1
        print(json.dumps(line, separators=(",", ":")), flush=True)
    print(f"{dialect}: {found} cases of {number}", file=sys.stderr)
    for reason, count in left_out.most_common():
        print(f"    {count:4d}  {reason}", file=sys.stderr)


def main():
    for family, wanted in COUNTS.items():
        python = os.environ[PEERS[family]]
        peer, source = Peer(family, python), version_of(family, python)
        for dialect in ctconv.dialects():
            if dialect.startswith(family + "."):
                write_dialect(dialect, peer, source, wanted)
        peer.close()


if __name__ == "__main__":
    main()
