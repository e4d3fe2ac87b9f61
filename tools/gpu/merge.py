#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One report from the slices of a part of tools/gpu/lease.sh.

in:  --work folder with PART.I.json for I below --slices; a slice that was killed may have left an older report or none
out: --out/PART.json, or PART.json.gz above 1 MB; a few lines on stdout; exit status 1 where a slice is missing,
     something failed, a layer was not reached, or (part correct, no selection made) a kernel never ran
Lists are joined, numbers under "checks" added, counts by name added.
"""

import argparse
import gzip
import json
import os
import sys


def add(into, report):
    for key, value in report.items():
        if key not in into:
            into[key] = value
        elif isinstance(value, list) and key != "slice":
            into[key] += value
        elif isinstance(value, dict):
            for name, count in value.items():
                if isinstance(count, (int, float)) and isinstance(into[key].get(name), (int, float)):
                    into[key][name] += count
                else:
                    into[key].setdefault(name, count)
        elif key in ("checks", "records"):
            into[key] += value
        elif key in ("seconds", "worst_ulp"):
            into[key] = max(into[key], value)


def summary(part, whole):
    """Lines for a reader, and whether all of it is good."""
    good = True
    failed = whole.get("failed", [])
    failed = failed if isinstance(failed, list) else []
    failures = failed + whole.get("failures", [])
    if failures:
        good = False
        print(f"{part}: {len(failures)} FAILED, the first:")
        for text in failures[:6]:
            print("  " + " | ".join(text.strip().splitlines())[:400])
    missed = sorted(set(whole.get("not_reached", [])))
    if missed:
        good = False
        print(f"{part}: NOT REACHED in time: {len(missed)}: {' '.join(missed)[:600]}")
    if whole.get("lost"):
        good = False
        print(f"{part}: {whole['lost']}")
    never = [name for name, count in (whole.get("ran") or {}).items() if not count]
    if never and not whole.get("selected"):
        good = False
        print(f"{part}: kernels that never ran: {' '.join(never)}")
    counts = ("equal", "refused", "kernels", "ran", "random", "gradients_random", "call_us", "graph_nodes", "ceilings")
    for key in counts:
        if whole.get(key):
            print(f"{part}, {key}: {json.dumps(whole[key])}")
    print(
        f"{part}: {whole.get('checks', sum((whole.get('equal') or {}).values()))} checks, {len(failures)} failed, "
        f"slowest process {whole.get('seconds', 0):.1f} s"
    )
    return good


def main():
    parser = argparse.ArgumentParser()
    for name in ("work", "out", "part"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--slices", type=int, required=True)
    a = parser.parse_args()
    whole, missing = {}, []
    for i in range(a.slices):
        try:
            with open(os.path.join(a.work, f"{a.part}.{i}.json"), encoding="utf-8") as f:
                add(whole, json.load(f))
        except (OSError, ValueError) as e:
            missing.append(i)
            print(f"{a.part}: no report of process {i}: {e}")
    whole["slices_missing"] = missing
    good = summary(a.part, whole) and not missing
    text = json.dumps(whole)
    path = os.path.join(a.out, a.part + ".json")
    if len(text) > 1_000_000:
        with gzip.open(path + ".gz", "wt", encoding="utf-8") as f:
            f.write(text)
    else:
        with open(path, "w", encoding="utf-8") as f:
            f.write(text + "\n")
    return 0 if good else 1


sys.exit(main())
