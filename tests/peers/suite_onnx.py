# SPDX-License-Identifier: Apache-2.0
"""The onnx package's own ConvTranspose node tests, answered by libctconv:
each model's inputs in, its stored outputs compared.

In:  a python with onnx and numpy; ctconv on the path.   Out: one line per case, then "N of M".
"""

import sys
import warnings

import numpy as np
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

import ctconv


def attribute(a):
    kinds = {
        1: lambda: a.f,
        2: lambda: a.i,
        3: lambda: a.s.decode(),
        6: lambda: tuple(a.floats),
        7: lambda: tuple(a.ints),
    }
    return kinds[a.type]()


def main():
    warnings.simplefilter("ignore")  # the other operators' cases overflow on purpose
    cases = [
        c
        for c in collect_testcases(None)
        if c.model is not None and any(n.op_type == "ConvTranspose" for n in c.model.graph.node)
    ]
    good = 0
    for case in cases:
        nodes = case.model.graph.node
        node = nodes[0]
        if len(nodes) != 1 or node.op_type != "ConvTranspose":
            print(f"{case.name}: not a single ConvTranspose node")
            continue
        args = {a.name: attribute(a) for a in node.attribute}
        ok = True
        for inputs, outputs in case.data_sets:
            x, w, *b = [i if isinstance(i, np.ndarray) else numpy_helper.to_array(i) for i in inputs]
            y = ctconv.Layer("onnx.ConvTranspose", args, w, b[0] if b else None)(x)
            want = outputs[0] if isinstance(outputs[0], np.ndarray) else numpy_helper.to_array(outputs[0])
            ok &= (
                y.shape == want.shape and y.dtype == want.dtype and np.allclose(y, want, rtol=case.rtol, atol=case.atol)
            )
        good += ok
        print(f"{case.name}: {'same' if ok else 'DIFFERENT'}")
    print(f"onnx node tests of ConvTranspose: {good} of {len(cases)}")
    sys.exit(0 if good == len(cases) > 0 else 1)


main()
