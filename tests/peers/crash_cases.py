# SPDX-License-Identifier: Apache-2.0
"""Layers that nobody can compute, one field broken at a time or two, for crash_table.py.

Out: cases() lists {"name", "field", "rank", "x", "w", "bias", "stride", "padding", "dilation", "output_padding",
     "groups", "output_size", "probe"}. Sizes of axes are lists of `rank` entries unless the length is what is broken.
Rule: the layer x (1, 2, 4..) w (2, 2, 3..) with stride 1, no padding and groups 1 is whole. Every case must be refused:
      its value lies outside what any package documents, tensors do not fit, or its output is beyond any memory.
      "field" names what is broken, both of a pair. "probe" marks the 30 cases of the first probe (2-D, all axes alike).
Standard library only: it is imported in every package's own environment.
"""

EXTREME = (2**31, 2**62, 2**63 - 1, -(2**63))
VALUES = {
    "stride": (0, -1, 2**31 - 1, 2**31 + 1, 2**32, *EXTREME),
    "dilation": (0, -1, 2**31 - 1, 2**31 + 1, 2**32, *EXTREME),
    "padding": (-1, 5, -(2**31), 2**31 - 1, *EXTREME),
    "output_padding": (-1, 5, 2**31 - 1, *EXTREME),
    "groups": (0, -1, 3, 2**31 - 1, *EXTREME),
}
PROBE = {
    "stride": (0, -1, 2**31, 2**62),
    "dilation": (0, -1, 2**31, 2**62),
    "groups": (0, -1, -(2**63)),
    "padding": (-1, 5, 2**31, 2**62),
    "output_padding": (-1, 5, 2**31, 2**62),
}


def whole(rank):
    axes = {"stride": 1, "padding": 0, "dilation": 1, "output_padding": 0}
    case = {"rank": rank, "x": [1, 2] + [4] * rank, "w": [2, 2] + [3] * rank, "bias": None, "groups": 1}
    return case | {name: [value] * rank for name, value in axes.items()} | {"output_size": None, "probe": False}


def broken(rank, field, name, **changes):
    return whole(rank) | {"name": f"{rank}-D {name}", "field": field} | changes


def values(rank):
    """One field, all axes alike; and the last axis alone."""
    for field, given in VALUES.items():
        for value in given:
            probe = rank == 2 and value in PROBE[field]
            entry = value if field == "groups" else [value] * rank
            yield broken(rank, field, f"{field} {value}", **{field: entry, "probe": probe})
            if field != "groups" and rank > 1 and value in (0, -1, 5, 2**31, -(2**63)):
                one = whole(rank)[field][:-1] + [value]
                yield broken(rank, field, f"{field} {value} on the last axis", **{field: one})


def tensors(rank):
    x, w = whole(rank)["x"], whole(rank)["w"]
    probe = rank == 2
    yield broken(rank, "channels", "x of 3 channels", x=[1, 3, *x[2:]], probe=probe)
    yield broken(rank, "channels", "weight of 3 input channels", w=[3, 2, *w[2:]], probe=probe)
    yield broken(rank, "x", "x of no channel", x=[1, 0, *x[2:]], probe=probe)
    yield broken(rank, "x", "an empty axis of x", x=[1, 2, 0, *x[3:]], probe=probe)
    yield broken(rank, "kernel", "an empty axis of the weight", w=[2, 2, 0, *w[3:]], probe=probe)
    yield broken(rank, "x", "x of one axis too many", x=[*x, 4])
    yield broken(rank, "x", "x of two axes too few", x=x[2:] + [2] * (rank == 1))
    yield broken(rank, "kernel", "a weight of one axis too many", w=[*w, 3])
    yield broken(rank, "kernel", "a weight of one axis too few", w=w[:-1])
    yield broken(rank, "bias", "a bias of 3", bias=3, probe=probe)
    yield broken(rank, "bias", "a bias of 0", bias=0)


def lengths(rank):
    for field in ("stride", "padding", "dilation", "output_padding"):
        entries = whole(rank)[field]
        yield broken(rank, field, f"{field} with two entries too many", **{field: entries + entries[:1] * 2})


def sizes(rank):
    for size in (99, 1, -1, 0, 2**31, 2**62, -(2**63)):
        probe = rank == 2 and size in (99, 1)
        changes = {"output_size": [size] * rank, "stride": [2] * rank, "probe": probe}
        yield broken(rank, "output_size", f"output_size {size}", **changes)


def pairs(rank):
    for a, b in ((2**31, 2**31), (2**62, 2**62), (2**32, 2**33), (-(2**63), -1), (2**63 - 1, 2**63 - 1)):
        yield broken(rank, "stride dilation", f"stride {a} and dilation {b}", stride=[a] * rank, dilation=[b] * rank)
        yield broken(rank, "stride padding", f"padding {b} and stride {a}", stride=[a] * rank, padding=[b] * rank)


def cases():
    huge = broken(2, "x", "an output of 309 GB", stride=[92681, 92681], probe=True)
    out = [huge]
    for rank in (1, 2, 3):
        for part in (values, tensors, lengths, sizes, pairs):
            out += part(rank)
    return out
