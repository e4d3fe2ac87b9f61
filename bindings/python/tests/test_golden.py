# SPDX-License-Identifier: Apache-2.0
"""What the real packages answered, through the Python binding: every shape, status and value of tests/data."""

import numpy as np
import pytest

import ctconv
from problems import biases, dialect_of, integers, python_values, shape_cases, value_cases, weights

KINDS = {"TypeError": TypeError, "ValueError": ValueError, "ShapeError": ctconv.ShapeError}


@pytest.mark.parametrize("case", shape_cases(), ids=lambda c: c["id"])
def test_shape_or_status(case):
    dialect, args, expect = dialect_of(case), python_values(case["args"]), case["expect"]
    call = python_values(case.get("call"))
    x_type, w_type = call.pop("input_dtype", "float32"), call.pop("weight_dtype", "float32")
    given, bias = call.pop("weight_shape", None), call.pop("bias_shape", None)
    x_shape = tuple(case["input_shape"])

    def run():
        shape = given or expect.get("weight_shape") or ctconv.weight_shape(dialect, args, x_shape)
        b = None if bias is None else np.zeros(bias, w_type)
        if b is None and args.get("has_bias") is True and "error" not in expect:
            b = np.zeros(ctconv.bias_shape(dialect, args, x_shape), w_type)  # asked for, so that a call needs one
        layer = ctconv.Layer(dialect, args, np.zeros(shape, w_type), b)
        return layer, layer(np.zeros(x_shape, x_type), **call)

    if "error" in expect:
        with pytest.raises(KINDS[expect["kind"]]) as caught:
            run()
        assert caught.value.name == expect["error"]
        return
    layer, y = run()
    assert list(y.shape) == expect["output_shape"]
    assert list(layer.output_shape(x_shape, **call)) == expect["output_shape"]
    if not given:
        assert list(ctconv.weight_shape(dialect, args, x_shape)) == expect["weight_shape"]


@pytest.mark.parametrize("engine", [None, "reference"])
@pytest.mark.parametrize("case", value_cases(), ids=lambda c: c["dialect"])
def test_values(case, engine):
    bias = None if case["bias_shape"] is None else biases(case["bias_shape"])
    layer = ctconv.Layer(
        dialect_of(case), python_values(case["args"]), weights(case["weight_shape"]), bias, engine=engine
    )
    y = layer(integers(case["input_shape"]), **python_values(case.get("call")))
    assert list(y.shape) == case["output_shape"]
    np.testing.assert_array_equal(y.ravel(), np.array(case["output"], "float32"))
