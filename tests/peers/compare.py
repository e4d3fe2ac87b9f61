# SPDX-License-Identifier: Apache-2.0
"""libctconv's answer to a case, and how it differs from a peer's.

In:  a case (wire.py) and a peer's reply.
Out: None where they agree, else what differs: shape, values, we refuse, they refuse, kind.
"""

import numpy as np

import ctconv
from wire import decode_all, make_bias, make_weight, make_x, values_of

# What a Python class of a peer may stand for: our kinds 1 type, 2 value, 3 shape (also a ValueError).
# The first class listed here decides.
KINDS = {
    "TypeError": {1},
    "NotImplementedError": {1},
    "ValueError": {2, 3},
    "ZeroDivisionError": {2},
    "AssertionError": {2, 3},
    "IndexError": {2, 3},
    "OverflowError": {2, 3},
    "UnboundLocalError": {1, 2, 3},
    "AttributeError": {1, 2, 3},
    "RuntimeError": {1, 2, 3},
    "Exception": {1, 2, 3},
}


def ours(case):
    args, call = decode_all(case["args"]), decode_all(case["call"])
    try:
        x_type = (
            case["x_dtype"] if ".static." in case["dialect"] else "float32"
        )  # only a static graph's parameters follow x
        w_shape = case["w_shape"] or ctconv.weight_shape(case["dialect"], args, case["x_shape"], x_type)
        b_shape = (
            [case["bias"]]
            if case["bias"]
            else None
            if case["w_shape"]
            else ctconv.bias_shape(case["dialect"], args, case["x_shape"], x_type)
        )
        dtype = (
            case["x_dtype"] if ".static." in case["dialect"] else case["w_dtype"]
        )  # a static graph makes its parameters like x
        bias = None if b_shape is None else make_bias(b_shape, dtype)
        weight, x = make_weight(w_shape, dtype), make_x(case["x_shape"], case["x_dtype"])
        if case["w_shape"]:  # a function: its tensors come together and are judged together
            y = ctconv.Layer(case["dialect"], args, None)(x, weight=weight, bias=bias, **call)
        else:
            y = ctconv.Layer(case["dialect"], args, weight, bias)(x, **call)
        return {"shape": list(y.shape), "dtype": str(y.dtype), "values": y, "weight_shape": list(w_shape)}
    except ctconv.Error as error:
        return {
            "name": error.name.removeprefix("CTCONV_ERR_"),
            "kind": error.kind,
            "message": str(error),
            "argument": error.argument,
            "value": error.value,
        }


def difference(mine, theirs):
    """What differs: None, 'shape', 'values', 'we refuse', 'they refuse', 'kind'."""
    if "name" in mine and "raised" in theirs:
        allowed = next((KINDS[c] for c in theirs["raised"] if c in KINDS), set())
        return None if mine["kind"] in allowed else "kind"
    if "name" in mine:
        return "we refuse"
    if "raised" in theirs:
        return "they refuse"
    if (
        mine["shape"] != theirs["shape"]
        or mine["weight_shape"] != theirs["weight_shape"]
        or mine["dtype"] != theirs["dtype"]
    ):
        return "shape"
    return None if np.array_equal(mine["values"].astype("f8"), values_of(theirs)) else "values"


def check_fault(case):
    """The identifier of the fault that needs no tensor, or None."""
    try:
        ctconv.check(case["dialect"], decode_all(case["args"]))
    except ctconv.Error as error:
        return error.name.removeprefix("CTCONV_ERR_")
    return None


def repaired(case, fault):
    """The case with the argument or tensor our fault names as it was before the faults;
    None where that changes nothing."""
    clean, name = case["clean"], fault["argument"]
    out = {**case, "args": dict(case["args"]), "call": dict(case["call"])}
    for part in ("args", "call"):
        if name in case[part] or name in clean[part]:
            out[part].pop(name, None)
            if name in clean[part]:
                out[part][name] = clean[part][name]
    if name in ("input", "x", "dout", "X", "inputs", "inp"):
        out["x_shape"], out["x_dtype"] = clean["x_shape"], clean["x_dtype"]
    if name in ("weight", "W", "w"):
        out["w_shape"], out["x_dtype"] = clean["w_shape"], clean["x_dtype"]
    if out == case and name in case["args"]:  # as it was: the fault lies in its company, so without it
        out["args"].pop(name)
    return None if out == case else out
