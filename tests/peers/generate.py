# SPDX-License-Identifier: Apache-2.0
"""Random calls, legal and illegal, in each dialect's own words.

In:  a dialect, a seed and a number.
Out: one case (wire.py), the same for the same three; "clean" holds it before the faults.
Legal calls come from small problems of every form the dialect takes; about half of all cases then get one or two
faults: a wrong type, a zero, a negative, a wrong tensor, a wrong length.
Numbers stay small, so that a peer which accepts nonsense stays fast.
Lengths: every argument with one entry per axis gets 0, 1, rank - 1, rank, rank + 1, rank + 2,
         2 rank and 2 rank + 2 of them.
"""

import copy
import itertools
import random

import wire

FAULTS = [
    0,
    -1,
    -2,
    1.0,
    2.5,
    "3",
    "same",
    None,
    True,
    False,
    (),
    [],
    (1,),
    [2],
    (1, 1),
    [1, 2],
    (2, 1, 1),
    [1, 1, 2],
    (1, 1, 1, 1),
    (0, 1, 1),
    (1, -1),
    (1, 0, 2),
    (1.0, 1, 1),
    [True, 1],
    ("1", 1, 1),
    ((1, 1),),
    (1, 2, 1, 2, 1, 2),
    7,
    5,
]
NAMES = [
    "SAME",
    "VALID",
    "same",
    "valid",
    "pad",
    "Pad",
    "NCHW",
    "NHWC",
    "NCDHW",
    "NDHWC",
    "NCL",
    "zeros",
    "reflect",
    "NOTSET",
    "SAME_LOWER",
    "full",
    "",
]

# Arguments with one entry per axis (pads: two), in all dialects' words.
PER_AXIS = {
    "kernel_size",
    "stride",
    "padding",
    "output_padding",
    "dilation",
    "output_size",
    "filter_size",
    "pad",
    "kernel_shape",
    "strides",
    "pads",
    "dilations",
    "output_shape",
    "dilation_rate",
}


def rank_of(dialect):
    return next(int(c) for c in dialect if c.isdigit())


class Draw:
    """One case in the making."""

    def __init__(self, dialect, seed, number):
        self.r = random.Random(f"{seed} {dialect} {number}")
        self.rank = self.r.choice([1, 2, 2, 3]) if dialect.startswith("onnx") else rank_of(dialect)
        self.case = {
            "dialect": dialect,
            "args": {},
            "x_dtype": "float32",
            "w_dtype": "float32",
            "w_shape": None,
            "bias": 0,
            "call": {},
        }
        self.groups = self.r.choice([1, 1, 1, 2, 3])
        self.ci, self.co = self.groups * self.r.randint(1, 2), self.groups * self.r.randint(1, 2)
        self.k, self.s, self.d = (
            [self.r.choice(c) for _ in range(self.rank)] for c in ([1, 2, 3, 3, 4], [1, 1, 2, 2, 3], [1, 1, 1, 2, 3])
        )
        self.i = [self.r.randint(1, 5) for _ in range(self.rank)]
        self.n = self.r.choice([1, 1, 2, 0]) if self.r.random() < 0.2 else self.r.randint(1, 2)

    def put(self, name, value, default=None, always=False):
        """Sets an argument; now and then a default is left unsaid."""
        if always or value != default or self.r.random() < 0.3:
            self.case["args"][name] = value

    def axes(self, values, lists):
        """Per-axis values as an int (where equal), a tuple or a list."""
        if len(set(values)) == 1 and self.r.random() < 0.6:
            return values[0]
        return list(values) if lists and self.r.random() < 0.5 else tuple(values)

    def extra(self, limit=max):
        """output_padding below its limit, often none."""
        if self.r.random() < 0.5:
            return [0] * self.rank
        return [self.r.randrange(limit(s, d)) for s, d in zip(self.s, self.d)]

    def pads(self, most=2):
        return [self.r.randint(0, most) if self.r.random() < 0.6 else 0 for _ in range(self.rank)]

    def base(self, p):
        return [(i - 1) * s + d * (k - 1) + 1 - 2 * q for i, s, d, k, q in zip(self.i, self.s, self.d, self.k, p)]

    def shape(self, last=False):
        return [self.n, *self.i, self.ci] if last else [self.n, self.ci, *self.i]


def torch_case(g):
    p = g.pads()
    for name, value, default in (
        ("stride", g.s, 1),
        ("padding", p, 0),
        ("output_padding", g.extra(), 0),
        ("dilation", g.d, 1),
    ):
        g.put(name, g.axes(value, True), default)
    (
        g.put("in_channels", g.ci, always=True),
        g.put("out_channels", g.co, always=True),
        g.put("kernel_size", g.axes(g.k, True), always=True),
    )
    g.put("groups", g.groups, 1), g.put("bias", g.r.random() < 0.7, True), g.put("padding_mode", "zeros", "zeros")
    x = g.shape()
    if g.r.random() < 0.2:
        x = x[1:]
    if g.r.random() < 0.25:
        size = [
            b + g.r.randrange(-1, s + 1) if g.r.random() < 0.1 else b + g.r.randrange(s) for b, s in zip(g.base(p), g.s)
        ]
        size = g.r.choice([size, size, x[: len(x) - g.rank] + size, tuple(size), [7] * (len(x) - g.rank) + size])
        g.case["call"]["output_size"] = size
    return x


def paddle_padding(g, last):
    p = g.pads()
    form = g.r.choice(["axes", "axes", "axes", "string", "both", "pairs"])
    if form == "string":
        return g.r.choice(["SAME", "VALID", "same", "Valid"]), [0] * g.rank
    if form == "axes":
        return g.axes(p, True), p
    q = [g.r.randint(0, 2) for _ in range(2 * g.rank)]
    if form == "both":
        return g.r.choice([list, tuple])(q), None
    pairs = [[a, b] for a, b in zip(q[::2], q[1::2])]
    edge = [[0, 0]] if g.r.random() < 0.9 else [[0, 1]]
    return ([[0, 0], *pairs, *edge] if last else [[0, 0], *edge, *pairs]), None


def paddle_formats(g):
    first, last = {1: ("NCL", "NLC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}[g.rank]
    is_last = g.r.random() < 0.3
    return (last if is_last else first), is_last, first


def paddle_case(g):
    kind = g.case["dialect"]
    layer, static = ".functional." not in kind and ".static." not in kind, ".static." in kind
    data_format, last, default = paddle_formats(g)
    padding, p = paddle_padding(g, last)
    extra = g.axes(g.extra(lambda s, d: s if g.r.random() < 0.8 else max(s, d)), True)
    for name, value, d in (
        ("stride", g.axes(g.s, True), 1),
        ("padding", padding, 0),
        ("dilation", g.axes(g.d, True), 1),
        ("data_format", data_format, default),
    ):
        g.put(name, value, d)
    if not static:
        g.put("output_padding", extra, 0)
    size = None
    if g.r.random() < 0.25:
        base = g.base(p) if p else [i * s for i, s in zip(g.i, g.s)]
        size = g.axes([max(1, b + g.r.randrange(s)) for b, s in zip(base, g.s)], True)
    g.put("groups", g.groups, 1)
    if layer:
        (
            g.put("in_channels", g.ci, always=True),
            g.put("out_channels", g.co, always=True),
            g.put("kernel_size", g.axes(g.k, True), always=True),
        )
        if g.r.random() < 0.3:
            g.put("bias_attr", g.r.choice([None, False]), always=True)
        if size is not None:
            g.case["call"]["output_size"] = size
    elif static:
        g.put("num_filters", g.co, always=True)
        if size is not None:
            g.put("output_size", size, always=True)
        if size is None or g.r.random() < 0.5:
            g.put("filter_size", g.axes(g.k, True), always=True)
        g.put("act", g.r.choice([None, None, "relu"]), None)
        if g.r.random() < 0.3:
            g.put("bias_attr", False, always=True)
    else:
        g.case["w_shape"], g.case["bias"] = [g.ci, g.co // g.groups, *g.k], g.co if g.r.random() < 0.6 else 0
        if size is not None:
            g.put("output_size", size, always=True)
            if g.r.random() < 0.8:
                g.case["args"].pop("output_padding", None)
    return g.shape(last)


def mindspore_case(g):
    name = g.case["dialect"].rsplit(".", 1)[1]
    ops, one = ".ops." in g.case["dialect"], "1d" in name
    if g.rank == 3 and g.r.random() < 0.8:
        g.d[0] = 1  # the package takes no other
    mode = g.r.choice(["same", "valid", "pad", "pad"])
    pad, extra = 0, [0] * g.rank
    if mode == "pad":
        extra = g.extra()
        pad = g.r.randint(0, 1) if one or g.r.random() < 0.4 else tuple(g.r.randint(0, 2) for _ in range(2 * g.rank))

    def axes(values):
        return values[0] if one else g.axes(values, False)

    channels = ("in_channel", "out_channel") if ops else ("in_channels", "out_channels")
    (
        g.put(channels[0], g.ci, always=True),
        g.put(channels[1], g.co, always=True),
        g.put("kernel_size", axes(g.k), always=True),
    )
    g.put("stride", axes(g.s), 1), g.put("dilation", axes(g.d), 1), g.put("group", g.groups, 1)
    g.put("pad_mode", mode.upper() if ops and g.r.random() < 0.1 else mode, "valid" if ops else "same")
    g.put("pad" if ops else "padding", pad, 0)
    if not one:
        g.put("output_padding", g.axes(extra, False), 0)
    if ops:
        g.case["w_shape"] = [g.ci, g.co // g.groups, *g.k]
        g.put("mode", 1, 1)
    else:
        g.put("has_bias", g.r.random() < 0.5, False)
    return g.shape()


def onnx_case(g):
    pads = [g.r.randint(0, 2) for _ in range(2 * g.rank)]
    auto = g.r.choice(["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"])
    g.put("auto_pad", auto, "NOTSET")
    if auto == "NOTSET":
        g.put("pads", pads, [0] * 2 * g.rank)
    g.put("strides", list(g.s), [1] * g.rank), g.put("dilations", list(g.d), [1] * g.rank), g.put("group", g.groups, 1)
    g.put("kernel_shape", list(g.k), list(g.k))
    extra = g.extra(lambda s, d: s)
    g.put("output_padding", extra, [0] * g.rank)
    if g.r.random() < 0.2:
        g.put("output_shape", [max(1, b + g.r.randint(-2, 2)) for b in g.base([0] * g.rank)], always=True)
    g.case["w_shape"], g.case["bias"] = [g.ci, g.co // g.groups, *g.k], g.co if g.r.random() < 0.5 else 0
    g.case["typed"] = g.r.random() < 0.5  # whether the graph declares its inputs' shapes
    return g.shape()


def keras_case(g):
    if g.r.random() < 0.9 and max(g.s) > 1:
        g.d = [1] * g.rank  # strides and dilation exclude each other
    last = g.r.random() < 0.6
    g.put("filters", g.co, always=True), g.put("kernel_size", g.axes(g.k, True), always=True)
    g.put("strides", g.axes(g.s, True), 1), g.put("dilation_rate", g.axes(g.d, True), 1)
    g.put("padding", g.r.choice(["valid", "same", "same", "SAME"]), "valid")
    g.put("data_format", "channels_last" if last else "channels_first", "channels_last", always=not last)
    extra = g.axes([g.r.randrange(s) for s in g.s], True) if g.r.random() < 0.4 else None
    g.put("output_padding", extra, None)
    g.put("activation", g.r.choice([None, None, "relu"]), None)
    g.put("use_bias", g.r.random() < 0.7, True)
    return g.shape(last)


def change_length(g):
    """One argument with one entry per axis gets another number of them; False where there is none."""
    case, r = g.case, g.r
    places = [
        (part, name)
        for part in ("args", "call")
        for name, v in sorted(case[part].items())
        if name in PER_AXIS and not isinstance(v, (str, type(None)))
    ]
    if not places:
        return False
    part, name = r.choice(places)
    old = case[part][name]
    kind = r.choice([tuple, list]) if isinstance(old, (bool, int, float)) else type(old)
    entries = [old] * g.rank if isinstance(old, (bool, int, float)) else list(old) or [1]
    count = r.choice([0, 1, g.rank - 1, g.rank, g.rank + 1, g.rank + 2, 2 * g.rank, 2 * g.rank + 2])
    if (
        name in ("output_size", "output_shape") and count > len(entries) and r.random() < 0.8
    ):  # batch and channels in front, as users write it
        new = ([1] * count + [g.n, g.co] + entries)[-count:]
    else:
        new = [entries[at % len(entries)] for at in range(count)]
    case[part][name] = kind(new)
    return True


def spoil(g):
    """One fault."""
    case, r = g.case, g.r
    if r.random() < 0.3 and change_length(g):
        return
    where = r.random()
    if where < 0.72 and case["args"]:
        name = r.choice(sorted(case["args"]))
        if case["dialect"].startswith("onnx"):  # an attribute keeps its type: protobuf has no other
            old = case["args"][name]
            case["args"][name] = (
                r.choice([n for n in NAMES if n])
                if isinstance(old, str)
                else r.choice([0, -1, 2, 3])
                if isinstance(old, int)
                else [r.choice([e, e, 0, -1, 3]) for e in old][: r.choice([9, 9, len(old) - 1])] or [1]
            )
        else:
            case["args"][name] = (
                r.choice(NAMES) if isinstance(case["args"][name], str) and r.random() < 0.7 else r.choice(FAULTS)
            )
    elif where < 0.76 and case["call"]:
        case["call"]["output_size"] = r.choice([v for v in FAULTS if v is not None])
    elif where < 0.80 and case["w_shape"]:
        at = r.randrange(len(case["w_shape"]))
        case["w_shape"] = r.choice(
            [case["w_shape"][:-1], [*case["w_shape"], 1], [n + (j == at) for j, n in enumerate(case["w_shape"])]]
        )
    elif where < 0.84:
        case["x_dtype"] = r.choice(["float64", "int32", "float16", "int64"])
    elif where < 0.92:
        x = case["x_shape"]
        case["x_shape"] = r.choice([x[1:], x[2:], [1, *x], [*x, 1]])
    else:
        at = r.randrange(len(case["x_shape"]))
        case["x_shape"] = [
            max(0, n + r.choice([1, 2, -1, -n])) if j == at else n for j, n in enumerate(case["x_shape"])
        ]


FAMILIES = {
    "torch": torch_case,
    "paddle": paddle_case,
    "mindspore": mindspore_case,
    "onnx": onnx_case,
    "keras": keras_case,
}


def draw(dialect, seed, number):
    g = Draw(dialect, seed, number)
    g.case["x_shape"] = FAMILIES[dialect.split(".")[0]](g)
    g.case["clean"] = copy.deepcopy({name: g.case[name] for name in ("args", "call", "x_shape", "x_dtype", "w_shape")})
    for _ in range(g.r.choice([0, 0, 0, 1, 1, 2])):
        spoil(g)
    for where, part in itertools.product((g.case, g.case["clean"]), ("args", "call")):
        where[part] = {name: wire.encode(v) for name, v in where[part].items()}
    return g.case
