# SPDX-License-Identifier: Apache-2.0
"""What the program writes about itself: completions, the manual page, the report of doctor, the line of progress.

In:   CTCONV_CLI names the program; the shells and man where they are installed (a test without its own is skipped)
Rule: all of it follows from the table that reads the arguments: each command, option and dialect is in each script.
"""

import json
import os
import pty
import re
import select
import shutil
import subprocess
import time
import unittest

from test_cli import CLI, ROOT, T2, Case, answer, ctconv, environment

# Plays a line to bash's completion and prints what it proposes.
PLAY = """
source "$1"
COMP_WORDS=("${@:2}")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_ctconv
printf '%s\\n' "${COMPREPLY[@]}"
"""


def script(*words):
    code, out, err = ctconv(*words)
    if (code, err) != (0, ""):
        raise AssertionError(f"{words}: exit {code}: {err}")
    return out


def commands_and_options():
    """{command: the options its --help shows}"""
    listed = re.search(r"Subcommands:\n(.*?)\n\n", script("--help"), re.DOTALL)[1]
    commands = [line.split()[0] for line in listed.splitlines() if not line.startswith("   ")]
    return {name: sorted(set(re.findall(r"(?<![\w-])--[a-z][\w-]*", options_of(name)))) for name in commands}


def options_of(command):
    text = script(command, "--help")
    return "\n".join(line for line in text.splitlines() if re.match(r"  -", line))


class Completion(Case):
    def proposed(self, *words):
        file = self.folder / "bash"
        file.write_text(script("completion", "bash"))
        done = subprocess.run(
            ["bash", "-c", PLAY, "play", str(file), "ctconv", *words], capture_output=True, text=True, timeout=60
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.split()

    def test_bash(self):
        names = list(commands_and_options())
        self.assertEqual(self.proposed("")[: len(names)], names)
        self.assertEqual(self.proposed("ex"), ["explain"])
        dialects = [row["name"] for row in answer("info")["dialects"]]
        self.assertEqual(self.proposed("run", ""), dialects)
        self.assertEqual(self.proposed("run", "torch.nn.ConvTranspose2"), [T2])
        self.assertEqual(self.proposed("--json", "shape", "onnx"), ["onnx.ConvTranspose"])
        self.assertEqual(self.proposed("run", "--threads", "2", "--tune", "onnx"), ["onnx.ConvTranspose"])
        self.assertEqual(self.proposed("run", T2, "--engine", ""), ["auto", *answer("info")["engines"]])
        self.assertEqual(self.proposed("run", T2, "--activation", "le"), ["leaky_relu"])
        self.assertEqual(self.proposed("run", T2, "--seed", ""), [])
        self.assertEqual(self.proposed("explain", T2, "{}", "--side"), ["--side-by-side"])
        self.assertEqual(self.proposed("completion", ""), ["bash", "zsh", "fish"])
        (self.folder / "x file.npy").write_text("")
        with environment(PWD=str(self.folder)):
            self.assertIn(f"{self.folder}/x", " ".join(self.proposed("run", T2, "-x", f"{self.folder}/x")))

    def test_every_option_is_in_every_script(self):
        for shell in ("bash", "zsh", "fish"):
            text = script("completion", shell)
            for command, options in commands_and_options().items():
                self.assertIn(command, text)
                for option in options:
                    self.assertIn(option if shell != "fish" else f"-l {option[2:]} ", text)
            self.assertNotIn(" man ", text)

    def test_the_shells_read_them(self):
        for shell in ("bash", "zsh", "fish"):
            with self.subTest(shell):
                if not shutil.which(shell):
                    self.skipTest(f"no {shell} here")
                file = self.folder / shell
                file.write_text(script("completion", shell))
                done = subprocess.run([shell, "-n", file], capture_output=True, text=True, timeout=60)
                self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_refusals(self):
        code, out, err = ctconv("--json", "completion", "csh")
        self.assertEqual((code, out), (2, ""))
        self.assertEqual(json.loads(err)["error"]["status"], "OPTION")
        self.assertIn("bash, zsh or fish", err)
        self.assertEqual(ctconv("completion")[0], 2)


class Manual(Case):
    def read(self, page):
        done = subprocess.run(
            ["man", "--warnings", "-l", page],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "MANWIDTH": "100", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": "", "MANPAGER": "cat"},
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return re.sub(r".\x08|\x1b\[[0-9;]*m", "", done.stdout)

    @unittest.skipUnless(shutil.which("man"), "no man here")
    def test_program(self):
        page = self.folder / "ctconv.1"
        page.write_text(script("man"))
        text = self.read(page)
        for command, options in commands_and_options().items():
            self.assertRegex(text, rf"(?m)^ +ctconv {command}\b")
            for option in options:
                self.assertTrue(option == "--help" or re.search(rf"{option}\b", text), option)
        self.assertIn("SEE ALSO", text)

    @unittest.skipUnless(shutil.which("man"), "no man here")
    def test_functions(self):
        folder = self.folder / "man3"
        subprocess.run(["python3", ROOT / "tools" / "gen_man.py", folder], check=True, timeout=60)
        text = self.read(folder / "ctconv.3")
        symbols = [line.split()[0] for line in (ROOT / "capi" / "symbols.txt").read_text().splitlines()]
        for symbol in symbols:
            self.assertRegex(text, rf"(?m)^ .*\b{symbol}\(")
            self.assertEqual((folder / f"{symbol}.3").read_text(), ".so man3/ctconv.3\n")
        for wanted in ("Rules for every function", "CTCONV_TUNING_FILE", "CTCONV_ERR_VALUE_STRIDE", "struct_size"):
            self.assertIn(wanted, text)


class Doctor(Case):
    def test_report(self):
        with environment(CTCONV_TUNING_FILE="", HOME=str(self.folder)):
            got = answer("doctor")
            text = ctconv("doctor")[1]
        parts = {part["part"]: part for part in got["parts"]}
        self.assertIn("CTCONV_TUNING_FILE=", parts["environment"]["text"])
        self.assertTrue(parts["file"]["text"].endswith("/libctconv.so.0") or ".so" in parts["file"]["text"])
        self.assertIn(got["paragraph"], text)
        self.assertTrue(all(len(line) <= 110 for line in got["paragraph"].splitlines()))
        self.assertNotIn(str(self.folder), got["paragraph"])
        engines = {part["text"].split(":")[0]: part for part in got["parts"] if part["part"] == "engine"}
        self.assertEqual(engines["reference"]["text"], "reference: float32, bfloat16, float16, float64")
        self.assertEqual(engines["native"]["state"], "ok")
        for part in engines.values():
            self.assertRegex(part["text"], r"^\w+: \w")


class Progress(Case):
    def test_time_left(self):
        """On a terminal, after two seconds: what is left."""
        main, terminal = pty.openpty()
        path = self.folder / "layers.json"
        layer = {"n": 1, "cin": 32, "cout": 32, "g": 1, "in": [256, 256], "k": [3, 3], "s": [1, 1], "d": [1, 1]}
        layer |= {"op": [0, 0], "p_begin": [0, 0], "p_end": [0, 0], "bias": False}
        path.write_text(json.dumps([{**layer, "id": str(i)} for i in range(3)]))
        words = ["bench", "--layers", path, "--engine", "native", "--seconds", "1.2"]
        with subprocess.Popen([CLI, *map(str, words)], stdout=subprocess.PIPE, stderr=terminal) as process:
            os.close(terminal)
            seen, end = b"", time.monotonic() + 60
            while process.poll() is None and time.monotonic() < end:
                if select.select([main], [], [], 0.2)[0]:
                    try:
                        seen += os.read(main, 4096)
                    except OSError:
                        break
            process.communicate(timeout=60)
        os.close(main)
        self.assertEqual(process.returncode, 0)
        self.assertRegex(seen.decode(), r"bench: 2 \(3 of 3\) native, [\d.]+/s, \d+ s, about \d+ s left")


if __name__ == "__main__":
    unittest.main()
