# SPDX-License-Identifier: Apache-2.0
"""`run` with --begin and --end: a part of y. CTCONV_CLI names the program.

Rule: its numbers are those of the whole y to the bit; what is not given is y's own edge.
"""

import json
import unittest

from test_cli import ARGS, T2, Case, answer, ctconv, read_npy, write_npy


class Region(Case):
    WORDS = "run", T2, json.dumps(ARGS), "-x", "2,3,9,8", "--reproducible", "--check"

    def part(self, whole, shape, begin, end):
        n, c, h, w = shape
        rows = [((i * c + j) * h + r) * w for i in range(n) for j in range(c) for r in range(begin[0], end[0])]
        return [v for row in rows for v in whole[row + begin[1] : row + end[1]]]

    def test_numbers_of_the_whole(self):
        y = self.folder / "y.npy"
        answer(*self.WORDS, "-o", y)
        shape, whole = read_npy(y)
        h, w = shape[2:]
        boxes = ((0, 0), (h, w)), ((3, 5), (4, 9)), ((h - 1, 0), (h, w)), ((2, 2), (h, w)), ((0, 0), (5, 6))
        for begin, end in boxes:
            words = [f"--begin={begin[0]},{begin[1]}"] if any(begin) else []
            words += ["--end", f"{end[0]},{end[1]}"] if end != (h, w) or not words else []
            got = answer(*self.WORDS, "-o", y, *words)
            self.assertEqual(got["region"], {"begin": list(begin), "end": list(end)})
            self.assertTrue(got["check"]["same_bits"])
            size = [2, 4, end[0] - begin[0], end[1] - begin[1]]
            self.assertEqual(got["y"]["shape"], size)
            self.assertEqual(read_npy(y), (tuple(size), self.part(whole, shape, begin, end)))
        self.assertIn("region    (3, 5) to (4, 9) of y", ctconv(*self.WORDS, "--begin", "3,5", "--end", "4,9")[1])

    def test_refusals(self):
        for words, range_ in (
            (("--end", "20,4"), "1 to 19"),
            (("--begin", "19,0"), "0 to 18"),
            (("--begin=-1,0",), "0 to 18"),
            (("--begin", "4,4", "--end", "4,5"), "5 to 19"),
        ):
            self.assertEqual(self.refused("CTCONV_ERR_MISUSE_REGION", *self.WORDS, *words)["range"], range_)
        for words in (("--begin", "1"), ("--end", "1,2,3"), ("--begin", "1,a"), ("--begin", "1,,2"), ("--end", "1,2,")):
            self.refused("OPTION", *self.WORDS, *words)
        said = self.refused("OPTION", *self.WORDS, "--begin", "1")["message"]
        self.assertEqual(said, "--begin 1 has 1 number; one for each of the 2 spatial axes of y is needed")
        self.refused("OPTION", "run", T2, json.dumps(ARGS), "-x", self.x(), "--tiles", "-o", "y.npy", "--begin", "1,1")

    def test_a_picture_or_tiles_never_replace_an_input(self):
        x, link = self.x(), self.folder / "link.npy"
        link.symlink_to(x)
        before = x.read_bytes()
        for words in (("run", "-o", link, "--tiles"), ("run", "-o", x, "--tiles"), ("explain", "--svg", x)):
            said = self.refused("OPTION", words[0], T2, json.dumps(ARGS), "-x", x, *words[1:])["message"]
            self.assertIn("the file of -x, which would be lost", said)
        self.assertEqual(x.read_bytes(), before)

    def x(self):
        path = self.folder / "x.npy"
        write_npy(path, (1, 3, 4, 4), range(48))
        return path


if __name__ == "__main__":
    unittest.main()
