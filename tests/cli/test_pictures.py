# SPDX-License-Identifier: Apache-2.0
"""What `explain --svg` and `bench --plot` draw, and the overlap that explain counts.

In:   CTCONV_CLI names the program
Rule: the truth is y of the reference engine for ones in x and in a weight of one channel: its elements are the counts
      of the JSON, of the picture's titles, and of its lines. Pictures stand alone, escape what was said, and have a
      bounded size. A picture that cannot be written is an error, and the file of before stays.
"""

import itertools
import json
import math
import random
import re
import resource
import subprocess
import unittest
import xml.etree.ElementTree as ET

from test_cli import CLI, T2, Case, answer, ctconv, read_npy

SVG = "{http://www.w3.org/2000/svg}"
RANDOM_LAYERS = 40


def random_layer(rng):
    """A layer of one channel in the `ctconv` dialect, and the shape of its input."""
    rank = rng.randint(1, 3)
    k = [rng.randint(1, 5) for _ in range(rank)]
    s = [rng.randint(1, 4) for _ in range(rank)]
    d = [rng.choice((1, 1, 2, 3)) for _ in range(rank)]
    size = [rng.randint(1, 7) for _ in range(rank)]
    full = [(i - 1) * t + e * (u - 1) + 1 for i, t, e, u in zip(size, s, d, k)]
    front = [rng.randint(0, min(3, n - 1)) for n in full]
    behind = [rng.randint(0, min(3, n - 1 - f)) for n, f in zip(full, front)]
    more = [rng.randint(0, max(t, e) - 1) for t, e in zip(s, d)]
    args = {"in_channels": 1, "out_channels": 1, "kernel_size": k, "stride": s, "dilation": d, "bias": False}
    return args | {"pad_begin": front, "pad_end": behind, "output_padding": more}, [1, 1, *size]


def words_of(args, shape):
    return "ctconv", json.dumps(args), "-x", "ones:" + ",".join(map(str, shape)), "-w", "ones", "-b", "none"


def product(counts):
    return [math.prod(row) for row in itertools.product(*counts)]


class Pictures(Case):
    def draw(self, *words):
        """The picture of a command, as XML and as text."""
        path = self.folder / "picture.svg"
        got = answer(*words, path)
        text = path.read_text(encoding="utf-8")
        self.assertEqual(got["picture"], str(path))
        self.assertLess(len(text), 400_000)
        self.assertEqual(list(self.folder.glob(".ctconv-*")), [])
        self.alone(text)
        return got, ET.fromstring(text), text

    def alone(self, text):
        """Nothing is loaded or run, and both colour schemes are served."""
        self.assertNotRegex(text, r"href|<script|@import|<image|<foreignObject|\son\w+=")
        self.assertEqual(set(re.findall(r"url\((.)", text)) - {"#"}, set())
        self.assertEqual(re.findall(r"https?://[^\"]*", text), ["http://www.w3.org/2000/svg"])
        self.assertIn("prefers-color-scheme:dark", text)

    def titles(self, picture, pattern):
        found = (re.fullmatch(pattern, node.text) for node in picture.iter(SVG + "title"))
        return [match.groups() for match in found if match]


class Overlap(Pictures):
    def truth(self, args, shape):
        path = self.folder / "y.npy"
        answer("run", *words_of(args, shape), "--engine", "reference", "-o", path)
        return read_npy(path)

    def test_counts_are_the_reference_engines(self):
        rng = random.Random(7)
        for _ in range(RANDOM_LAYERS):
            args, shape = random_layer(rng)
            (_, _, *extents), y = self.truth(args, shape)
            got, picture, text = self.draw("explain", *words_of(args, shape), "--svg")
            overlap = got["overlap"]
            with self.subTest(args=args, shape=shape):
                counts = [axis["counts"] for axis in overlap["axes"]]
                self.assertEqual([len(c) for c in counts], extents)
                self.assertEqual(product(counts), y)
                self.assertEqual((overlap["min"], overlap["max"]), (min(y), max(y)))
                self.check_axes(overlap["axes"], args)
                self.check_picture(picture, text, counts)

    def check_axes(self, axes, args):
        for a, axis in enumerate(axes):
            k, s, d = (args[name][a] for name in ("kernel_size", "stride", "dilation"))
            phases = [sum((t * d - r) % s == 0 for t in range(k)) for r in range(s)]
            self.assertEqual((axis["inside_min"], axis["inside_max"]), (min(phases), max(phases)))
            self.assertEqual(axis["uneven"], len(set(phases)) > 1)
            self.assertEqual("even_stride" in axis, axis["uneven"])
            better = [(n, s) for n in axis.get("even_kernel", [])]
            better += [(k, axis["even_stride"])] if axis["uneven"] else []
            for n, step in better:
                self.assertEqual(len({sum((t * d - r) % step == 0 for t in range(n)) for r in range(step)}), 1)

    def check_picture(self, picture, text, counts):
        """Titles name each output of each axis with its products; as many lines are coloured."""
        said = self.titles(picture, r"y\[(\d+)\]: (\d+) taps?(?:: (.*))?")
        self.assertEqual([(int(o), int(n)) for o, n, _ in said], [pair for c in counts for pair in enumerate(c)])
        for _, number, products in said:
            self.assertEqual(len(products.split(" + ")) if products else 0, int(number))
        self.assertEqual(len(re.findall(r'<line class="t\d"', text)), sum(map(sum, counts)))
        cells = self.titles(picture, r"y\[\w (\d+), \w (\d+)\]: (\d+)")
        if len(counts) == 1:
            self.assertEqual(cells, [])
            return
        rows, columns = counts[-2:]
        self.assertEqual(len(cells), min(28, len(rows)) * min(28, len(columns)))
        for h, w, taps in cells:
            self.assertEqual(int(taps), rows[int(h)] * columns[int(w)])

    def test_advice(self):
        args = {"in_channels": 3, "out_channels": 4, "kernel_size": 3, "stride": 2, "padding": 1}
        code, out, err = ctconv("explain", T2, json.dumps(args), "-x", "1,3,5,5")
        self.assertEqual((code, err), (0, ""))
        self.assertIn("overlap 1 to 4 taps reach an output position: uneven", out)
        self.assertIn("kernel 3 is no multiple of stride 2; even with kernel 2 or 4, or stride 1", out)
        out = ctconv("explain", T2, json.dumps({**args, "kernel_size": 4}), "-x", "1,3,5,5")[1]
        self.assertIn("1 to 2 taps (inside 2 taps), even but for the ends", out)
        out = ctconv("explain", T2, json.dumps({**args, "dilation": 2}), "-x", "1,3,5,5")[1]
        self.assertIn("stride 2 and dilation 2 share a factor; even with stride 1", out)

    def test_long_axes_are_cut_and_counted(self):
        args = {"in_channels": 1, "out_channels": 1, "kernel_size": [3, 700], "stride": [2, 1], "padding": [0, 600]}
        got, picture, text = self.draw("explain", T2, json.dumps(args), "-x", "1,1,300000,400000000", "--svg")
        said = " ".join(node.text for node in picture.iter(SVG + "text"))
        for note in ("are left out;", "Not all lines are drawn, 400", "28 x 28 of 600001 x 399999499 positions"):
            self.assertIn(note, said)
        self.assertLessEqual(len(re.findall(r'<line class="t', text)), 4 * 400)
        (h, w) = got["overlap"]["axes"]
        self.assertEqual((h["min"], h["max"], w["min"], w["max"]), (1, 2, 601, 700))
        self.assertNotIn("counts", h)
        positions = [int(o) for o, _ in self.titles(picture, r"y\[(\d+)\]: (\d+) taps?(?:: .*)?")]
        self.assertEqual(positions[0], 0)
        self.assertIn(600000, positions)  # the last of h
        self.assertIn(399999498, positions)  # and of w

    def test_what_is_too_long_to_count(self):
        args = {"in_channels": 1, "out_channels": 1, "kernel_size": 2, "stride": 100000007, "dilation": 100000000}
        got = answer("explain", "torch.nn.ConvTranspose1d", json.dumps(args), "-x", "1,1,5")
        self.assertNotIn("min", got["overlap"])
        self.assertEqual(got["overlap"]["axes"][0]["inside_max"], 1)
        self.assertIn("not counted", ctconv("explain", "torch.nn.ConvTranspose1d", json.dumps(args), "-x", "1,1,5")[1])

    def test_what_is_marked(self):
        args = {"in_channels": 1, "out_channels": 1, "kernel_size": 3, "stride": 3, "dilation": 2, "padding": 2}
        words = "explain", "torch.nn.ConvTranspose1d", json.dumps({**args, "output_padding": 1}), "-x", "1,1,6"
        _, picture, _ = self.draw(*words, "--svg")
        said = [node.text for node in picture.iter(SVG + "text")]
        for wanted in ("stride 3", "dilation 2", "cropped 2", "cropped 1", "output_padding 1"):
            self.assertIn(wanted, said)


class Files(Pictures):
    ARGS = {"in_channels": 1, "out_channels": 1, "kernel_size": 3}
    WORDS = "explain", T2, json.dumps(ARGS), "-x", "1,1,4,4", "--svg"

    def test_text_is_escaped(self):
        args = json.dumps({**self.ARGS, "device": "<b a='1'>&\"\u0001\x7f\u20ac"})
        _, picture, text = self.draw("explain", T2, args, "-x", "1,1,4,4", "--svg")
        shown = " ".join(node.text for node in picture.iter(SVG + "text"))
        self.assertIn("<b a='1'>&\"\ufffd\ufffd\u20ac", shown)
        self.assertNotIn("<b ", text)
        self.assertIn("...", " ".join(node.text for node in self.long_call().iter(SVG + "text")))

    def long_call(self):
        args = json.dumps({**self.ARGS, "device": "x" * 100000})
        return self.draw("explain", T2, args, "-x", "1,1,4,4", "--svg")[1]

    def test_places_that_cannot_be_written(self):
        bench = "bench", T2, json.dumps(self.ARGS), "-x", "1,1,4,4", "--repeat", 1, "--plot"
        for words in (self.WORDS, bench):
            for place, why in (
                (self.folder, "Is a directory"),
                (self.folder / "no" / "a.svg", "No such file or directory"),
                ("/dev/full", "No space left on device"),
                (self.folder / ("a" * 300), "File name too long"),
            ):
                self.assertIn(why, self.refused("FILE", *words, place)["message"])
            self.assertEqual(ctconv(*words, "")[0], 2)

    def test_the_old_file_stays(self):
        path = self.folder / "a.svg"
        path.write_text("of before")
        done = subprocess.run(
            [CLI, *self.WORDS, path],
            capture_output=True,
            text=True,
            timeout=60,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        )
        self.assertEqual(done.returncode, 2)
        self.assertIn("ctconv: FILE: ", done.stderr)
        self.assertEqual(path.read_text(), "of before")
        self.assertEqual([p.name for p in self.folder.iterdir()], ["a.svg"])

    def test_standard_output(self):
        code, out, err = ctconv(*self.WORDS, "-")
        self.assertEqual(code, 0)
        self.assertEqual(ET.fromstring(out).tag, SVG + "svg")
        self.assertIn("extent  o =", err)
        code, out, err = ctconv("--json", *self.WORDS, "-")
        self.assertEqual((code, json.loads(err)["picture"]), (0, "standard output"))
        self.alone(out)


class Bench(Pictures):
    TITLE = r"([\w ]+): ([\d.]+) GF/s, median .*, best .*, (\d+) runs; .*"
    ARGS = {"in_channels": 16, "out_channels": 8, "kernel_size": 3, "stride": 2}

    def check(self, picture, rows):
        """A bar for each row that ran, as long as its rate; a reason for each that did not."""
        ran = [row for row in rows if "refused" not in row]
        bars = [node for node in picture.iter(SVG + "rect") if node.find(SVG + "title") is not None]
        said = self.titles(picture, self.TITLE)
        names = [" ".join(filter(None, (row["engine"], row.get("gradient")))) for row in ran]
        self.assertEqual([name for name, _, _ in said], names)
        self.assertEqual([rate for _, rate, _ in said], [f"{row['gflops']:.1f}" for row in ran])
        most = max(ran, key=lambda row: row["gflops"])["gflops"]
        widest = max(float(bar.get("width")) for bar in bars)
        for bar, row in zip(bars, ran) if widest else ():  # slow enough, no bar reaches a tenth of a point
            self.assertAlmostEqual(float(bar.get("width")) / widest, row["gflops"] / most, delta=0.2 / widest + 0.01)
        texts = [node.text for node in picture.iter(SVG + "text")]
        self.assertEqual(sum(text.startswith("refuses: ") for text in texts), len(rows) - len(ran))
        self.assertTrue(any(re.search(r", roof [\d.]+ GF/s$", text) for text in texts))

    def test_one_layer(self):
        words = "bench", T2, json.dumps(self.ARGS), "-x", "1,16,20,20", "--repeat", 3
        got, picture, text = self.draw(*words, "--plot")
        self.check(picture, got["engines"])
        ran = [row for row in got["engines"] if "refused" not in row]
        self.assertEqual(text.count('class="roof"'), len(ran))
        got, picture, _ = self.draw(*words, "--backward", "--plot")
        self.check(picture, got["engines"])

    def test_many_layers(self):
        layer = {"n": 1, "cin": 1, "cout": 1, "g": 1, "in": [4], "k": [2], "s": [2], "d": [1], "op": [0]}
        layer |= {"p_begin": [0], "p_end": [0], "bias": False}
        path, plot = self.folder / "layers.json", self.folder / "a.svg"
        path.write_text(json.dumps([{**layer, "id": f"<{i}>"} for i in range(90)]))
        got = answer("bench", "--layers", path, "--repeat", 1, "--plot", plot)
        self.assertEqual(len(got), 90)
        text = plot.read_text(encoding="utf-8")
        self.assertLess(len(text), 400_000)
        self.alone(text)
        drawn = int(re.search(r">(\d+) of 90 layers are drawn; the table has all<", text)[1])
        self.check(ET.fromstring(text), [row for one in got[:drawn] for row in one["engines"]])
        rows = sum(len(one["engines"]) for one in got[:drawn])
        self.assertTrue(rows <= 400 < rows + len(got[drawn]["engines"]))


if __name__ == "__main__":
    unittest.main()
