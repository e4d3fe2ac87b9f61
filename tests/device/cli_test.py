"""The command line with --device cuda over the host module. CTCONV_CLI names the program, CTCONV_CUDA_MODULE the module."""
import json
import os
import subprocess
import unittest

LAYER = ["torch.nn.ConvTranspose2d", '{"in_channels":3,"out_channels":4,"kernel_size":3,"stride":2}', "-x", "random:1,3,5,7"]


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


if __name__ == "__main__":
    unittest.main()
