#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/gpu/compare_torch.py from end to end on a machine without a device (sitecustomize.py):
its rows, its checks, its deaths.

in:  CTCONV_LIBRARY, CTCONV_CUDA_MODULE = ctconv_host_module.so;   out: exit status; 77 without torch
"""

import importlib.util
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def layer(name, size, **other):
    rank = len(size)
    found = {
        "id": name,
        "n": 2,
        "cin": 4,
        "cout": 6,
        "g": 1,
        "in": size,
        "k": [3] * rank,
        "s": [2] * rank,
        "p_begin": [1] * rank,
        "p_end": [1] * rank,
        "op": [0] * rank,
        "d": [1] * rank,
        "bias": True,
    }
    return {**found, **other}


LAYERS = [
    layer("one", [9]),
    layer("two", [5, 4], op=[1, 1], g=2),
    layer("three", [3, 4, 3], bias=False),
    layer("short", [5, 5], p_begin=[1, 1], p_end=[0, 0]),
    layer("unsaid", [5, 5], p_begin=[0, 0], p_end=[1, 1]),
]


class Rehearsal(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)

    def run_tool(self, *options, layers=LAYERS, **environment):
        (self.path / "layers.json").write_text(json.dumps(layers), encoding="utf-8")
        line = [
            sys.executable,
            str(ROOT / "tools/gpu/compare_torch.py"),
            "--layers",
            str(self.path / "layers.json"),
            "--out",
            str(self.path / "torch.json"),
            "--sample-ms",
            "0.1",
            *options,
        ]
        done = subprocess.run(
            line,
            check=False,
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, "PYTHONPATH": str(HERE), **environment},
        )
        report = json.loads((self.path / "torch.json").read_text(encoding="utf-8"))
        return done, report

    def test_rows(self):
        done, report = self.run_tool("--python-layers", "2")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        by = {(r["layer"], r["type"], r["order"]): r for r in report["rows"]}
        self.assertEqual(len(by), len(report["rows"]))
        self.assertEqual(len(by), 4 * 4 + 3 * 4)  # all of them channels-first, all but the 1-D one channels-last
        self.assertEqual(len(report["skipped"]["torch has no channels_last of rank 3 tensors"]), 4)
        self.assertEqual(len(report["skipped"]["uneven pads that torch cannot say"]), 8)
        for row in report["rows"]:
            for who in ("torch", "auto", "measured"):
                self.assertGreater(row[who]["stream"], 0, row)
                self.assertGreater(row[who]["graph"], 0, row)
            bound = {"f32": 1e-6, "tf32": 1e-6, "f16": 2e-3, "bf16": 2e-2}[row["type"]]
            self.assertLess(max(row["auto_diff"], row["measured_diff"]), bound, row)
            self.assertEqual(row["auto_form"], "host, plain loops")
        self.assertEqual(set(report["peaks"]), {"f32", "tf32", "f16", "bf16"})
        self.assertEqual(report["not_reached"], [])
        self.tabulate(report)

    def tabulate(self, report):
        docs = self.path / "docs"
        docs.mkdir()
        line = [
            sys.executable,
            str(ROOT / "tools/gpu/table.py"),
            "--results",
            str(self.path),
            "--layers",
            str(self.path / "layers.json"),
            "--docs",
            str(docs),
            "--date",
            "2020-02-02",
        ]
        done = subprocess.run(line, check=False, capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        page = (docs / "performance-gpu.md").read_text(encoding="utf-8")
        some = [
            r["torch"]["graph"] / r["measured"]["graph"]
            for r in report["rows"]
            if (r["type"], r["order"]) == ("f16", "first")
        ]
        self.assertIn(f"| f16 | channels-first | {len(some)} |", page)
        line = next(line for line in page.splitlines() if line.startswith("| f16 | channels-first"))
        self.assertEqual(line.split("|")[7].strip(), f"{math.prod(some) ** (1 / len(some)):.2f}")
        kept = json.loads((docs / "performance-gpu-2020-02-02.json").read_text(encoding="utf-8"))
        self.assertEqual((len(kept["rows"]), len(kept["rows"][0])), (len(report["rows"]), len(kept["columns"])))

    def test_floors_are_bytes_or_flop(self):
        sys.path.insert(0, str(ROOT / "tools/gpu"))
        import figures

        flop, elements = figures.work(layer("two", [5, 4], k=[2, 2], p_begin=[0, 0], p_end=[0, 0]))
        self.assertEqual(flop, 2 * 2 * 20 * 4 * 4 * 6)  # kernel = stride: every tap of every pixel lands
        self.assertEqual(elements, 2 * (4 * 20 + 6 * 80) + 4 * 6 * 4 + 6)
        raw = {"layer": "two", "type": "f16", "order": "first", "torch": {"graph": 4.0}, "measured": {"graph": 2.0}}
        for peak, bound in ((1e12, True), (1e6, False)):
            row = figures.Row(
                raw,
                layer("two", [5, 4]),
                {"peaks": {"f16": peak}, "copy_bytes_per_second": 1e9, "graph_launch_us": 0.5},
            )
            self.assertEqual((row.memory_bound, row.ratio("measured", "graph")), (bound, 2.0))

    def test_a_deadline_names_what_it_cut(self):
        done, report = self.run_tool("--deadline", "0.001", "--types", "f32")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual((report["rows"], len(report["not_reached"])), ([], 10))

    def test_a_wrong_y_shows(self):
        done, report = self.run_tool("--types", "f32", "--orders", "first", CTCONV_REHEARSAL_WRONG="1")
        self.assertEqual(done.returncode, 1)
        self.assertTrue(all(row["wrong"] == ["auto", "measured"] for row in report["rows"]), report["rows"])
        self.assertIn("not right: two f32 first", done.stdout)

    def test_a_worker_that_dies_costs_its_row(self):
        done, report = self.run_tool("--types", "f16", "--orders", "first", CTCONV_REHEARSAL_DEATH="two")
        self.assertEqual(done.returncode, 1)
        self.assertEqual([row["layer"] for row in report["rows"]], ["one", "two", "three", "short"])
        self.assertIn("died", report["rows"][1])
        self.assertIn("measured", report["rows"][2])


if __name__ == "__main__":
    if importlib.util.find_spec("torch") is None:
        print("SKIPPED: no torch")
        sys.exit(77)
    unittest.main()
