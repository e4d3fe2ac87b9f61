# SPDX-License-Identifier: Apache-2.0
"""What a newcomer gets wrong: a refusal before any work, which names what is wrong. CTCONV_CLI names the program."""

import json
import os
import subprocess
import sys
import time
import unittest

from test_cli import ARGS, CLI, T2, Case, answer, ctconv, environment, read_npy, write_npy

LAYER = {"n": 1, "cin": 2, "cout": 3, "g": 1, "in": [5], "k": [4], "s": [2], "d": [1], "op": [0], "bias": True}
LAYER |= {"p_begin": [1], "p_end": [0]}


class Doctor(Case):
    def part(self, name, **variables):
        with environment(**variables):
            code, out, _ = ctconv("--json", "doctor")
        found = [part for part in json.loads(out)["parts"] if part["part"] == name]
        if found[0]["state"] == "wrong":
            self.assertEqual(code, 1)
            self.assertTrue(found[0]["mend"])
        return found[0]

    def test_a_tuning_file(self):
        file = self.folder / "tuning.tsv"
        place = {"CTCONV_TUNING_FILE": str(file)}
        self.assertEqual(self.part("tuning_file", **place)["state"], "ok")
        with environment(**place):
            wide = {"in_channels": 64, "out_channels": 64, "kernel_size": 3}  # of two engines: the library writes one
            ctconv("run", T2, json.dumps(wide), "-x", "1,64,16,16", "--tune")
        written = file.read_bytes()
        got = self.part("tuning_file", **place)
        self.assertEqual(got["state"], "ok")
        self.assertIn("times of 1 ", got["text"])
        for damaged, words in (
            (b"my shopping list\n", "is no tuning file"),
            (written + b"half a line", "damaged lines, passed over: 1"),
            (written.replace(b"\t", b" "), "damaged lines, passed over: 1"),
            (b"\0" * (5 << 20), "larger than 4 MiB"),
        ):
            file.write_bytes(damaged)
            got = self.part("tuning_file", **place)
            self.assertEqual(got["state"], "wrong", words)
            self.assertIn(words, got["text"])
            self.assertIn("CTCONV_TUNING_FILE", got["mend"])
        for fine in (b"", b"ctconv-tuning 1\nold\n"):
            file.write_bytes(fine)
            self.assertEqual(self.part("tuning_file", **place)["state"], "ok")
        (self.folder / "real.tsv").write_bytes(written)
        file.unlink()
        file.symlink_to("real.tsv")
        self.assertIn("symbolic link", self.part("tuning_file", **place)["text"])
        self.assertEqual(self.part("tuning_file", CTCONV_TUNING_FILE=str(self.folder))["state"], "wrong")

    @unittest.skipIf(os.geteuid() == 0, "root reads every file")
    def test_a_tuning_file_that_may_not_be_read(self):
        file = self.folder / "tuning.tsv"
        file.write_text("ctconv-tuning 2\n")
        file.chmod(0)
        self.assertEqual(self.part("tuning_file", CTCONV_TUNING_FILE=str(file))["state"], "wrong")

    def test_a_number_of_threads(self):
        for good in ("", "2", "4096", "4097", "4,2", " 3 "):
            self.assertEqual(self.part("threads", CTCONV_NUM_THREADS=good)["state"], "ok", good)
        for bad in ("two", "0", "-1", "2.5", "3x", " "):
            got = self.part("threads", CTCONV_NUM_THREADS=bad)
            self.assertEqual(got["state"], "wrong", bad)
            self.assertIn(f"'{bad}'", got["text"])
            self.assertIn("1 to 4096", got["text"])
            self.assertIn("CTCONV_NUM_THREADS", got["mend"])

    def test_the_variable_at_fault_is_named(self):
        file = self.folder / "machine.txt"
        file.write_text("junk\n")
        got = self.part("machine", CTCONV_MACHINE_FILE=str(file), CTCONV_MACHINE="")
        self.assertEqual(got["state"], "wrong")
        self.assertIn("CTCONV_MACHINE_FILE", got["mend"])
        got = self.part("machine", CTCONV_MACHINE="speed=1", CTCONV_MACHINE_FILE="")
        self.assertEqual(got["state"], "wrong")
        self.assertIn("CTCONV_MACHINE ", got["mend"])
        self.assertNotIn("CTCONV_MACHINE_FILE", got["mend"])


class Tune(Case):
    def test_a_file_that_is_no_record_is_kept(self):
        file = self.folder / "thesis.txt"
        for text in ("my thesis\n", "ctconv-mach", "\0\0"):
            file.write_text(text)
            with environment(CTCONV_MACHINE_FILE=str(file), CTCONV_MACHINE=""):
                said = self.refused("FILE", "tune")["message"]
            self.assertIn(f"{file}: is no record of `ctconv tune` and would be lost", said)
            self.assertEqual(file.read_text(), text)
        for text in ("", "ctconv-machine 1\nhalf", "ctconv-machine 7\n"):
            file.write_text(text)
            with environment(CTCONV_MACHINE_FILE=str(file), CTCONV_MACHINE=""):
                answer("tune")
            self.assertEqual(file.read_text().splitlines()[0], "ctconv-machine 1")


class Explain(Case):
    @unittest.skipIf(os.environ.get("CTCONV_SANITIZED"), "a sanitizer keeps what was freed for a while")
    def test_no_weight_is_made(self):
        """64 MiB of weight: packed once or twice, but neither filled nor copied."""
        words = ["explain", T2, json.dumps({"in_channels": 4096, "out_channels": 4096, "kernel_size": 1}), "-x"]
        program = (
            "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL);"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        command = [sys.executable, "-c", program, CLI, *words, "1,4096,1,1", "--engine", "reference"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
        self.assertLess(int(done.stdout), (64 * 3 + 32) << 10)
        self.assertIn("memory", ctconv(*words, "1,4096,1,1", "--engine", "reference")[1])

    def test_a_given_weight_is_read(self):
        write_npy(self.folder / "w.npy", (3, 4, 3, 3), range(108))
        words = "explain", T2, json.dumps(ARGS), "-x", "1,3,5,5"
        self.assertEqual(answer(*words)["y"], answer(*words, "-w", self.folder / "w.npy")["y"])
        said = self.refused("FILE", *words, "-w", self.folder / "none.npy")["message"]
        self.assertIn("none.npy", said)


class Bench(Case):
    def test_all_layers_are_judged_before_the_first_is_timed(self):
        path = self.folder / "layers.json"
        for wrong, words in (
            ({"s": [0]}, "stride"),
            ({"in": [5, 5]}, ""),
            ({"activation": "gelu"}, "activation 'gelu'"),
            ({"dtype": "f31"}, "f31"),
            ({"cin": 3, "g": 2}, ""),
        ):
            path.write_text(json.dumps([{**LAYER, "id": "good"}, {**LAYER, "id": "bad", **wrong}]))
            start = time.monotonic()
            code, out, err = ctconv("bench", "--layers", path, "--seconds", 30, "--engine", "native")
            self.assertEqual((code, out), (2, ""), (wrong, err))
            self.assertLess(time.monotonic() - start, 25)
            self.assertIn("layer 'bad'", err)
            self.assertIn(words, err)
        path.write_text(json.dumps([{**LAYER, "id": "good"}]))
        self.assertIn(
            "warp", self.refused("CTCONV_ERR_MISUSE_ENGINE", "bench", "--layers", path, "--engine", "warp")["message"]
        )


class Empty(Case):
    def test_an_empty_value_is_none(self):
        """As "$TILE" is where TILE is not set."""
        layer = T2, json.dumps(ARGS)
        for option in ("--tile", "--memory", "--begin", "--end", "-x", "-w", "-b", "--output-size"):
            said = self.refused("OPTION", "run", *layer, "-x", "1,3,4,4", option, "")["message"]
            self.assertIn(option, said)
            self.assertIn("empty", said)
        self.assertIn("empty", self.refused("OPTION", "bench", "--layers", "")["message"])


class Tiles(Case):
    def journal_of(self, x, y, *more):
        """A run that was killed: its journal is there, and part of y."""
        words = "run", T2, json.dumps(ARGS), "-x", x, "-o", y, "--tiles", "--tile", "1,1", *more
        with subprocess.Popen([CLI, *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            end = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < end:
                try:
                    if (y.parent / (y.name + ".journal")).read_bytes().count(b"\n") > 2:
                        break
                except FileNotFoundError:
                    pass
            process.kill()
        return words

    def test_what_differs_is_shown(self):
        x, y = self.folder / "x.npy", self.folder / "y.npy"
        write_npy(x, (1, 3, 64, 64), range(3 * 64 * 64))
        words = self.journal_of(x, y)
        write_npy(x, (1, 3, 64, 64), range(1, 3 * 64 * 64 + 1))
        said = self.refused("JOURNAL", *words)["message"]
        was, now = said.split("x was ")[1].split(". Call as before")[0].split(", is ")
        self.assertNotEqual(was, now, said)
        self.assertLessEqual(max(len(was), len(now)), 66)

    def test_bias_of_the_other_program(self):
        """`python -m ctconv.tiles` takes the same bias where none is given: tests of Python hold it to this."""
        x, y, w = (self.folder / f"{name}.npy" for name in "xyw")
        write_npy(x, (1, 3, 4, 4), [0] * 48)
        write_npy(w, (3, 4, 3, 3), range(108))
        answer("run", T2, json.dumps(ARGS), "-x", x, "-w", w, "-o", y, "--tiles")
        self.assertTrue(any(read_npy(y)[1]))
        answer("run", T2, json.dumps(ARGS), "-x", x, "-w", w, "-b", "none", "-o", y, "--tiles")
        self.assertFalse(any(read_npy(y)[1]))


if __name__ == "__main__":
    unittest.main()
