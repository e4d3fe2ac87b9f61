# SPDX-License-Identifier: Apache-2.0
"""What the command line reads and writes besides plain files: pipes, standard streams, full disks, signals.

In:   CTCONV_CLI names the program
Rule: an output file is whole or as it was; a lost answer is never exit code 0; every input may come through a pipe.
"""

import json
import os
import pathlib
import resource
import signal
import stat
import subprocess
import sys
import threading
import time
import unittest

from test_cli import ARGS, CLI, ROOT, T2, Case, ctconv, read_npy
from make_npy import write_npy

LAYER = ["run", T2, json.dumps(ARGS), "-x", "1,3,5,5"]
ONE = '{"in_channels":1,"out_channels":1,"kernel_size":1,"bias":false}'


def shell(script, **more):
    done = subprocess.run(["bash", "-c", script], capture_output=True, timeout=120, **more)
    return done.returncode, done.stdout, done.stderr.decode()


class WholeOrNothing(Case):
    def setUp(self):
        super().setUp()
        self.y = self.folder / "y.npy"
        self.y.write_bytes(b"the old file")

    def only(self, *names):
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), sorted(names))

    def test_file_size_limit(self):
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # noqa: E731
        done = subprocess.run(
            [CLI, "run", T2, json.dumps(ARGS), "-x", "1,3,64,64", "-o", self.y],
            capture_output=True,
            text=True,
            preexec_fn=limit,
            timeout=120,
        )
        self.assertEqual((done.returncode, self.y.read_bytes()), (2, b"the old file"), done.stderr)
        self.assertIn("File too large", done.stderr)
        self.only("y.npy")

    def test_the_other_tools(self):
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # noqa: E731
        tool = [sys.executable, ROOT / "tools" / "make_npy.py", self.y, "64,64"]
        self.assertNotEqual(subprocess.run(tool, capture_output=True, preexec_fn=limit, timeout=120).returncode, 0)
        self.assertEqual(self.y.read_bytes(), b"the old file")
        self.only("y.npy")
        self.assertEqual(subprocess.run(tool, timeout=120).returncode, 0)
        self.assertEqual(read_npy(self.y)[0], (64, 64))

    @unittest.skipUnless(os.geteuid() == 0, "mounts a small disk")
    def test_full_disk(self):
        mount = self.folder / "disk"
        mount.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", mount], capture_output=True).returncode:
            self.skipTest("no mount here")
        try:
            y = mount / "y.npy"
            y.write_bytes(b"old")
            self.refused("FILE", "run", T2, json.dumps(ARGS), "-x", "1,3,64,64", "-o", y)
            self.assertEqual((y.read_bytes(), len(list(mount.iterdir()))), (b"old", 1))
        finally:
            subprocess.run(["umount", mount], check=True)

    def test_signals(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # 144 MB, so that the signal meets the writing: it is sent when a second file lies in the folder.
            done = subprocess.Popen(
                [CLI, "run", T2, ONE, "-x", "ones:1,1,6000,6000", "-o", self.y], stdout=subprocess.DEVNULL
            )
            end = time.monotonic() + 60
            while time.monotonic() < end and done.poll() is None and len(list(self.folder.iterdir())) == 1:
                time.sleep(0.001)
            done.send_signal(number)
            if done.wait(60) == 0:  # it was faster than the signal
                self.assertEqual(read_npy(self.y)[0], (1, 1, 6000, 6000))
                self.y.write_bytes(b"the old file")
            else:
                self.assertEqual((done.returncode, self.y.read_bytes()), (-number, b"the old file"))
            self.only("y.npy")

    def test_permissions_stay(self):
        self.y.chmod(0o640)
        self.assertEqual(ctconv(*LAYER, "-o", self.y)[0], 0)
        self.assertEqual(stat.S_IMODE(self.y.stat().st_mode), 0o640)
        new = self.folder / "new.npy"
        code, _, err = shell(f"umask 027; exec '{CLI}' run {T2} '{json.dumps(ARGS)}' -x 1,3,5,5 -o '{new}'")
        self.assertEqual((code, stat.S_IMODE(new.stat().st_mode)), (0, 0o640), err)
        self.only("new.npy", "y.npy")

    def test_a_link_stays_a_link(self):
        (self.folder / "real").mkdir()
        target = self.folder / "real" / "z.npy"
        link = self.folder / "link.npy"
        link.symlink_to("real/z.npy")
        for _ in range(2):  # the target does not exist, then it does
            self.assertEqual(ctconv(*LAYER, "-o", link)[0], 0)
            self.assertTrue(link.is_symlink())
            self.assertEqual(read_npy(target)[0], (1, 4, 11, 11))
        self.only("y.npy", "link.npy", "real")

    def test_refusals_come_before_the_work(self):
        huge = ["run", T2, ONE, "-x", "1,1,1000000,10000000"]  # would be 40 TB
        self.assertIn("Is a directory", self.refused("FILE", *huge, "-o", self.folder)["message"])
        self.refused("FILE", *huge, "-o", self.folder / "no" / "y.npy")

    def test_input_and_output_may_be_the_same(self):
        write_npy(self.y, (1, 1, 2, 2), [1, 2, 3, 4])
        self.assertEqual(ctconv("run", T2, ONE, "-x", self.y, "-w", "ones:1,1,1,1", "-o", self.y)[0], 0)
        self.assertEqual(read_npy(self.y), ((1, 1, 2, 2), [1, 2, 3, 4]))


class Streams(Case):
    def setUp(self):
        super().setUp()
        self.x = self.folder / "x.npy"
        write_npy(self.x, (1, 1, 2, 2), [1, 2, 3, 4])
        self.run_one = f"'{CLI}' run {T2} '{ONE}' -w ones:1,1,1,1"

    def same(self, script, text=""):
        """The script's standard output is x.npy again, all text is on standard error."""
        code, out, err = shell(script, cwd=self.folder)
        self.assertEqual((code, out), (0, self.x.read_bytes()), err)
        self.assertIn("engine", err)

    def test_standard_input_and_output(self):
        self.same(f"{self.run_one} -x - -o - < x.npy")
        self.same(f"cat x.npy | {self.run_one} -x - -o -")
        self.same(f"cat x.npy | {self.run_one} -x /dev/stdin -o /dev/stdout")
        self.same(f"{self.run_one} -x <(cat x.npy) -o - | cat; exit ${{PIPESTATUS[0]}}")
        self.same(f"{self.run_one} -x x.npy -o /dev/stdout > z.npy; code=$?; cat z.npy; exit $code")
        self.same(f"{self.run_one} -x x.npy -o >(cat > z.npy) >&2; code=$?; sleep 0.3; cat z.npy; exit $code")
        self.same(f"{self.run_one} -x x.npy -o /dev/fd/3 3> z.npy >&2; code=$?; cat z.npy; exit $code")
        self.assertFalse((self.folder / "-").exists())
        code, out, err = shell(f"{self.run_one} --json -x - -o - < x.npy", cwd=self.folder)
        self.assertEqual((code, out, json.loads(err)["output"]), (0, self.x.read_bytes(), "standard output"))

    def test_every_input_may_be_a_pipe(self):
        (self.folder / "args.json").write_text(ONE)
        write_npy(self.folder / "w.npy", (1, 1, 1, 1), [1])
        write_npy(self.folder / "b.npy", (1,), [0])
        with_bias = ONE.replace('"bias":false', '"bias":true')
        self.same(f"'{CLI}' run {T2} '{with_bias}' -x <(cat x.npy) -w <(cat w.npy) -b <(cat b.npy) -o -")
        self.same(f"'{CLI}' run {T2} @<(cat args.json) -x x.npy -w w.npy -o -")
        self.same(f"'{CLI}' run {T2} @- -x x.npy -w w.npy -o - < args.json")
        code, _, err = shell(f"'{CLI}' shape {T2} '{ONE}' -x - --output-size @<(echo '[2,2]') < x.npy", cwd=self.folder)
        self.assertEqual(code, 0, err)

    def test_fifos(self):
        fifo, out = self.folder / "in", self.folder / "out"
        os.mkfifo(fifo)
        os.mkfifo(out)
        got = []
        threads = [
            threading.Thread(target=lambda: fifo.write_bytes(self.x.read_bytes())),
            threading.Thread(target=lambda: got.append(out.read_bytes())),
        ]
        for t in threads:
            t.start()
        code, _, err = shell(f"{self.run_one} -x '{fifo}' -o '{out}'")
        for t in threads:
            t.join(60)
        self.assertEqual((code, got), (0, [self.x.read_bytes()]), err)
        self.assertTrue(stat.S_ISFIFO(out.stat().st_mode))

    def test_streams_are_bounded(self):
        cut = f"head -c 130 x.npy | '{CLI}' run {T2} '{ONE}' -x -"
        code, _, err = shell(cut, cwd=self.folder)
        self.assertEqual(code, 2)
        self.assertIn("NPY_FORMAT: standard input: truncated", err)
        huge = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 99999999, 9999999), }\n".encode()
        (self.folder / "huge").write_bytes(b"\x93NUMPY\x01\x00" + len(huge).to_bytes(2, "little") + huge)
        code, _, err = shell(f"cat huge /dev/zero | '{CLI}' run {T2} '{ONE}' -x -", cwd=self.folder)
        self.assertEqual((code, "bytes of memory" in err), (2, True), err)
        for place in ("/dev/zero", "<(cat /dev/zero)"):
            code, _, err = shell(f"'{CLI}' shape {T2} @{place}")
            self.assertEqual((code, "longer than 64 MiB" in err), (2, True), err)
        code, _, err = shell(f"'{CLI}' run {T2} '{ONE}' -x - -w - < x.npy", cwd=self.folder)
        self.assertEqual((code, "named twice" in err), (2, True), err)

    def test_a_closed_standard_stream_is_not_reused(self):
        # The file would else become descriptor 1 or 2, and text would go into the array.
        y = self.folder / "y.npy"
        for closed in ("0<&-", "1>&-", "2>&-"):
            shell(f"{self.run_one} -x x.npy -o y.npy {closed}", cwd=self.folder)
            self.assertEqual(read_npy(y), ((1, 1, 2, 2), [1, 2, 3, 4]), closed)
            y.unlink()


class LostAnswers(Case):
    COMMANDS = [
        ["--help"],
        ["run", "--help"],
        ["--version"],
        ["info"],
        ["info", T2],
        ["info", "all"],
        LAYER,
        ["bench", *LAYER[1:], "--repeat", 1],
        ["verify", *LAYER[1:]],
        ["explain", *LAYER[1:], "--side-by-side"],
        ["shape", *LAYER[1:]],
        ["shape", *LAYER[1:3]],
    ]

    def test_every_command(self):
        for command in self.COMMANDS:
            for json_flag in ([], ["--json"]):
                words = " ".join(f"'{w}'" for w in [CLI, *map(str, json_flag), *map(str, command)])
                for place in (">/dev/full", ">&-"):
                    code, _, err = shell(f"{words} {place}")
                    self.assertEqual(code, 2, f"{command} {json_flag} {place}: {err}")
                    self.assertIn("standard output: cannot write", err)
                    if json_flag:
                        self.assertEqual(json.loads(err)["error"]["status"], "FILE")

    def test_a_reader_that_goes_is_no_fault(self):
        for command in ("info all", "--help"):
            code, out, err = shell(f"for i in 1 2 3; do '{CLI}' {command} | true; echo ${{PIPESTATUS[0]}}; done")
            self.assertEqual((code, err), (0, ""))
            self.assertLessEqual(set(out.decode().split()), {"0", "141"})


if __name__ == "__main__":
    unittest.main()
