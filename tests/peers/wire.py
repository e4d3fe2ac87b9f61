# SPDX-License-Identifier: Apache-2.0
"""The line between differential.py and a peer: one JSON case in, one JSON answer out, each a line.

In:  stdin lines {"dialect", "args", "x_shape", "x_dtype", "w_shape", "w_dtype", "bias", "call"};
     tuples are {"t": [...]}, floats {"f": 1.5}.
Out: {"shape", "dtype", "data" (base64), "weight_shape"} or {"raised" (class names, nearest first), "message"}.
With "gradients" in the case, beside it "dx", "dw" and "db" (null without a bias), each {"shape", "dtype", "data"}.
The tensors travel as formulas: element i of x is (7i + 3) mod 13 - 6, of the weight (5i + 1) mod 11 - 5, of the bias
(3i + 2) mod 7 - 3, of dy (11i + 4) mod 9 - 4. Runs in the peers' own environments: standard library and numpy only.
"""

import base64
import json
import os
import sys

import numpy as np


def encode(v):
    if isinstance(v, tuple):
        return {"t": [encode(e) for e in v]}
    if isinstance(v, list):
        return [encode(e) for e in v]
    return {"f": v} if isinstance(v, float) else v


def decode(v):
    if isinstance(v, dict):
        return tuple(decode(e) for e in v["t"]) if "t" in v else float(v["f"])
    return [decode(e) for e in v] if isinstance(v, list) else v


def decode_all(d):
    return {name: decode(v) for name, v in d.items()}


def _fill(shape, a, b, m, c, dtype):
    i = np.arange(int(np.prod(shape, dtype=np.int64)), dtype=np.int64)
    return ((i * a + b) % m - c).astype(dtype).reshape(shape)


def make_x(shape, dtype="float32"):
    return _fill(shape, 7, 3, 13, 6, dtype)


def make_weight(shape, dtype="float32"):
    return _fill(shape, 5, 1, 11, 5, dtype)


def make_bias(shape, dtype="float32"):
    return _fill(shape, 3, 2, 7, 3, dtype)


def make_dy(shape, dtype="float32"):
    return _fill(shape, 11, 4, 9, 4, dtype)


def packed(array):
    array = np.ascontiguousarray(array)
    return {
        "shape": list(array.shape),
        "dtype": str(array.dtype),
        "data": base64.b64encode(array.astype("float64").tobytes()).decode(),
    }


def answer(y, weight_shape, gradients=None):
    """gradients: dx, dw and db (None: there is no bias) as the package computed them from make_dy(y.shape)."""
    out = packed(y) | {"weight_shape": list(weight_shape)}
    if gradients is not None:
        out |= {name: None if g is None else packed(g) for name, g in zip(("dx", "dw", "db"), gradients)}
    return out


def values_of(reply):
    return np.frombuffer(base64.b64decode(reply["data"]), "float64").reshape(reply["shape"])


def serve(handle):
    """Answers every line of stdin with handle(case); what the package prints on stdout goes to stderr."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            reply = handle(json.loads(line))
        except BaseException as error:  # whatever the package raises is the answer
            names = [c.__name__ for c in type(error).__mro__ if c is not object]
            text = str(error)
            reply = {"raised": names, "message": text if len(text) <= 500 else text[:150] + " ... " + text[-350:]}
        print(json.dumps(reply), file=out, flush=True)
