# SPDX-License-Identifier: Apache-2.0
"""What ctconv.onnx does without onnx and onnxruntime: nodes as layers, and sentences about what is absent."""

import types

import ctconv
import ctconv.onnx
import numpy as np
import pytest
from ctconv.onnx.__main__ import main

from problems import biases, integers, scatter, weights


def attribute(name, kind, **fields):
    """What an AttributeProto looks like from outside."""
    empty = {"f": 0.0, "i": 0, "s": b"", "floats": [], "ints": [], "strings": [], "t": None}
    return types.SimpleNamespace(name=name, type=kind, **{**empty, **fields})


def node_like(*attributes, inputs=("X", "W")):
    return types.SimpleNamespace(op_type="ConvTranspose", input=list(inputs), attribute=list(attributes))


def test_attributes_are_read_from_any_form():
    ints = attribute("strides", 7, ints=[2, 3])
    want = {"strides": [2, 3], "auto_pad": "SAME_UPPER", "group": 2, "output_shape": [5, 6], "pads": (1, 1)}
    forms = {
        "strides": ints,
        "auto_pad": b"SAME_UPPER",
        "group": attribute("group", 2, i=2),
        "output_shape": np.array([5, 6]),
        "pads": (1, 1),
    }
    assert ctconv.onnx.arguments(forms) == want
    assert ctconv.onnx.arguments(node_like(ints, attribute("auto_pad", 3, s=b"VALID"))) == {
        "strides": [2, 3],
        "auto_pad": "VALID",
    }
    with pytest.raises(ctconv.Error, match="AttributeProto type 5"):
        ctconv.onnx.arguments([attribute("body", 5)])


def test_a_layer_of_a_node():
    x, w, b = integers((1, 4, 5, 6)), weights((4, 2, 3, 3)), biases((4,))
    node = node_like(
        attribute("strides", 7, ints=[2, 2]), attribute("group", 2, i=2), attribute("auto_pad", 3, s=b"NOTSET")
    )
    want = scatter(x, w, np.zeros(4), stride=2, groups=2)
    np.testing.assert_array_equal(ctconv.onnx.layer(node, {"W": w})(x), want)
    np.testing.assert_array_equal(ctconv.onnx.layer(node)(x, weight=w), want)
    node.input.append("B")
    np.testing.assert_array_equal(ctconv.onnx.layer(node, {"W": w, "B": b})(x), want + b.reshape(4, 1, 1))
    np.testing.assert_array_equal(ctconv.onnx.layer(node, {"W": w})(x, bias=b), want + b.reshape(4, 1, 1))
    np.testing.assert_array_equal(ctconv.onnx.layer(node, {"B": b})(x, weight=w, bias=b), want + b.reshape(4, 1, 1))


def test_other_nodes_and_bad_attributes_are_refused():
    with pytest.raises(ctconv.Error, match="node is Conv; a ConvTranspose node is needed"):
        ctconv.onnx.layer(types.SimpleNamespace(op_type="Conv", input=["X", "W"], attribute=[]))
    with pytest.raises(ctconv.Error) as caught:
        ctconv.onnx.layer(node_like(attribute("strides", 7, ints=[0, 1])), {"W": weights((4, 2, 3, 3))})
    assert caught.value.name == "CTCONV_ERR_VALUE_STRIDE"


def test_an_absent_library_names_the_places(monkeypatch):
    monkeypatch.setenv("CTCONV_ORT_LIBRARY", "/nowhere/libctconv_ort.so")
    with pytest.raises(FileNotFoundError, match="CTCONV_ORT_LIBRARY=/nowhere/libctconv_ort.so"):
        ctconv.onnx.library()


def test_a_missing_package_is_named(monkeypatch, tmp_path, capsys):
    import builtins

    real = builtins.__import__

    def absent(name, *args, **kwargs):
        if name.partition(".")[0] == "onnx" and not (args and args[0] and "ctconv" in args[0].get("__name__", "")):
            raise ImportError("No module named 'onnx'", name="onnx")
        return real(name, *args, **kwargs)

    monkeypatch.setattr("importlib.import_module", lambda name: absent(name))
    assert main([str(tmp_path / "m.onnx")]) == 2
    assert "needs the package onnx: pip install onnx" in capsys.readouterr().err
