# SPDX-License-Identifier: Apache-2.0
"""The gradients that torch, paddle and mindspore computed of small integers: Layer.backward gives the same numbers."""

from collections import Counter

import ctconv
import numpy as np
import pytest

from problems import biases, gradient_cases, integers, output_gradients, python_values, weights

CASES = gradient_cases()


@pytest.mark.parametrize("engine", [None, "reference"])
@pytest.mark.parametrize("case", CASES, ids=lambda c: c["dialect"])
def test_gradients(case, engine):
    call, bias = python_values(case["call"]), case["bias_shape"]
    x, w, b = integers(case["input_shape"]), weights(case["weight_shape"]), None if bias is None else biases(bias)
    layer = ctconv.Layer(case["dialect"], python_values(case["args"]), w, b, engine=engine)
    y = layer(x, **call)
    assert list(y.shape) == case["output_shape"]
    want = [name for name in ("dx", "dw", "db") if case[name] is not None]
    got = layer.backward(output_gradients(y.shape), x, want, y=y, **call)
    shapes = {"dx": case["input_shape"], "dw": case["weight_shape"], "db": bias}
    for name in want:
        assert list(got[name].shape) == shapes[name]
        np.testing.assert_array_equal(got[name].ravel(), np.array(case[name], "float32"), err_msg=name)


def test_what_the_cases_hold():
    """The file reaches every form that it is there for."""
    packages = Counter(case["source"].split()[1] for case in CASES)
    assert len(CASES) >= 300 and min(packages[name] for name in ("torch", "paddle", "mindspore")) >= 75

    def count(holds):
        return sum(bool(holds(case)) for case in CASES)

    def argument(name):
        return lambda case: case["args"].get(name) or case["call"].get(name)

    def over_stride(case):
        extra, stride = (case["args"].get(name, default) for name, default in (("output_padding", 0), ("stride", 1)))
        pairs = [v.get("$list") if isinstance(v, dict) else v for v in (extra, stride)]
        rank = len(case["weight_shape"]) - 2
        extra, stride = ([v] * rank if isinstance(v, int) else v for v in pairs)
        return any(e >= s for e, s in zip(extra, stride))

    ranks = Counter(len(case["weight_shape"]) - 2 for case in CASES)
    assert min(ranks[1], ranks[2], ranks[3]) >= 30
    assert count(lambda case: case["bias_shape"] is None) >= 30
    assert count(lambda case: case["bias_shape"]) >= 30
    assert count(lambda case: 0 in case["input_shape"]) >= 3
    assert count(lambda case: len(case["input_shape"]) < len(case["weight_shape"])) >= 10
    assert count(lambda case: case["args"].get("data_format", "").endswith("C")) >= 10
    assert count(argument("output_size")) >= 20 and count(argument("output_padding")) >= 30
    assert count(over_stride) >= 5
    assert count(lambda case: max(case["args"].get(name, 1) for name in ("groups", "group")) > 1) >= 40
    assert count(lambda case: argument("dilation")(case) not in (None, 1)) >= 30
