# SPDX-License-Identifier: Apache-2.0
"""The command line from outside: what it answers, refuses and returns. CTCONV_CLI names the program."""

import array
import contextlib
import json
import math
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from make_npy import write_npy  # noqa: E402

CLI = os.environ.get("CTCONV_CLI", str(ROOT / "build" / "release" / "ctconv"))
T2 = "torch.nn.ConvTranspose2d"
ARGS = {"in_channels": 3, "out_channels": 4, "kernel_size": 3, "stride": 2}


def ctconv(*arguments):
    done = subprocess.run([CLI, *map(str, arguments)], capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout, done.stderr


def answer(*arguments):
    code, out, err = ctconv("--json", *arguments)
    if code not in (0, 1):
        raise AssertionError(f"{arguments}: exit {code}: {err}")
    return json.loads(out)


@contextlib.contextmanager
def environment(**values):
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def read_npy(path):
    data = path.read_bytes()
    length = struct.unpack("<H", data[8:10])[0]
    header = data[10 : 10 + length].decode()
    assert (10 + length) % 64 == 0 and header.endswith("\n")
    code = "d" if "<f8" in header else "f" if "<f4" in header else None
    shape = tuple(int(n) for n in header.split("(")[1].split(")")[0].split(",") if n.strip())
    body = data[10 + length :]
    return shape, list(array.array(code, body)) if code else [h[0] for h in struct.iter_unpack("<e", body)]


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def refused(self, name, *arguments):
        code, out, err = ctconv(*arguments)
        self.assertEqual((code, out), (2, ""), f"{arguments}: {err}")
        self.assertTrue(err.startswith(f"ctconv: {name}: "), err)
        self.assertEqual(err.count("\n"), 1, err)
        code, out, err = ctconv("--json", *arguments)
        self.assertEqual((code, out, json.loads(err)["error"]["status"]), (2, "", name))
        return json.loads(err)["error"]


class Run(Case):
    def test_numbers_of_a_known_layer(self):
        x, w, y = (self.folder / n for n in ("x.npy", "w.npy", "y.npy"))
        write_npy(x, (1, 1, 2, 2), [1, 2, 3, 4])
        write_npy(w, (1, 1, 2, 2), [1, 10, 100, 1000])
        got = answer(
            "run",
            T2,
            '{"in_channels":1,"out_channels":1,"kernel_size":[2,2],"stride":2,"bias":false}',
            "-x",
            x,
            "-w",
            w,
            "-o",
            y,
            "--check",
        )
        self.assertEqual(got["y"]["shape"], [1, 1, 4, 4])
        self.assertTrue(got["check"]["ok"])
        self.assertEqual(
            read_npy(y), ((1, 1, 4, 4), [1, 10, 2, 20, 100, 1000, 200, 2000, 3, 30, 4, 40, 300, 3000, 400, 4000])
        )

    def test_fortran_order_and_double(self):
        x, w, y = (self.folder / n for n in ("x.npy", "w.npy", "y.npy"))
        write_npy(x, (1, 1, 2, 2), [1, 3, 2, 4], "d")  # column by column
        x.write_bytes(x.read_bytes().replace(b"'fortran_order': False", b"'fortran_order': True "))
        write_npy(w, (1, 1, 1, 1), [2], "d")
        answer("run", T2, '{"in_channels":1,"out_channels":1,"kernel_size":1,"bias":false}', "-x", x, "-w", w, "-o", y)
        self.assertEqual(read_npy(y), ((1, 1, 2, 2), [2, 4, 6, 8]))

    def test_seed_decides_the_numbers(self):
        outputs = []
        for seed in (5, 5, 6):
            y = self.folder / "y.npy"
            answer("run", T2, json.dumps(ARGS), "-x", "ones:1,3,5,5", "--seed", seed, "-o", y)
            outputs.append(read_npy(y)[1])
        self.assertEqual(outputs[0], outputs[1])
        self.assertNotEqual(outputs[0], outputs[2])

    def test_16_bit_types(self):
        for dtype, unit in (("float16", 2**-10), ("bfloat16", 2**-7)):
            y = self.folder / "y.npy"
            got = answer(
                "run",
                T2,
                json.dumps(ARGS),
                "-x",
                f"random:1,3,5,5:{dtype}",
                "-w",
                "ones",
                "-b",
                "none",
                "-o",
                y,
                "--check",
            )
            self.assertEqual(got["y"]["dtype"], dtype)
            self.assertTrue(got["check"]["ok"], got)
            self.assertLess(abs(got["y"]["mean"] - sum(read_npy(y)[1]) / math.prod(got["y"]["shape"])), unit)

    def test_every_engine_named(self):
        for engine in ("reference", "native"):
            self.assertEqual(answer("run", T2, json.dumps(ARGS), "-x", "1,3,6,6", "--engine", engine)["engine"], engine)

    def test_text_says_the_same(self):
        code, out, _ = ctconv("run", T2, json.dumps(ARGS), "-x", "1,3,6,6", "--repeat", 2, "--check")
        self.assertEqual(code, 0)
        for word in ("(1, 4, 13, 13)", "engine", "median of 2", "GF/s", "check"):
            self.assertIn(word, out)


class Values(Case):
    """The JSON mapping, by the TypeErrors that depend on it."""

    def test_a_list_is_not_a_tuple(self):
        d = "mindspore.nn.Conv3dTranspose"
        answer("shape", d, '{"in_channels":3,"out_channels":4,"kernel_size":[2,2,2]}')
        self.refused(
            "CTCONV_ERR_TYPE_KERNEL_SIZE",
            "shape",
            d,
            '{"in_channels":3,"out_channels":4,"kernel_size":{"$list":[2,2,2]}}',
        )

    def test_a_bool_and_a_float_are_not_ints(self):
        self.refused(
            "CTCONV_ERR_TYPE_GROUPS", "shape", T2, '{"in_channels":3,"out_channels":4,"kernel_size":2,"groups":true}'
        )
        self.refused(
            "CTCONV_ERR_TYPE_STRIDE", "shape", T2, '{"in_channels":3,"out_channels":4,"kernel_size":2,"stride":1.0}'
        )

    def test_null_is_none(self):
        answer(
            "shape", "paddle.nn.Conv2DTranspose", '{"in_channels":3,"out_channels":4,"kernel_size":2,"bias_attr":null}'
        )

    def test_an_integer_beyond_64_bits_stays_an_int(self):
        got = self.refused(
            "CTCONV_ERR_VALUE_IN_CHANNELS",
            "shape",
            T2,
            '{"in_channels":-99999999999999999999999,"out_channels":4,"kernel_size":2}',
        )
        self.assertEqual(got["kind"], "ValueError")

    def test_bad_json(self):
        for text in (
            "",
            "{",
            "[1]",
            "3",
            '{"a":1,"a":2}',
            '{"a":{"b":1}}',
            '{"a":{"$list":3}}',
            "[" * 1000,
            '{"a":NaN}',
            "\xff",
        ):
            self.refused("JSON", "shape", T2, text)
        self.refused("FILE", "shape", T2, "@/nonexistent.json")

    def test_arguments_from_a_file(self):
        path = self.folder / "args.json"
        path.write_text(json.dumps(ARGS))
        self.assertEqual(answer("shape", T2, f"@{path}", "-x", "2,3,5,5")["y"]["shape"], [2, 4, 11, 11])


class Refusals(Case):
    def test_status_names(self):
        self.refused("CTCONV_ERR_MISUSE_DIALECT", "shape", "torch.nn.Linear", "{}")
        self.assertIn(
            "did you mean", self.refused("CTCONV_ERR_MISUSE_DIALECT", "shape", "ConvTranspose2D", "{}")["message"]
        )
        self.refused("CTCONV_ERR_TYPE_ARGUMENT_MISSING", "shape", T2, "{}")
        self.refused("CTCONV_ERR_VALUE_STRIDE", "run", T2, json.dumps({**ARGS, "stride": 0}), "-x", "1,3,5,5")
        self.refused("CTCONV_ERR_SHAPE_INPUT_CHANNELS", "run", T2, json.dumps(ARGS), "-x", "1,2,5,5")
        self.refused("CTCONV_ERR_MISUSE_ENGINE", "run", T2, json.dumps(ARGS), "-x", "1,3,5,5", "--engine", "warp")

    def test_options(self):
        self.refused("OPTION", "run", T2, json.dumps(ARGS))
        self.refused("OPTION", "run", T2, json.dumps(ARGS), "-x", "random")
        self.refused("OPTION", "run", T2, json.dumps(ARGS), "-x", "random:1,3,5,5:int8")
        self.refused("OPTION", "run", T2, json.dumps(ARGS), "-x", "1,2,3,4,5,6,7,8,9")
        self.refused("OPTION", "run", T2, json.dumps(ARGS), "-x", "1,3,5,5", "--activation", "gelu")
        self.refused("OPTION", "run", T2, json.dumps(ARGS), "-x", "1,3,5,5", "--nonsense")
        self.refused("OPTION", "fly")
        self.refused("OPTION", "run")
        self.refused("OPTION")
        self.assertIn("'fly' is no command", ctconv("fly")[2])
        self.refused(
            "CTCONV_ERR_UNSUPPORTED_INIT",
            "run",
            "mindspore.ops.Conv3DTranspose",
            '{"in_channel":3,"out_channel":2,"kernel_size":2}',
            "-x",
            "1,3,5,5,5",
        )
        self.refused("CTCONV_ERR_UNSUPPORTED_WEIGHT_SPEC", "run", "onnx.ConvTranspose", "{}", "-x", "1,3,5,5")
        self.refused(
            "CTCONV_ERR_TYPE_DTYPE_MISMATCH", "run", T2, json.dumps(ARGS), "-x", "1,3,5,5", "-w", "3,4,3,3:float64"
        )

    def test_seed(self):
        for seed in ("-1", "1.5", "x", "18446744073709551616", ""):
            self.refused("OPTION", "run", T2, json.dumps(ARGS), "-x", "1,3,5,5", "--seed", seed)
        answer("run", T2, json.dumps(ARGS), "-x", "1,3,5,5", "--seed", "18446744073709551615")

    def test_a_misspelt_shape_is_no_file(self):
        for text in ("1,3,a,16", "1,3,-4,16", "-1,3,4,4", "1,,3", "1,3,a:f32"):
            self.assertIn("no shape", self.refused("OPTION", "run", T2, json.dumps(ARGS), f"--x={text}")["message"])
        odd = self.folder / "1,3,a,16"  # unless there is one
        write_npy(odd, (1, 3, 4, 4), range(48))
        done = subprocess.run(
            [CLI, "run", T2, json.dumps(ARGS), "-x", odd.name], cwd=self.folder, capture_output=True, text=True
        )
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_misspelt_argument(self):
        for wrong, right in (
            ("in_chanels", "in_channels"),
            ("kernelsize", "kernel_size"),
            ("strid", "stride"),
            ("pading", "padding"),
        ):
            message = self.refused("CTCONV_ERR_TYPE_ARGUMENT_NAME", "shape", T2, json.dumps({**ARGS, wrong: 3}))[
                "message"
            ]
            self.assertTrue(message.endswith(f"; did you mean '{right}'?"), message)
        self.assertNotIn("mean", self.refused("CTCONV_ERR_TYPE_ARGUMENT_NAME", "shape", T2, '{"x":1}')["message"])

    def test_the_json_parser_stays_unseen(self):
        path = self.folder / "args.json"
        path.write_text("")
        self.assertEqual(self.refused("JSON", "shape", T2, f"@{path}")["message"], f"{path}: empty")
        for text in ('{"in_channels":"a\\u0000b"}', '{"in_channels\\u0000":3}'):
            self.assertIn("NUL", self.refused("JSON", "shape", T2, text)["message"])
        for text in ("{", '{"a":1e999}', "[1,", "nul", '{"a" 1}'):
            self.assertNotIn("json.exception", self.refused("JSON", "shape", T2, text)["message"])

    def test_the_json_flag_holds_wherever_it_stands(self):
        for words in (["fly", "--json"], ["run", "--json", T2, "--seed", "x"], ["run", T2, "--seed", "x", "--json"]):
            code, out, err = ctconv(*words)
            self.assertEqual((code, out, json.loads(err)["error"]["status"]), (2, "", "OPTION"))

    def test_an_engine_is_named_once(self):
        said = self.refused(
            "CTCONV_ERR_UNSUPPORTED_ENGINE",
            "run",
            "onnx.ConvTranspose",
            "{}",
            "-x",
            "0,1,4,4",
            "-w",
            "ones:1,1,2,2",
            "--engine",
            "native",
        )
        self.assertEqual(said["message"], "engine native: the output is empty")

    def test_no_file_name(self):
        done = ctconv("run", T2, json.dumps(ARGS), "-x", "1,3,4,4", "-o", "")
        self.assertEqual(done[0], 2)

    def test_sizes(self):
        # No memory is taken to say what a huge layer would need.
        self.assertEqual(
            answer("shape", T2, json.dumps(ARGS), "-x", "1,3,100000,1000000")["y"]["shape"], [1, 4, 200001, 2000001]
        )
        self.refused(
            "CTCONV_ERR_SHAPE_OUTPUT_OVERFLOW", "shape", T2, json.dumps(ARGS), "-x", "1,3,4000000000,4000000000"
        )
        self.refused("ARRAY", "run", T2, json.dumps(ARGS), "-x", "1,3,4000000000,4000000000")


class HostileFiles(Case):
    def npy(self, header, body=b"\0" * 64, version=b"\x01\x00", length=None):
        path = self.folder / "bad.npy"
        text = header.encode("latin-1")
        size = len(text) if length is None else length
        path.write_bytes(b"\x93NUMPY" + version + size.to_bytes(2 if version[0] == 1 else 4, "little") + text + body)
        return path

    def test_headers(self):
        good = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 2, 2), }\n"
        wrong = [
            good.replace("'shape'", "'sharp'"),
            good.replace("(1, 1, 2, 2)", "(1, 1, -2, 2)"),
            good.replace("(1, 1, 2, 2)", "1"),
            good.replace("(1, 1, 2, 2)", "(9999999999999999999999,)"),
            good.replace("(1, 1, 2, 2)", "(999999999999, 999999999999)"),
            good.replace("(1, 1, 2, 2)", "(1, 1, 1, 1, 1, 1, 1, 1, 1)"),
            good.replace("<f4", ">f4"),
            good.replace("<f4", "<i4"),
            good.replace("<f4", "|O"),
            good.replace("'<f4'", "[('a', '<f4')]"),
            good.replace("False", "Maybe"),
            good.replace("}", ""),
            good.replace("'shape': (1, 1, 2, 2), ", ""),
            good.replace("}", "} + 1"),
            good.replace("(1, 1, 2, 2)", "(1, 1, 5, 5)"),
            good.replace("}", "'shape': (1,), }"),
            "",
            "{",
            "\x00" * 40,
            "{'descr': '<f4",
        ]
        for header in wrong:
            for version in (b"\x01\x00", b"\x02\x00", b"\x03\x00"):
                self.refused("NPY_FORMAT", "run", T2, json.dumps(ARGS), "-x", self.npy(header, version=version))
        for version in (b"\x00\x00", b"\x04\x00", b"\x01\x01"):
            self.refused("NPY_FORMAT", "run", T2, json.dumps(ARGS), "-x", self.npy(good, version=version))
        self.refused(
            "NPY_FORMAT", "run", T2, json.dumps(ARGS), "-x", self.npy(good, version=b"\x02\x00", length=0xFFFFFFFF)
        )
        self.refused("NPY_FORMAT", "run", T2, json.dumps(ARGS), "-x", self.npy(good, length=0xFFFF))
        for version in (b"\x01\x00", b"\x02\x00", b"\x03\x00"):  # the nearest legal case
            answer(
                "run", T2, '{"in_channels":1,"out_channels":1,"kernel_size":1}', "-x", self.npy(good, version=version)
            )

    def test_every_truncation(self):
        path, cut = self.folder / "x.npy", self.folder / "cut.npy"
        write_npy(path, (1, 3, 2, 2), range(12))
        data = path.read_bytes()
        for size in [0, 1, 6, 8, 9, 10, 11, 30, 100, 127, 128, len(data) - 1]:
            cut.write_bytes(data[:size])
            self.refused("NPY_FORMAT", "run", T2, json.dumps(ARGS), "-x", cut)

    def test_an_archive_of_numpy(self):
        path = self.folder / "x.npz"
        path.write_bytes(b"PK\x03\x04" + b"\0" * 100)
        self.assertIn("numpy.load", self.refused("NPY_FORMAT", "run", T2, json.dumps(ARGS), "-x", path)["message"])

    def test_places(self):
        self.refused("FILE", "run", T2, json.dumps(ARGS), "-x", self.folder / "absent.npy")
        self.refused("NPY_FORMAT", "run", T2, json.dumps(ARGS), "-x", self.folder)
        self.refused("FILE", "run", T2, json.dumps(ARGS), "-x", "1,3,4,4", "-o", self.folder / "no" / "y.npy")
        if os.path.exists("/dev/full"):
            self.refused("FILE", "run", T2, json.dumps(ARGS), "-x", "1,3,4,4", "-o", "/dev/full")


class Others(Case):
    def test_shape_without_x(self):
        got = answer("shape", T2, json.dumps(ARGS))
        self.assertEqual((got["weight"]["shape"], got["bias"]["shape"]), ([3, 4, 3, 3], [4]))

    def test_shape_with_output_size(self):
        got = answer("shape", T2, json.dumps(ARGS), "-x", "1,3,5,5", "--output-size", "[12,12]")
        self.assertEqual(got["y"]["shape"], [1, 4, 12, 12])
        self.refused(
            "CTCONV_ERR_VALUE_OUTPUT_SIZE_RANGE",
            "shape",
            T2,
            json.dumps(ARGS),
            "-x",
            "1,3,5,5",
            "--output-size",
            "[13,12]",
        )

    def test_explain(self):
        got = answer("explain", T2, json.dumps({**ARGS, "padding": 1, "output_padding": 1}), "-x", "1,3,5,5")
        self.assertEqual([a["o"] for a in got["axes"]], got["y"][2:])
        for a in got["axes"]:
            self.assertEqual(a["o"], (a["i"] - 1) * a["s"] + a["d"] * (a["k"] - 1) + 1 - a["lo"] - a["hi"] + a["tail"])
            left, right = a["formula"].split(" = ")
            self.assertEqual(int(left), eval(right.replace(" zero", "")))
        self.assertIn("native", [e["engine"] for e in got["engines"]])

    def test_explain_says_it_in_one_sentence_first(self):
        out = ctconv("explain", T2, json.dumps(ARGS), "-x", "1,3,5,5", "--threads", 1)[1]
        self.assertRegex(
            out,
            r"short   \w+ runs this layer on 1 thread, in about [\d.]+ [mu]?s "
            r"\([\d.]+ GF/s\) by its own estimate\nengine  ",
        )

    def test_side_by_side(self):
        words = {"in_channels": 2, "out_channels": 3, "kernel_size": 3, "stride": 2, "pad_mode": "same"}
        got = answer("explain", "mindspore.nn.Conv2dTranspose", json.dumps(words), "-x", "1,2,5,5", "--side-by-side")
        extents = {d["dialect"]: [a["o"] for a in d["axes"]] for d in got["dialects"] if "axes" in d}
        self.assertEqual(extents["mindspore.nn.Conv2dTranspose"], [10, 10])
        self.assertEqual(extents["paddle.nn.Conv2DTranspose"], [9, 9])  # SAME over the input extent
        self.assertEqual(extents["keras.layers.Conv2DTranspose"], [10, 10])
        self.assertEqual(extents["onnx.ConvTranspose"], [10, 10])
        self.assertIn("cannot_say", {d["dialect"]: d for d in got["dialects"]}[T2])
        plain = answer(
            "explain", T2, json.dumps({**ARGS, "padding": 1, "output_padding": 1}), "-x", "1,3,5,5", "--side-by-side"
        )
        extents = {d["dialect"]: [a["o"] for a in d["axes"]] for d in plain["dialects"] if "axes" in d}
        for dialect, extent in extents.items():
            self.assertEqual(extent, [10, 10], dialect)
        self.assertGreaterEqual(len(extents), 6)

    def test_verify(self):
        got = answer("verify", T2, json.dumps(ARGS), "-x", "2,3,7,6")
        self.assertTrue(got["ok"])
        native = {e["engine"]: e for e in got["engines"]}["native"]
        self.assertTrue(native["same_bits"] and native["promises_bits"])
        self.assertEqual(native["bits"], "reference")

    def test_verify_backward(self):
        for words, activation in ((ARGS, "none"), ({**ARGS, "bias": False}, "tanh"), (ARGS, "relu")):
            got = answer("verify", T2, json.dumps(words), "-x", "2,3,7,6", "--backward", "--activation", activation)
            self.assertTrue(got["ok"])
            self.assertEqual((got["x"], got["y"]), ([2, 3, 7, 6], [2, 4, 15, 13]))
            rows = [g for g in got["gradients"] if g["engine"] == "auto"]
            wanted = ["dx", "dw", "db"] if words.get("bias", True) else ["dx", "dw"]
            self.assertEqual([g["gradient"] for g in rows], wanted)
            for row in rows:
                self.assertTrue(row["ok"])
                self.assertEqual(row["promises_bits"], row["bits"] == "reference")
                self.assertTrue(row["same_bits"] or not row["promises_bits"], row)
                self.assertLessEqual(row["of_rounding_bound"], 1)
        slope = ["--activation", "leaky_relu", "--alpha", "-1"]
        words = ["verify", T2, json.dumps(ARGS), "-x", "1,3,5,5", "--backward"]
        self.refused("CTCONV_ERR_MISUSE_ACTIVATION", *words, *slope)
        self.refused("OPTION", "run", *words[1:])

    def test_bench_backward(self):
        words = ["bench", T2, json.dumps(ARGS), "-x", "1,3,6,6", "--repeat", 2]
        flop = next(e["flop"] for e in answer(*words)["engines"] if e["engine"] == "auto")
        got = answer(*words, "--backward")
        auto = {e["gradient"]: e for e in got["engines"] if e["engine"] == "auto"}
        self.assertEqual(list(auto), ["dx", "dw", "all"])
        self.assertEqual([e["flop"] for e in auto.values()], [flop, flop, 2 * flop])
        self.assertTrue(all(e["median_s"] > 0 and e["runs"] == 2 for e in auto.values()))
        self.assertTrue(all("gflops" in e or "refused" in e for e in got["engines"]))
        code, out, _ = ctconv(*words, "--backward")
        self.assertEqual(code, 0)
        self.assertIn("auto all", out)

    def test_promises(self):
        for words in (["--reproducible"], ["--reproducible=1"], ["--reproducible=2"], ["--math", "1"]):
            got = answer("run", T2, json.dumps(ARGS), "-x", "2,3,7,6", *words)
            self.assertEqual(got["y"], answer("run", T2, json.dumps(ARGS), "-x", "2,3,7,6")["y"], words)
        for words in (["--reproducible=3"], ["--math", "2"]):
            self.refused("OPTION", "run", T2, json.dumps(ARGS), "-x", "2,3,7,6", *words)

    def test_bench(self):
        got = answer("bench", T2, json.dumps(ARGS), "-x", "1,3,6,6", "--repeat", 2)
        self.assertTrue(all("gflops" in e or "refused" in e for e in got["engines"]))
        layers = self.folder / "layers.json"
        layer = {
            "id": "a.one",
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
            "activation": "relu",
            "dtype": "f32",
        }
        layers.write_text(json.dumps([layer, {**layer, "id": "b.two"}]))
        got = answer("bench", "--layers", layers, "--only", "a.", "--repeat", 1)
        self.assertEqual([g["id"] for g in got], ["a.one"])
        self.refused("OPTION", "bench", "--layers", layers, "--only", "c.")
        for wrong in (
            [{"id": "a"}],
            [{**layer, "cin": "2"}],
            [{**layer, "k": 4}],
            [{**layer, "bias": 1}],
            [{**layer, "in": [5.5]}],
            [{**layer, "n": 2**63}],
            [{**layer, "dtype": 3}],
            [{"cin": 2}],
            [3],
            {"id": "a"},
            3,
        ):
            layers.write_text(json.dumps(wrong))
            message = self.refused("JSON", "bench", "--layers", layers)["message"]
            self.assertNotIn("json.exception", message)
            if isinstance(wrong, list):
                self.assertIn(": layer 1", message)
        layers.write_text("[{")
        self.assertNotIn("json.exception", self.refused("JSON", "bench", "--layers", layers)["message"])

    def test_info(self):
        got = answer("info")
        self.assertIn("reference", got["engines"])
        self.assertIn(T2, [d["name"] for d in got["dialects"]])
        self.assertIn("CTCONV_MACHINE pins it", ctconv("info")[1])
        pinned = dict(got["machine"], hertz=2.8e9, fma=2)
        text = " ".join(f"{name}={value:.15g}" for name, value in pinned.items() if name != "source")
        os.environ["CTCONV_MACHINE"] = text
        try:
            self.assertEqual(answer("info")["machine"], {**pinned, "source": "pinned"})
            self.assertIn(text, ctconv("info")[1])
        finally:
            del os.environ["CTCONV_MACHINE"]
        self.assertNotIn(".0", str({name: got["machine"][name] for name in ("line", "l1", "cores", "vector_bytes")}))
        with environment(CTCONV_MACHINE="speed=1"):
            self.assertIn("no field is called speed", answer("info")["machine"]["ignored"])
            self.assertIn("ignored: CTCONV_MACHINE: no field is called speed", ctconv("info")[1])
        arguments = {d["name"]: d["arguments"] for d in got["dialects"]}[T2]
        self.assertEqual([a["name"] for a in arguments][:3], ["in_channels", "out_channels", "kernel_size"])
        self.assertIn("kernel_size", ctconv("info", T2)[1])
        self.assertEqual(answer("info", T2)["arguments"], arguments)
        self.refused("CTCONV_ERR_MISUSE_DIALECT", "info", "torch.nn.Linear")

    def test_tune(self):
        file = self.folder / "cache" / "machine.txt"
        with environment(CTCONV_MACHINE_FILE=str(file), CTCONV_MACHINE=""):
            kept = answer("tune")
            self.assertEqual(kept["file"], str(file))
            text = file.read_text()
            self.assertEqual(text.splitlines()[0], "ctconv-machine 1")
            self.assertEqual([f.name for f in file.parent.iterdir()], ["machine.txt"])  # nothing is left beside it
            used = answer("info")["machine"]
            self.assertEqual(used, {**kept["machine"], "source": "tuned"})
            # Printed only: the file stays.
            self.assertNotIn("file", answer("tune", "--dry"))
            self.assertEqual(file.read_text(), text)
            self.assertIn("kept in " + str(file), ctconv("tune")[1])
            # Damaged, of another processor: measured, and told.
            for wrong in ("junk", text.replace("\ncpu ", "\ncpu another "), text.replace("machine 1", "machine 9")):
                file.write_text(wrong)
                self.assertEqual(answer("info")["machine"]["source"], "measured")
                self.assertIn(str(file), answer("info")["machine"]["ignored"])
            with environment(CTCONV_MACHINE="fma=2"):
                self.refused("OPTION", "tune")
                self.assertEqual(answer("info")["machine"]["source"], "pinned")
        with environment(CTCONV_MACHINE_FILE=""):
            self.assertIn("CTCONV_MACHINE_FILE", self.refused("FILE", "tune")["message"])
            self.assertEqual(answer("info")["machine"]["source"], "measured")
        with environment(CTCONV_MACHINE_FILE="/proc/no/machine.txt"):
            self.refused("FILE", "tune")
        (self.folder / "a file").write_text("")
        with environment(CTCONV_MACHINE_FILE=str(self.folder / "a file" / "machine.txt")):
            self.refused("FILE", "tune")

    def test_help(self):
        for arguments in (["--help"], ["run", "--help"], ["--version"]):
            code, out, err = ctconv(*arguments)
            self.assertEqual((code, err), (0, ""))
            self.assertTrue(out)


if __name__ == "__main__":
    unittest.main()
