# SPDX-License-Identifier: Apache-2.0
"""tools/gpu/fit_choice.py on made-up runs: constants that made the times come back,
and the choice they make is judged by times.

in:  argv[1] the repository;   out: exit status of unittest
"""

import contextlib
import io
import json
import pathlib
import random
import sys
import tempfile
import unittest
from unittest import mock

ROOT = pathlib.Path(sys.argv.pop(1))
sys.path.insert(0, str(ROOT / "tools/gpu"))
import fit_choice  # noqa: E402


def plan(kernel, estimated_us, engine=None, workspace=0):
    form = f"cuDNN 9.19.0, engine {engine}, workspace {workspace}" if engine is not None else "tile"
    return (
        f"kernel: {kernel}\nform: {form}\nestimated_us: {9 * estimated_us}\n"
        f"kernels_own_estimate_us: {estimated_us}\nworkspace_bytes: {workspace}\n"
    )


class Device:
    bytes_per_second, f32, tf32, f16 = 4e12, 50e12, 400e12, 800e12


class Fit(unittest.TestCase):
    def setUp(self):
        self.layers = {layer["id"]: layer for layer in json.loads((ROOT / "bench/layers.json").read_text())}

    def row(self, layer, choice, text, us):
        return {
            "layer": layer,
            "dtype": "f32",
            "tf32": False,
            "order": "first",
            "choice": choice,
            "graph_us": us,
            "plan": text,
        }

    def run_of(self, noise=0.0):
        """Engine 74 by known constants, cell three times what it says, auto always cell."""
        r, rows = random.Random(3), []
        for name, layer in self.layers.items():
            cudnn = self.row(name, "cudnn", plan("cudnn", 1, 74, r.choice((0, 1 << 22))), 1)
            f = fit_choice.Row(cudnn, layer, Device).features(1, 32, 16)
            us = 1e6 * sum(c * x for c, x in zip((4e-6, 6e-6, 1.5, 2.0, 10e-9), f)) * r.uniform(1 - noise, 1 + noise)
            said = us * r.choice((0.1, 0.2, 0.5, 1.0))
            rows.append(dict(cudnn, graph_us=us))
            rows += [self.row(name, choice, plan("cell", said), 5 + 3 * said) for choice in ("cell", "auto")]
        return rows

    def test_constants_come_back(self):
        rows = [fit_choice.Row(r, self.layers[r["layer"]], Device) for r in self.run_of()]
        engine = [r for r in rows if r.choice == "cudnn"]
        found = fit_choice.fit([(r.features(1, 32, 16), r.after, r.seconds) for r in engine])
        for a, b in zip(found, (4e-6, 6e-6, 1.5, 2.0, 10e-9)):
            self.assertAlmostEqual(a / b, 1, delta=0.1)
        fixed, scale = fit_choice.fit(fit_choice.own_problem([r for r in rows if r.choice == "cell"]))
        self.assertAlmostEqual(fixed, 5e-6, delta=0.2e-6)  # before the correction of the build that ran
        self.assertAlmostEqual(scale, 3, delta=0.05)

    def test_no_coefficient_is_negative(self):
        self.assertEqual(fit_choice.fit([((1.0, x), 0.0, 2.0 - 0.1 * x) for x in (1.0, 5.0, 9.0)])[1], 0)

    def test_whole(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "bench.json"
            path.write_text(json.dumps({"bench": self.run_of(noise=0.02)}))
            said = io.StringIO()
            with (
                contextlib.redirect_stdout(said),
                mock.patch.object(sys, "argv", ["fit_choice.py", str(path)]),
                mock.patch.multiple(fit_choice, PHASES=(1, 8), PAD_CO=(32,), PAD_CI=(16,)),
            ):
                fit_choice.main()
        text = said.getvalue()
        self.assertRegex(text, r"\{\{74, -1, -1, -1, -1, -1\}, .*, 1, 32, 16\}")  # and the form that made them
        self.assertRegex(text, r'\{"cell", 5(\.\d+)?e-6, 3(\.\d+)?\}')
        before, after = (
            float(v) for v in fit_choice.re.search(r"auto / best ([\d.]+) .* it ran, ([\d.]+) \(worst", text).groups()
        )
        self.assertGreater(before, 1.1)
        self.assertLess(after, 1.05)


if __name__ == "__main__":
    unittest.main()
