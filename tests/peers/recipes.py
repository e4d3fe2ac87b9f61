#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The porting recipes (docs/porting/recipes.json) in the real packages: each takes the words, and gives libctconv's y.

In:   the interpreters that differential.py names (CTCONV_PEER_TORCH, ...); the recipes
Out:  one line per framework, exit 0; one line per recipe that differs, exit 1; 77 where no package is there
Rule: arguments and call as they stand in the recipe, 2-D and 3-D; shape, element type and every value are compared.
      What is done around the layer (crop, spread taps, a layer for each group) tests/docs/check_porting.py computes.
      A package may refuse what a rule of allowed.py names; that is said.
"""

import pathlib
import sys

from allowed import rule_for
from compare import difference, ours
from differential import PEERS, Peer, executables
from wire import encode

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import gen_porting as pages

IN, OUT = 4, 6
SIZES = {2: (5, 6), 3: (3, 4, 5)}


def case_of(who, framework, layer, rank):
    writing, sizes = layer[who], SIZES[rank]
    parts = writing.get("halves", 1)
    channels, filters = IN // parts, OUT // parts
    args = pages.expanded(writing["args"], framework, layer, rank, sizes)
    bias = layer.get("bias", True)
    w_shape = None
    if who == "keras":
        args = {"filters": filters, **args}
    elif who == "onnx":
        w_shape = [channels, filters // layer.get("groups", 1), *(layer["k"],) * rank]
    else:
        args = {"in_channels": channels, "out_channels": filters, **args}
    return {
        "dialect": framework["class"].format(r=rank),
        "args": {name: encode(value) for name, value in args.items()},
        "x_shape": [2, *sizes, channels] if framework["x"] == "last" else [2, channels, *sizes],
        "x_dtype": "float32",
        "w_shape": w_shape,
        "w_dtype": "float32",
        "bias": filters if bias and who == "onnx" else 0,
        "call": {"output_size": [writing["size"] * size for size in sizes]} if "size" in writing else {},
        "typed": False,
    }


def compare(who, python, data):
    """How many recipes of a framework differ."""
    peer, bad, count = Peer(who, python), 0, 0
    for rank in SIZES:
        for layer in data["layers"]:
            case = case_of(who, data["frameworks"][who], layer, rank)
            mine, theirs = ours(case), peer.ask(case)
            what = difference(mine, theirs)
            count += 1
            rule = what and rule_for(case, what, mine, theirs)
            if rule:
                print(f"{who}, {rank}-D, {layer['what']}: allowed: {rule}")
            elif what is not None:
                bad += 1
                print(f"{who}, {rank}-D, {layer['what']}: {what}: {theirs.get('message', theirs.get('shape'))}")
    peer.close()
    print(f"{who}: {count} recipes, {bad} differ", flush=True)
    return bad


def main():
    data, found = pages.recipes(), executables()
    for who in PEERS.keys() - found.keys():
        print(f"SKIPPED: {PEERS[who]} is not set: {who} not compared with the real package")
    if not found:
        return 77
    return 1 if sum([compare(who, python, data) for who, python in found.items()]) else 0


if __name__ == "__main__":
    sys.exit(main())
