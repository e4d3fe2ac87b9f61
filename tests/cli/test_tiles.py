# SPDX-License-Identifier: Apache-2.0
"""`ctconv run --tiles` from outside: the bytes of a run without it, kills, journals, refusals, memory."""

import json
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import time
import unittest
import zlib

from test_cli import CLI, Case, ctconv, write_npy

T1, T2, T3 = (f"torch.nn.ConvTranspose{rank}d" for rank in (1, 2, 3))
SMALL = {"in_channels": 2, "out_channels": 3, "kernel_size": [3, 2, 4], "stride": [2, 1, 3], "padding": [1, 0, 1]}


# FOLDER SMALL LARGER COMMAND..: two runs that fail and one that goes on; 77: nothing can be mounted here.
FULL_DISK = """
folder=$1 small=$2 larger=$3
shift 3
mkdir "$folder/disk" && mount -t tmpfs -o size=$small none "$folder/disk" || exit 77
"$@" && exit 1
test -z "$(ls "$folder/disk")" || exit 2
mount -o remount,size=$larger "$folder/disk" || exit 77
"$@" && exit 3
mount -o remount,size=64m "$folder/disk" || exit 77
"$@" && cp "$folder/disk/y.npy" "$folder/y.npy"
"""


def numbers(count, seed=1):
    rng = random.Random(seed)
    return [rng.uniform(-1, 1) for _ in range(count)]


def product(shape):
    out = 1
    for extent in shape:
        out *= extent
    return out


def run_until(process, journal, wanted):
    """Lets it run, a moment in five, until its journal has `wanted` tiles or it ended; how many the journal has.

    Tiles are noted ten times a second: a fast machine would be done before the second time."""
    noted = 0
    while process.poll() is None and noted < wanted:
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.02)
        noted = max(noted, journal.read_bytes().count(b"\n") - 1) if journal.exists() else noted
        process.send_signal(signal.SIGCONT)
        time.sleep(0.004)
    return noted


class Tiles(Case):
    def saved(self, shape, name="x.npy"):
        write_npy(self.folder / name, shape, numbers(product(shape)))
        return self.folder / name

    def words(self, dialect, args, x, out="y.npy"):
        return ["run", dialect, json.dumps(args), "-x", x, "-o", self.folder / out]

    def compare(self, dialect, args, shape, *more):
        x = self.saved(shape)
        code, _, err = ctconv(*self.words(dialect, args, x), "--tiles", *more)
        self.assertEqual(code, 0, err)
        code, _, err = ctconv(*self.words(dialect, args, x, "whole.npy"), "--reproducible")
        self.assertEqual(code, 0, err)
        self.assertEqual((self.folder / "y.npy").read_bytes(), (self.folder / "whole.npy").read_bytes())
        self.assertEqual(sorted(os.listdir(self.folder)), ["whole.npy", "x.npy", "y.npy"])

    def test_any_tiling_gives_the_file_of_a_whole_run(self):
        rng = random.Random(3)
        for tile in ("1,1,1", "100,100,100", "4,2,6", "5,3,7"):
            self.compare(T3, SMALL, (2, 2, 4, 5, 4), "--tile", tile)
        for _ in range(12):
            s, k, d = rng.randint(1, 3), rng.randint(1, 4), rng.randint(1, 2)
            args = {"in_channels": 2, "out_channels": 2, "kernel_size": k, "stride": s, "dilation": d}
            args["padding"] = rng.randint(0, d * (k - 1) // 2)
            shape = (rng.randint(1, 2), 2, rng.randint(3, 9), rng.randint(3, 9))
            self.compare(T2, args, shape, "--tile", f"{rng.randint(1, 9)},{rng.randint(1, 9)}")
        self.compare(T1, {"in_channels": 2, "out_channels": 1, "kernel_size": 4, "stride": 2}, (2, 50), "--tile", "7")
        same = {"in_channels": 2, "out_channels": 3, "kernel_size": 3, "stride": 2, "padding": "SAME"}
        self.compare("paddle.nn.Conv2DTranspose", same, (1, 2, 6, 7), "--tile", "3,4")
        keras = {"filters": 3, "kernel_size": 3, "strides": 2}
        self.compare("keras.layers.Conv2DTranspose", keras, (1, 6, 7, 2), "--tile", "3,4")

    def test_a_fortran_file_is_read_as_it_lies(self):
        shape = (1, 2, 3, 4)
        values = numbers(product(shape))
        write_npy(self.folder / "c.npy", shape, values)
        strides = [24, 12, 4, 1]
        turned = [
            values[sum(at * step for at, step in zip((n, c, h, w), strides))]
            for w in range(4)
            for h in range(3)
            for c in range(2)
            for n in range(1)
        ]
        write_npy(self.folder / "x.npy", shape, turned)
        data = (self.folder / "x.npy").read_bytes().replace(b"'fortran_order': False", b"'fortran_order': True ")
        (self.folder / "x.npy").write_bytes(data)
        args = {"in_channels": 2, "out_channels": 1, "kernel_size": 3, "stride": 2}
        for name in ("x", "c"):
            out = self.words(T2, args, self.folder / f"{name}.npy", f"y{name}.npy")
            self.assertEqual(ctconv(*out, "--tiles", "--tile", "2,3")[0], 0)
        self.assertEqual((self.folder / "yx.npy").read_bytes(), (self.folder / "yc.npy").read_bytes())

    def test_what_is_refused(self):
        x, args = self.saved((1, 2, 4, 5, 4)), json.dumps(SMALL)
        base = ["run", T3, args, "-x", x, "--tiles"]
        out = ["-o", self.folder / "y.npy"]
        self.refused("OPTION", *base)
        self.refused("OPTION", *base, "-o", "-")
        self.assertIn("the file of -x", self.refused("OPTION", *base, "-o", x)["message"])
        os.mkfifo(self.folder / "fifo")
        self.refused("FILE", "run", T3, args, "-x", self.folder / "fifo", *out, "--tiles")
        os.unlink(self.folder / "fifo")
        self.refused("OPTION", *base, *out, "--check")
        self.refused("OPTION", *base, *out, "--repeat", 3)
        self.refused("OPTION", "run", T3, args, "-x", "1,2,4,5,4", *out, "--tiles")
        self.refused("OPTION", "run", T3, args, "-x", x, *out, "--fresh")
        self.refused("FILE", "run", T3, args, "-x", self.folder / "none.npy", *out, "--tiles")
        for option in ("--memory=1G", "--tile=1,1,1", "--progress"):
            self.refused("OPTION", "run", T3, args, "-x", x, *out, option)
        self.refused("OPTION", *base, *out, "--reproducible=2")
        self.refused("OPTION", *base[:4], "-", "--tiles", *out)
        for given, to in (("x.zarr", "y.npy"), (x, "y.zarr"), (x, "y.zarr/")):
            told = self.refused("OPTION", "run", T3, args, "-x", given, "--tiles", "-o", f"{self.folder}/{to}")
            self.assertIn("python -m ctconv.tiles", told["message"])
        self.refused("FILE", *base, "-o", self.folder)
        self.refused("OPTION", *base, "-o", "/dev/null")
        self.refused("FILE", *base, "-o", self.folder / "none" / "y.npy")
        for memory in ("much", "-1", "0", "1X", "1MM", "nan", "1e30"):
            self.refused("OPTION", *base, *out, f"--memory={memory}")
        told = self.refused("OPTION", *base, *out, "--memory", "1M")["message"]
        self.assertIn("--memory 1M: even the smallest tile, (1, 3, 2, 1, 3), takes ", told)
        self.assertIn("of the process itself", told)
        for tile in ("1,2", "0,1,1", "a", "1,,2", "1,2,3,", "-1,1,1"):
            self.refused("OPTION", *base, *out, f"--tile={tile}")
        self.refused(
            "CTCONV_ERR_SHAPE_INPUT_CHANNELS",
            "run",
            T3,
            json.dumps({**SMALL, "in_channels": 4}),
            "-x",
            x,
            *out,
            "--tiles",
            "-w",
            "ones",
        )
        self.assertEqual(os.listdir(self.folder), ["x.npy"])

    def begun(self, *more, args=SMALL, tile="1,1,1", noted=300):
        """A run that is killed when its journal names so many tiles."""
        x = self.folder / "x.npy"
        if not x.exists():
            self.saved((1, 2, 12, 12, 12))
        words = [*self.words(T3, args, x), "--tiles", "--tile", tile]
        journal = self.folder / "y.npy.journal"
        process = subprocess.Popen([CLI, *map(str, words), *more], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        run_until(process, journal, noted)
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.assertTrue(journal.exists(), "it ended before it was killed")
        return words, journal

    def whole(self, dialect=T3, args=SMALL):
        self.assertEqual(ctconv(*self.words(dialect, args, self.folder / "x.npy", "whole.npy"), "--reproducible")[0], 0)
        return (self.folder / "whole.npy").read_bytes()

    def test_a_damaged_journal_loses_time_and_no_voxel(self):
        words, journal = self.begun()
        lines = journal.read_bytes().split(b"\n")
        lines[2] = b"7 00000000"
        journal.write_bytes(b"\n".join(lines) + b"garbage")
        # The first tile's line is gone: whatever its place holds must not be trusted.
        self.assertTrue(lines[1].startswith(b"0 "))
        journal.write_bytes(journal.read_bytes().replace(lines[1] + b"\n", b"\n"))
        with open(self.folder / "y.npy.part", "r+b") as part:
            part.seek(128)
            part.write(b"\xff" * 4)
        code, out, err = ctconv(*words)
        self.assertEqual(code, 0, err)
        self.assertIn("damaged lines", err)
        self.assertIn("from an earlier run", out)
        self.assertEqual((self.folder / "y.npy").read_bytes(), self.whole())

    def test_killed_at_any_moment_anew_or_not(self):
        self.saved((1, 2, 12, 12, 12))
        rng, ended = random.Random(), 0
        words = [CLI, *map(str, self.words(T3, SMALL, self.folder / "x.npy")), "--tiles", "--tile", "2,2,2"]
        for _ in range(30):
            more = ["--fresh"] if rng.random() < 0.4 else []
            process = subprocess.Popen([*words, *more], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(rng.random() * 0.06)
            process.send_signal(signal.SIGKILL)
            ended += process.wait() == 0
        code, _, err = ctconv(*words[1:])
        self.assertEqual(code, 0, err)
        self.assertEqual((self.folder / "y.npy").read_bytes(), self.whole())
        self.assertLess(ended, 30)

    def test_progress_in_lines(self):
        x = self.saved((1, 2, 9, 9, 9))
        code, _, err = ctconv(*self.words(T3, SMALL, x), "--tiles", "--tile", "4,4,6", "--progress")
        self.assertEqual(code, 0, err)
        lines = err.splitlines()
        for line in lines:
            self.assertRegex(line, r"^  run: \d+ of \d+ tiles, \d+ %, \d+ MB/s, \d+ s, about \d+ s left$")
        self.assertIn(" 100 %, ", lines[-1])
        self.assertTrue(lines[0].startswith("  run: 1 of "))

    def test_a_link_and_permissions_stay(self):
        x, real = self.saved((1, 2, 4, 5, 4)), self.folder / "real.npy"
        real.write_text("old")
        real.chmod(0o640)
        (self.folder / "y.npy").symlink_to("real.npy")
        code, _, err = ctconv(*self.words(T3, SMALL, x), "--tiles")
        self.assertEqual(code, 0, err)
        self.assertTrue((self.folder / "y.npy").is_symlink())
        self.assertEqual((real.stat().st_mode & 0o777, real.read_bytes()), (0o640, self.whole()))

    def test_a_journal_of_another_run_is_refused(self):
        words, journal = self.begun()
        part = (self.folder / "y.npy.part").read_bytes()
        self.assertIn(
            "arguments was",
            self.refused("JOURNAL", words[0], words[1], json.dumps({**SMALL, "padding": 0}), *words[3:])["message"],
        )
        self.assertIn("weight was", self.refused("JOURNAL", *words, "--seed", 5)["message"])
        data = journal.read_bytes()
        journal.write_bytes(b"?" + data)
        self.assertIn("damaged in its first line", self.refused("JOURNAL", *words)["message"])
        self.assertEqual((self.folder / "y.npy.part").read_bytes(), part)
        code, out, err = ctconv(*words, "--fresh")
        self.assertEqual(code, 0, err)
        self.assertNotIn("earlier run", out)
        self.assertEqual((self.folder / "y.npy").read_bytes(), self.whole())

    def test_a_journal_made_up_by_somebody(self):
        """A first line with its right sum, but no journal of ours: nested beyond any stack, letters that steer."""
        words, journal = self.begun()
        for text, told in (
            ('{"of": {"x": %s}, "grid": [1], "part": 1}' % ("[" * 300000 + "]" * 300000), "x was [["),
            ('{"of": {"\\u001b[31m": 1}, "grid": [1], "part": 1}', '"\\u001b[31m" was 1'),
        ):
            journal.write_bytes(f"{text} {zlib.crc32(text.encode()):08x}\n".encode())
            self.assertIn(told, self.refused("JOURNAL", *words)["message"])

    def test_a_part_that_is_gone_or_another(self):
        words, journal = self.begun()
        part = self.folder / "y.npy.part"
        data = part.read_bytes()
        part.write_bytes(data[:-4])
        self.assertIn("not the array that was begun", self.refused("FILE", *words)["message"])
        part.unlink()
        (self.folder / "y.npy").write_bytes(data)  # of another time: it is not what the journal speaks of
        code, out, err = ctconv(*words)
        self.assertEqual((code, "earlier run" in out), (0, False), err)
        self.assertEqual((self.folder / "y.npy").read_bytes(), self.whole())

    def test_two_runs_at_once(self):
        x = self.saved((1, 2, 12, 12, 12))
        words = [*self.words(T3, SMALL, x), "--tiles", "--tile", "1,1,1"]
        process = subprocess.Popen([CLI, *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and not (self.folder / "y.npy.part").exists():
            time.sleep(0.0005)
        process.send_signal(signal.SIGSTOP)
        self.assertIn("held by another process", self.refused("JOURNAL", *words)["message"])
        process.send_signal(signal.SIGCONT)
        self.assertEqual(process.wait(), 0)
        self.assertEqual((self.folder / "y.npy").read_bytes(), self.whole())

    def test_an_input_cut_short_meanwhile_is_told(self):
        x = self.saved((1, 2, 12, 12, 12))
        words = [CLI, *map(str, self.words(T3, SMALL, x)), "--tiles", "--tile", "1,1,1"]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while process.poll() is None and not (self.folder / "y.npy.part").exists():
            time.sleep(0.0005)
        os.truncate(x, 200)
        _, err = process.communicate()
        self.assertEqual(process.returncode, 2)
        self.assertIn("cut short", err)
        self.assertIn("tiles are kept in", err)

    def test_a_full_disk_is_told_and_the_old_file_stays(self):
        x = self.saved((1, 2, 9, 9, 9))
        (self.folder / "y.npy").write_text("old")
        done = subprocess.run(
            [CLI, *map(str, self.words(T3, SMALL, x)), "--tiles"],
            capture_output=True,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000)),
        )
        self.assertEqual(done.returncode, 2)
        self.assertIn("there is no room for it, and nothing was computed", done.stderr)
        self.assertEqual((self.folder / "y.npy").read_text(), "old")

    @unittest.skipUnless(shutil.which("unshare"), "no unshare here")
    def test_a_disk_that_fills_on_the_way(self):
        """On a small disk of its own: no room for y; then no room for more of the journal; then a larger disk."""
        self.saved((1, 2, 12, 12, 12))
        want = self.whole()
        pages = (len(want) + 4095) // 4096
        done = subprocess.run(
            ["unshare", "--map-root-user", "--mount", "sh", "-c", FULL_DISK, "sh"]
            + [self.folder, str(4096 * (pages - 1)), str(4096 * (pages + 1)), CLI]
            + [*map(str, self.words(T3, SMALL, self.folder / "x.npy", "disk/y.npy")), "--tiles", "--tile=1,1,1"],
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode == 77 or done.stderr.startswith("unshare:"):
            self.skipTest("no disk can be mounted here: " + done.stderr.strip())
        self.assertEqual(done.returncode, 0, done.stderr)
        first, second, *rest = done.stderr.splitlines()
        self.assertRegex(first, "y.npy.part: there is no room for it, and nothing was computed: No space left")
        self.assertRegex(second, r"journal cannot be written: No space left on device. [1-9]\d* of \d+ tiles are kept")
        self.assertRegex(" ".join(rest), "^(.*1 damaged line.*)?$")
        self.assertIn("from an earlier run", done.stdout)
        self.assertEqual((self.folder / "y.npy").read_bytes(), want)

    @unittest.skipIf(os.environ.get("CTCONV_SANITIZED"), "a sanitizer takes more memory than the limit")
    def test_four_times_the_limit_and_killed_twice(self):
        limit, folder = 64 << 20, pathlib.Path(self.folder)
        args = {"in_channels": 2, "out_channels": 4, "kernel_size": 3, "stride": 2, "output_padding": 1, "padding": 1}
        shape = (1, 2, 130, 128, 128)  # y: 260 MiB
        write_npy(folder / "x.npy", shape, numbers(1000) * (product(shape) // 1000) + [0.5] * (product(shape) % 1000))
        words = [CLI, *map(str, self.words(T3, args, folder / "x.npy")), "--tiles", "--json", "--memory=40M"]
        words.append("--tile=4,64,64")
        held = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))}
        journal, rng, noted, kills = folder / "y.npy.journal", random.Random(), 0, 0
        for _ in range(20):
            process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **held)
            noted = run_until(process, journal, noted + 1)
            time.sleep(rng.random() * 0.02)
            process.send_signal(signal.SIGKILL)
            code, said = process.wait(), process.stderr.read()
            process.stderr.close()
            if code == 0:  # it was done before the signal came: from the beginning
                (folder / "y.npy").unlink()
                noted = kills = 0
                continue
            self.assertEqual((code, said), (-signal.SIGKILL, b""))
            self.assertFalse((folder / "y.npy").exists())
            kills += 1
            if kills == 2:
                break
        self.assertEqual(kills, 2)
        noted = journal.read_bytes().count(b"\n") - 1
        done = subprocess.run(words, capture_output=True, text=True, **held)
        self.assertEqual(done.returncode, 0, done.stderr)
        tiles = json.loads(done.stdout)["tiles"]
        self.assertEqual(tiles["resumed"], noted)
        self.assertGreater(tiles["count"], noted)
        self.assertLessEqual(tiles["most_memory"], 40 << 20)
        self.assertGreaterEqual((folder / "y.npy").stat().st_size, 4 * limit)
        self.assertEqual(ctconv(*self.words(T3, args, folder / "x.npy", "whole.npy"), "--reproducible")[0], 0)
        self.assertEqual(subprocess.call(["cmp", folder / "y.npy", folder / "whole.npy"]), 0)
        self.assertEqual(sorted(os.listdir(folder)), ["whole.npy", "x.npy", "y.npy"])

    def test_ctrl_c_keeps_what_is_written(self):
        x = self.saved((1, 2, 12, 12, 12))
        words = [CLI, *map(str, self.words(T3, SMALL, x)), "--tiles", "--tile", "1,1,1"]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        journal = self.folder / "y.npy.journal"
        self.assertGreaterEqual(run_until(process, journal, 2), 2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, -signal.SIGINT)
        self.assertIn("the same command goes on from there", err)
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        self.assertIn("from an earlier run", done.stdout)


if __name__ == "__main__":
    unittest.main()
