# SPDX-License-Identifier: Apache-2.0
"""The JSON of every command against docs/schema, and the page that explains it.

In:   CTCONV_CLI names the program; needs the jsonschema package
Rule: each answer fits the definition named after its command and no other; each refusal fits `error`; no field is in
      one of schema and docs/cli-json.md only; bench/layers.json and what `bench --layers` takes agree with their
      schema.
"""

import json
import pathlib
import re
import unittest

import jsonschema

from test_cli import ARGS, ROOT, T2, Case, answer, ctconv, write_npy

SCHEMA = json.loads((ROOT / "docs/schema/ctconv-cli.schema.json").read_text())
LAYERS = json.loads((ROOT / "docs/schema/ctconv-layers.schema.json").read_text())
LAYER = {
    "id": "a",
    "n": 1,
    "cin": 2,
    "cout": 3,
    "g": 1,
    "in": [5],
    "k": [4],
    "s": [2],
    "p_begin": [1],
    "p_end": [0],
    "op": [0],
    "d": [1],
    "bias": True,
}


def fits(value, name):
    schema = {**SCHEMA, "oneOf": [{"$ref": f"#/$defs/{name}"}]}
    jsonschema.Draft202012Validator(schema).validate(value)
    # And it is told from the answers of the other commands.
    jsonschema.Draft202012Validator(SCHEMA).validate(value)


class Answers(Case):
    def test_the_schemas_themselves(self):
        for schema in (SCHEMA, LAYERS):
            jsonschema.Draft202012Validator.check_schema(schema)

    def test_run(self):
        fits(answer("run", T2, json.dumps(ARGS), "-x", "1,3,5,5"), "run")
        fits(
            answer("run", T2, json.dumps(ARGS), "-x", "1,3,5,5", "--check", "-o", self.folder / "y.npy", "-b", "none"),
            "run",
        )
        fits(answer("run", T2, json.dumps(ARGS), "-x", "0,3,5,5"), "run")
        fits(answer("run", T2, json.dumps(ARGS), "-x", "1,3,5,5", "--begin", "1,2"), "run")

    def test_run_tiles(self):
        write_npy(self.folder / "x.npy", (1, 3, 5, 5), [1.0] * 75)
        words = ["run", T2, json.dumps(ARGS), "-x", self.folder / "x.npy", "-o", self.folder / "y.npy", "--tiles"]
        fits(answer(*words), "run_tiles")
        fits(answer(*words, "-b", "none", "--tile", "4,5"), "run_tiles")

    def test_shape(self):
        fits(answer("shape", T2, json.dumps(ARGS)), "shape")
        fits(answer("shape", T2, json.dumps({**ARGS, "bias": False}), "-x", "1,3,5,5"), "shape")
        fits(answer("shape", "onnx.ConvTranspose", "{}", "-x", "1,1,4,4", "-w", "1,1,2,2"), "shape")

    def test_explain(self):
        got = answer("explain", T2, json.dumps(ARGS), "-x", "1,3,5,5", "--side-by-side", "--svg", self.folder / "a.svg")
        fits(got, "explain")
        self.assertIsInstance(got["describe"]["flop"], int)
        self.assertIsInstance(got["describe"]["estimated_ms"], (int, float))
        self.assertIsInstance(got["describe"]["threads"], int)
        words = {"in_channels": 2, "out_channels": 3, "kernel_size": 3, "pad_mode": "same"}
        fits(
            answer("explain", "mindspore.nn.Conv2dTranspose", json.dumps(words), "-x", "1,2,5,5", "--side-by-side"),
            "explain",
        )

    def test_verify_and_bench(self):
        fits(answer("verify", T2, json.dumps(ARGS), "-x", "1,3,5,5"), "verify")
        fits(answer("verify", T2, json.dumps(ARGS), "-x", "1,3,5,5", "--backward"), "verify_backward")
        words = "bench", T2, json.dumps(ARGS), "-x", "1,3,5,5", "--repeat", 1
        fits(answer(*words), "bench")
        fits(answer(*words, "--plot", self.folder / "a.svg"), "bench")
        fits(answer("bench", T2, json.dumps(ARGS), "-x", "1,3,5,5", "--repeat", 1, "--backward"), "bench")
        path = self.folder / "layers.json"
        path.write_text(json.dumps([LAYER, {**LAYER, "id": "b", "activation": "relu", "dtype": "f64", "note": "mine"}]))
        fits(answer("bench", "--layers", path, "--repeat", 1), "bench_layers")
        fits(answer("bench", "--layers", path, "--repeat", 1, "--backward"), "bench_layers")

    def test_info(self):
        got = answer("info")
        fits(got, "info")
        self.assertIsInstance(got["build"]["cores"], int)
        fits(answer("info", T2), "info_dialect")

    def test_doctor(self):
        fits(answer("tune", "--dry"), "tune")
        got = answer("doctor")
        fits(got, "doctor")
        self.assertEqual(got["ok"], all("mend" not in part for part in got["parts"]))
        said = got["paragraph"].replace("\n", " ")
        for part in got["parts"]:
            self.assertIn(f" {part['part']} ", said)
        engines = [part["text"].split(":")[0] for part in got["parts"] if part["part"] == "engine"]
        self.assertEqual(engines, [name for name in answer("info")["engines"] if name not in ("cuda", "cudnn")])

    def test_errors(self):
        for words in (
            ["fly"],
            ["shape", "torch.nn.Linear", "{}"],
            ["shape", T2, "{"],
            ["shape", T2, "@/no"],
            ["shape", T2, '{"strid": 1}'],
            ["run", T2, json.dumps({**ARGS, "stride": [2, 0]}), "-x", "1,3,5,5"],
            ["run", T2, json.dumps(ARGS)],
            ["run", T2, json.dumps(ARGS), "-x", "1,3,5,5", "-w", "ones:9,9,9,9"],
        ):
            code, out, err = ctconv("--json", *words)
            self.assertEqual((code, out), (2, ""))
            fits(json.loads(err), "error")


class LayersFile(Case):
    def test_schema_and_program_agree(self):
        valid = jsonschema.Draft202012Validator(LAYERS)
        valid.validate(json.loads((ROOT / "bench/layers.json").read_text()))
        path = self.folder / "layers.json"
        wrong = [{k: v for k, v in LAYER.items() if k != name} for name in LAYER]
        wrong += [
            {**LAYER, name: value}
            for name in LAYER
            for value in (None, "x", 1.5, {})
            if not (name == "id" and value == "x")
        ]
        wrong += [{**LAYER, "activation": "gelu"}, {**LAYER, "activation": 1}, {**LAYER, "dtype": "int8"}, 3]
        for layer in [LAYER, {**LAYER, "more": [1]}, *wrong]:
            path.write_text(json.dumps([layer]))
            code, _, err = ctconv("bench", "--layers", path, "--repeat", 1)
            self.assertEqual(code == 0, valid.is_valid([layer]), f"{layer}: {err}")


class Page(unittest.TestCase):
    def test_every_field_is_explained(self):
        page = (ROOT / "docs/cli-json.md").read_text()
        words = set(re.findall(r"`([a-z_.]+)`", page))
        fields = set()

        def walk(node):
            if isinstance(node, dict):
                fields.update(node.get("properties", {}))
                for value in node.values():
                    walk(value)
            elif isinstance(node, list):
                for value in node:
                    walk(value)

        walk(SCHEMA)
        walk(LAYERS)
        self.assertEqual(sorted(fields - words), [])


if __name__ == "__main__":
    unittest.main()
