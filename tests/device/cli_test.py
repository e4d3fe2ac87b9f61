# SPDX-License-Identifier: Apache-2.0
"""The command line with --device cuda over the host module. CTCONV_CLI names the program,
CTCONV_CUDA_MODULE the module."""

import json
import os
import subprocess
import unittest

LAYER = [
    "torch.nn.ConvTranspose2d",
    '{"in_channels":3,"out_channels":4,"kernel_size":3,"stride":2}',
    "-x",
    "random:1,3,5,7",
]


def ctconv(*arguments):
    done = subprocess.run([os.environ["CTCONV_CLI"], *arguments], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


class Explain(unittest.TestCase):
    def test_text(self):
        code, out, err = ctconv("explain", *LAYER, "--device", "cuda")
        self.assertEqual((code, err), (0, ""))
        self.assertIn("engine  cuda: host, plain loops\n", out)
        self.assertIn("why     fastest estimated: host 0.25 ms\n", out)
        self.assertIn("o = (i - 1)*s + d*(k - 1) + 1 - lo - hi", out)

    def test_json_says_what_it_says_on_the_cpu(self):
        code, out, err = ctconv("--json", "explain", *LAYER, "--device", "cuda:0")
        self.assertEqual((code, err), (0, ""))
        there = json.loads(out)
        here = json.loads(ctconv("--json", "explain", *LAYER)[1])
        for key in ("x", "y", "axes"):
            self.assertEqual(there[key], here[key])
        self.assertEqual(there["describe"]["problem"], here["describe"]["problem"])
        self.assertEqual(there["describe"]["engine"], "cuda")
        self.assertEqual({row["engine"] for row in there["engines"] if row["able"]}, {"cuda"})

    def test_refusals_keep_their_status(self):
        code, out, err = ctconv("explain", *LAYER, "--device", "cuda:3")
        self.assertEqual((code, out), (2, ""))
        self.assertTrue(err.startswith("ctconv: CTCONV_ERR_DEVICE_ORDINAL: "), err)


class HostArrays(unittest.TestCase):
    def test_refused_at_once_with_what_to_do(self):
        for words in (["run", *LAYER], ["verify", *LAYER], ["bench", *LAYER]):
            code, out, err = ctconv(*words, "--device", "cuda:0")
            self.assertEqual((code, out), (2, ""))
            self.assertTrue(
                err.startswith("ctconv: OPTION: --device cuda:0: this command computes on arrays in host memory"), err
            )
            self.assertIn("ctconv explain", err)


class Doctor(unittest.TestCase):
    def parts(self, **environment):
        env = {**os.environ, **environment}
        done = subprocess.run(
            [os.environ["CTCONV_CLI"], "--json", "doctor"], capture_output=True, text=True, timeout=60, env=env
        )
        self.assertEqual(done.stderr, "")
        answer = json.loads(done.stdout)
        faults = [part["part"] for part in answer["parts"] if "mend" in part and part["part"] not in ("onednn",)]
        self.assertEqual(done.returncode, 0 if answer["ok"] else 1)
        self.assertEqual(answer["ok"], not [part for part in answer["parts"] if "mend" in part])
        return {part["part"]: part for part in answer["parts"]}, faults

    def test_cudnn_is_missing(self):
        parts, faults = self.parts()
        self.assertEqual(faults, ["cudnn"])
        for part in ("library", "engines", "cpu", "cores", "module", "driver", "device"):
            self.assertEqual(parts[part]["state"], "ok", parts[part])
        self.assertEqual(parts["device"]["text"], "cuda:0: data sheet (a host has none)")
        self.assertEqual((parts["cudnn"]["state"], parts["cudnn"]["text"]), ("missing", "libcudnn.so.9 not found"))
        self.assertIn("pip install \"nvidia-cudnn-cu13>=9.15,<10\", or set CTCONV_CUDNN_PATH", parts["cudnn"]["mend"])

    def test_everything_is_there(self):
        parts, faults = self.parts(CTCONV_CUDA_MODULE=os.environ["CTCONV_FAKE_MODULE"])
        self.assertEqual(faults, [])
        self.assertEqual(parts["cudnn"]["state"], "ok")

    def test_a_module_of_another_release(self):
        parts, faults = self.parts(CTCONV_CUDA_MODULE=os.environ["CTCONV_FAKE_OTHER_ABI"])
        self.assertEqual(faults, ["module"])
        self.assertEqual(parts["module"]["state"], "wrong")
        self.assertIn("both must come from the same release", parts["module"]["text"])
        self.assertIn("pip install ./bindings/python-cuda", parts["module"]["mend"])
        self.assertNotIn("device", parts)

    def test_a_module_that_was_named_and_is_not_there(self):
        parts, faults = self.parts(CTCONV_CUDA_MODULE="/nowhere/module.so")
        self.assertEqual(faults, ["module"])
        self.assertEqual(parts["module"]["state"], "missing")
        self.assertIn("CTCONV_CUDA_MODULE=/nowhere/module.so", parts["module"]["text"])

    def test_the_tuning_file(self):
        good = os.environ["CTCONV_FAKE_MODULE"]
        parts, faults = self.parts(CTCONV_CUDA_MODULE=good, CTCONV_TUNING_FILE="")
        self.assertEqual((faults, parts["tuning_file"]["state"]), ([], "ok"))
        parts, faults = self.parts(CTCONV_CUDA_MODULE=good, CTCONV_TUNING_FILE="/dev/null/tuning.tsv")
        self.assertEqual((faults, parts["tuning_file"]["state"]), (["tuning_file"], "wrong"))
        self.assertIn("CTCONV_TUNING_FILE", parts["tuning_file"]["mend"])

    def test_text(self):
        code, out, err = ctconv("doctor")
        self.assertEqual((code, err), (1, ""))
        self.assertRegex(out, r"(?m)^cudnn +missing +libcudnn.so.9 not found\n +mend: pip install")
        self.assertRegex(out, r"\d+ to mend\n$")


if __name__ == "__main__":
    unittest.main()
