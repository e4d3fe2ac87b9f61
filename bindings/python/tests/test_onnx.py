# SPDX-License-Identifier: Apache-2.0
"""ctconv.onnx: models compared and rewritten, and the operator library inside a real ONNX Runtime."""

import concurrent.futures

import ctconv
import ctconv.onnx
import numpy as np
import pytest
from ctconv.onnx.__main__ import main

from problems import biases, integers, scatter, weights


onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
helper, numpy_helper = onnx.helper, onnx.numpy_helper
try:
    ctconv.onnx.library()
except FileNotFoundError as error:
    pytest.skip(str(error), allow_module_level=True)

SHAPES = {1: ((2, 4, 7), (4, 2, 3)), 2: ((2, 4, 5, 6), (4, 2, 3, 2)), 3: ((1, 4, 3, 4, 5), (4, 2, 2, 3, 2))}


def model_of(x, w, b=None, constant=True, domain="", shapes=True, opset=11, **attributes):
    """A model of one ConvTranspose node."""
    node = helper.make_node("ConvTranspose", ["X", "W"] + ["B"] * (b is not None), ["Y"], "up", domain=domain)
    node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
    rest = {"W": w} if b is None else {"W": w, "B": b}

    def info(name, array):
        return helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape if shapes else None
        )

    inputs = [info("X", x)] + ([] if constant else [info(*pair) for pair in rest.items()])
    held = [numpy_helper.from_array(array, name) for name, array in rest.items()] if constant else []
    output = helper.make_tensor_value_info("Y", inputs[0].type.tensor_type.elem_type, None)
    graph = helper.make_graph([node], "g", inputs, [output], held)
    imports = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(graph, opset_imports=imports, ir_version=8), {"X": x, **({} if constant else rest)}


def reals(shape, dtype="float32", seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


CASES = [
    {"rank": 1, "strides": [2], "pads": [1, 0]},
    {"rank": 1, "auto_pad": "SAME_LOWER", "strides": [3]},
    {"rank": 2, "strides": [2, 3], "group": 2},
    {"rank": 2, "strides": [2, 2], "output_padding": [1, 1], "dilations": [2, 1]},
    {"rank": 2, "auto_pad": "SAME_UPPER", "strides": [3, 2]},
    {"rank": 2, "output_shape": [11, 13], "strides": [2, 2]},
    {"rank": 3, "strides": [1, 2, 2], "pads": [0, 1, 0, 1, 1, 0], "kernel_shape": [2, 3, 2]},
]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("constant", [True, False])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_operator_agrees_with_the_runtimes_own(case, constant, bias):
    case = dict(case)
    x_shape, w_shape = SHAPES[case.pop("rank")]
    x, w = reals(x_shape), reals(w_shape, seed=1)
    b = reals((w_shape[1] * case.get("group", 1),), seed=2) if bias else None
    model, feed = model_of(x, w, b, constant, **case)
    (want,) = ctconv.onnx.session(model).run(None, feed)
    (got,) = ctconv.onnx.session(ctconv.onnx.convert(model)).run(None, feed)
    assert got.shape == want.shape and got.dtype == want.dtype
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_element_types(dtype):
    if dtype == "bfloat16":
        dtype = pytest.importorskip("ml_dtypes").bfloat16
    x, w, b = integers((1, 4, 5, 6)), weights((4, 2, 3, 3)), biases((2,))
    model, _ = model_of(x.astype(dtype), w.astype(dtype), b.astype(dtype), domain="ctconv", opset=22, strides=[2, 2])
    session = ctconv.onnx.session(model)
    given = runtime.OrtValue.ortvalue_from_numpy_with_onnx_type(
        x.astype(dtype), helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    )
    got = session.run_with_ort_values(None, {"X": given})[0]
    assert got.shape() == [1, 2, 11, 13]
    want = scatter(x, w, b, stride=2).astype(dtype)
    if np.dtype(dtype).kind == "f":
        np.testing.assert_array_equal(got.numpy(), want)
    else:
        back = np.frombuffer(np.ctypeslib.as_array(_bytes_at(got, want.nbytes)), dtype)
        np.testing.assert_array_equal(back.reshape(want.shape), want)


def _bytes_at(value, size):
    import ctypes

    return (ctypes.c_uint8 * size).from_address(value.data_ptr())


def test_shapes_may_change_from_run_to_run():
    x, w = reals((1, 4, 5, 6)), reals((4, 2, 3, 3), seed=1)
    model, _ = model_of(x, w, domain="ctconv", shapes=False, strides=[2, 2])
    plain, _ = model_of(x, w, shapes=False, strides=[2, 2])
    ours, theirs = ctconv.onnx.session(model), ctconv.onnx.session(plain)
    for shape in [(1, 4, 5, 6), (3, 4, 1, 9), (1, 4, 40, 33), (1, 4, 5, 6)]:
        feed = {"X": reals(shape, seed=len(shape))}
        np.testing.assert_allclose(ours.run(None, feed)[0], theirs.run(None, feed)[0], rtol=1e-5, atol=1e-5)
    assert ours.run(None, {"X": np.zeros((0, 4, 5, 6), "float32")})[0].shape == (0, 2, 11, 13)


@pytest.mark.parametrize("threads", [0, 1, 2, 3])
def test_any_number_of_threads_gives_the_same_bits(threads):
    x, w = reals((2, 16, 40, 40)), reals((16, 8, 4, 4), seed=1)
    model, feed = model_of(x, w, domain="ctconv", strides=[2, 2], pads=[1, 1, 1, 1])
    (want,) = ctconv.onnx.session(model, threads=1, reproducible=1).run(None, feed)
    (got,) = ctconv.onnx.session(model, threads=threads, reproducible=1).run(None, feed)
    np.testing.assert_array_equal(got, want)


def test_one_session_from_many_threads():
    x, w = reals((4, 8, 20, 20)), reals((8, 8, 3, 3), seed=1)
    model, _ = model_of(x, w, domain="ctconv", shapes=False, strides=[2, 2])
    session = ctconv.onnx.session(model, threads=2, reproducible=1)
    feeds = [{"X": reals((1 + n % 3, 8, 20 + n % 5, 20), seed=n)} for n in range(48)]
    want = [session.run(None, feed)[0] for feed in feeds]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for got, one in zip(pool.map(lambda feed: session.run(None, feed)[0], feeds), want):
            np.testing.assert_array_equal(got, one)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "sigmoid", "tanh", "clip"])
def test_an_activation_may_be_named(name):
    x, w = reals((1, 4, 5, 6)), reals((4, 2, 3, 3), seed=1)
    more = {"activation_alpha": 0.25} if name == "leaky_relu" else {}
    more = {"activation_alpha": -0.5, "activation_beta": 0.5} if name == "clip" else more
    model, feed = model_of(x, w, domain="ctconv", activation=name, **more)
    layer = ctconv.Layer("onnx.ConvTranspose", {}, w, activation=name, **more)
    np.testing.assert_array_equal(ctconv.onnx.session(model, reproducible=1).run(None, feed)[0], layer(x))


@pytest.mark.parametrize(
    "attributes,said",
    [
        ({"strides": [0, 1]}, "CTCONV_ERR_VALUE_STRIDE: "),
        ({"strides": 2}, "CTCONV_ERR_TYPE_STRIDE: "),
        ({"auto_pad": "SAME"}, "CTCONV_ERR_VALUE_PAD_MODE: "),
        ({"group": "two"}, "CTCONV_ERR_TYPE_GROUPS: "),
        ({"activation": "gelu"}, 'activation is "gelu"; relu, leaky_relu, tanh, sigmoid and clip are known'),
    ],
    ids=str,
)
def test_bad_attributes_end_the_making_of_a_session(attributes, said):
    model, _ = model_of(reals((1, 4, 5, 6)), reals((4, 2, 3, 3)), domain="ctconv", **attributes)
    with pytest.raises(Exception, match="ctconv: ") as caught:
        ctconv.onnx.session(model)
    assert said in str(caught.value)


def test_bad_shapes_end_a_run_and_the_session_lives_on():
    x, w = reals((1, 4, 5, 6)), reals((4, 2, 3, 3), seed=1)
    session = ctconv.onnx.session(model_of(x, w, domain="ctconv", shapes=False)[0])
    for bad, said in [((1, 3, 5, 6), "SHAPE_INPUT_CHANNELS"), ((1, 4, 5), "SHAPE_"), ((1,) * 9, "9 axes")]:
        with pytest.raises(Exception, match="ctconv: ") as caught:
            session.run(None, {"X": np.zeros(bad, "float32")})
        assert said in str(caught.value)
    assert session.run(None, {"X": x})[0].shape == (1, 2, 7, 8)


@pytest.mark.parametrize("key,value", [("threads", "-1"), ("threads", "two"), ("reproducible", "3"), ("math", "1x")])
def test_bad_settings_are_refused_by_name(key, value):
    options = runtime.SessionOptions()
    options.add_session_config_entry("ctconv." + key, value)
    with pytest.raises(Exception, match=f'ctconv.{key} is "{value}"; a whole number from 0 to'):
        options.register_custom_ops_library(ctconv.onnx.library())
    with pytest.raises(ctconv.Error, match="a whole number from 0 to"):
        ctconv.onnx.register(runtime.SessionOptions(), threads=-1)


def test_convert_changes_nothing_else():
    x, w = reals((1, 4, 5, 6)), reals((4, 4, 3, 3), seed=1)
    model, feed = model_of(x, w, strides=[2, 2])
    second = helper.make_node("ConvTranspose", ["Z", "W", ""], ["V"], "again")
    model.graph.node.extend([helper.make_node("Relu", ["Y"], ["Z"]), second])
    model.graph.output[0].name = "V"
    before = model.SerializeToString()
    one, both = ctconv.onnx.convert(model, ["again"]), ctconv.onnx.convert(model)
    assert model.SerializeToString() == before
    assert [node.domain for node in one.graph.node] == ["", "", "ctconv"]
    assert [node.domain for node in both.graph.node] == ["ctconv", "", "ctconv"]
    assert [found.label for found in ctconv.onnx.find(one)] == ["up"]
    assert {value.name for value in both.graph.value_info} == {"Y"}
    assert [len(node.input) for node in both.graph.node] == [2, 1, 2]
    (want,) = ctconv.onnx.session(model).run(None, feed)
    for changed in (one, both):
        np.testing.assert_allclose(ctconv.onnx.session(changed).run(None, feed)[0], want, rtol=1e-4, atol=1e-4)


def test_nodes_inside_a_branch_are_found_and_changed():
    w = numpy_helper.from_array(weights((4, 2, 3, 3)).astype("float32"), "W")

    def branch(name, *attributes):
        node = helper.make_node("ConvTranspose", ["X", "W"], [name])
        node.attribute.extend(attributes)
        return helper.make_graph([node], name, [], [helper.make_tensor_value_info(name, 1, None)])

    branches = {"then_branch": branch("a"), "else_branch": branch("b", helper.make_attribute("strides", [2, 2]))}
    graph = helper.make_graph(
        [helper.make_node("If", ["C"], ["Y"], **branches)],
        "g",
        [helper.make_tensor_value_info("C", 9, []), helper.make_tensor_value_info("X", 1, (1, 4, 5, 6))],
        [helper.make_tensor_value_info("Y", 1, None)],
        [w],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    assert sorted((found.label, found.inner) for found in ctconv.onnx.find(model)) == [("a", True), ("b", True)]
    assert all("If, Loop or Scan" in row.refusal for row in ctconv.onnx.compare(model))
    ours, theirs = ctconv.onnx.session(ctconv.onnx.convert(model)), ctconv.onnx.session(model)
    for condition in (True, False):
        feed = {"C": np.array(condition), "X": reals((1, 4, 5, 6))}
        np.testing.assert_allclose(ours.run(None, feed)[0], theirs.run(None, feed)[0], rtol=1e-5, atol=1e-4)


def test_compare_says_what_each_node_does():
    x, w = reals((1, 4, 5, 6)), reals((4, 4, 3, 3), seed=1)
    model, feed = model_of(x, w, strides=[2, 2])
    (row,) = ctconv.onnx.compare(model, feed)
    assert row.label == "up" and row.x_shape == (1, 4, 5, 6) and row.w_shape == (4, 4, 3, 3)
    assert row.agrees and row.refusal == "" and row.runtime_ms > 0 and row.ctconv_ms > 0
    assert row.largest == np.abs(ctconv.onnx.session(model).run(None, feed)[0]).max()


def test_the_command(tmp_path, capsys):
    x, w = reals((1, 4, 5, 6)), reals((4, 4, 3, 3), seed=1)
    model, _ = model_of(x, w, strides=[2, 2])
    source, target, values = (str(tmp_path / name) for name in ("m.onnx", "fast.onnx", "x.npy"))
    onnx.save(model, source)
    np.save(values, x)
    assert main([source, "-o", target, "--all", "--input", f"X={values}"]) == 0
    out = capsys.readouterr().out
    assert "1 of 1 nodes call libctconv" in out and "whole model: " in out and "1x4x5x6" in out
    assert onnx.load(target).graph.node[0].domain == "ctconv"
    assert main([source]) == 0 and "made up" in capsys.readouterr().out
    for bad in (
        [str(tmp_path / "none.onnx")],
        [values],
        [source, "--input", f"X={source}"],
        [source, "--shape", "X=1,2"],
    ):
        assert main(bad) == 2
        assert capsys.readouterr().err.startswith("ctconv.onnx: ")
