# SPDX-License-Identifier: Apache-2.0
"""The layers and what each of them must cost at least.

In:  bench/layers.json (n, cin, cout, g, in, k, s, p_begin, p_end, op, d, bias, modes per layer).
Out: Layer: output size, useful FLOPs, bytes; deterministic operands; floor of its time under a measured roof.
     out    = (in-1)*s - p_begin - p_end + d*(k-1) + 1 + op
     useful = 2 * n * cin * (cout/g) * prod_axis #{(i,t): 0 <= i*s + t*d - p_begin < out}
              (what the padding crops is not counted)
     The gradients have the same products: dgrad makes dx of dy and w, wgrad makes dw and db of x and dy.
     floor  = max(useful / peak, read bytes / read bandwidth + written bytes / write bandwidth), every operand moved
              once, the peak that of float32; bandwidths are those of the working set's size,
              so that small layers are measured against the cache
"""

import json
import math
import pathlib
import zlib

import numpy as np

FILE = pathlib.Path(__file__).resolve().parent / "layers.json"
PASSES = ("fwd", "dgrad", "wgrad")
STARTER = 22  # the first layers of the file: the seeds' examples and one of every kind


def _pairs(i, s, lo, d, k, o):
    """(input position, tap) pairs along one axis that meet the output."""
    count = 0
    for t in range(k):
        first = max(0, -((t * d - lo) // s))
        last = min(i - 1, (o - 1 + lo - t * d) // s)
        count += max(0, last - first + 1)
    return count


def uniform(rng, shape):
    a = rng.random(shape, dtype=np.float32)
    a *= 2
    a -= 1
    return a


class Layer:
    def __init__(self, row, element_bytes=4, which_pass="fwd"):
        self.which_pass = which_pass
        self.id, self.kind = row["id"], row["class"]
        self.n, self.cin, self.cout, self.g = (row["n"], row["cin"], row["cout"], row["g"])
        self.i, self.k, self.s, self.d = row["in"], row["k"], row["s"], row["d"]
        self.lo, self.hi, self.op, self.bias = (row["p_begin"], row["p_end"], row["op"], bool(row["bias"]))
        axes = list(zip(self.i, self.s, self.lo, self.hi, self.d, self.k, self.op))
        self.o = [(i - 1) * s - lo - hi + d * (k - 1) + 1 + op for i, s, lo, hi, d, k, op in axes]
        self.rank = len(self.i)
        self.x_shape, self.y_shape = ((self.n, self.cin, *self.i), (self.n, self.cout, *self.o))
        self.w_shape = (self.cin, self.cout // self.g, *self.k)
        pairs = math.prod(
            _pairs(i, s, lo, d, k, o) for i, s, lo, d, k, o in zip(self.i, self.s, self.lo, self.d, self.k, self.o)
        )
        self.flop = 2 * self.n * self.cin * (self.cout // self.g) * pairs
        x, y, w, b = (*(math.prod(v) for v in (self.x_shape, self.y_shape, self.w_shape)), self.bias * self.cout)
        read, written = {"fwd": (x + w + b, y), "dgrad": (y + w, x), "wgrad": (x + y, w + b)}[which_pass]
        self.read, self.written = element_bytes * read, element_bytes * written
        self.bytes = self.read + self.written

    def operands(self):
        """x, weight (cin, cout/g, k..) and bias or None: random float32 in [-1, 1), the same on every run."""
        rng = np.random.default_rng(zlib.crc32(self.id.encode()))
        return (
            uniform(rng, self.x_shape),
            uniform(rng, self.w_shape),
            uniform(rng, (self.cout,)) if self.bias else None,
        )

    def gradient(self):
        """dy: random float32 in [-1, 1), the same on every run."""
        return uniform(np.random.default_rng(zlib.crc32(self.id.encode() + b".dy")), self.y_shape)

    def floor(self, roof):
        """Seconds no implementation can beat, and what binds: "flop" or "mem"."""
        flop = self.flop / (roof["gflops"] * 1e9)
        mem = self.read / (bandwidth(roof, "read", self.bytes) * 1e9) + self.written / (
            bandwidth(roof, "write", self.bytes) * 1e9
        )
        return max(flop, mem), "mem" if mem > flop else "flop"


def bandwidth(roof, what, size):
    """GB/s for a working set of `size` bytes, between the measured sizes on a logarithmic scale.
    write: the better kind of store."""
    rows = roof["bandwidth"]
    values = [max(r["fill"], r["stream"]) if what == "write" else r[what] for r in rows]
    return float(np.interp(math.log(size), [math.log(r["bytes"]) for r in rows], values))


def load(which, prefixes=(), element_bytes=4, which_pass="fwd"):
    """The layers of a run: "quick" or "full", or those whose id begins with one of `prefixes`.
    Of gradients "quick" are those whose `modes` name the pass: people train them."""
    rows = json.loads(FILE.read_text())
    if prefixes:
        rows = [r for r in rows if any(r["id"].startswith(p) for p in prefixes)]
    elif which == "quick":
        rows = rows[:STARTER] if which_pass == "fwd" else [r for r in rows if which_pass in r["modes"]]
    return [Layer(r, element_bytes, which_pass) for r in rows]
