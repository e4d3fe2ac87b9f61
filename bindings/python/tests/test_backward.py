# SPDX-License-Identifier: Apache-2.0
"""Layer.backward against sums over the taps in numpy, and its refusals."""

import ctconv
import numpy as np
import pytest

ARGS = {"in_channels": 2, "out_channels": 3, "kernel_size": (3,), "stride": (2,), "padding": (1,)}
RNG = np.random.default_rng(0)
X, W, B = RNG.normal(size=(2, 2, 5)), RNG.normal(size=(2, 3, 3)), RNG.normal(size=3)
DY = RNG.normal(size=(2, 3, 9))


def expected(dy, x=X, w=W):
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for i in range(x.shape[2]):
        for t in range(w.shape[2]):
            o = 2 * i + t - 1
            if 0 <= o < dy.shape[2]:
                dx[:, :, i] += dy[:, :, o] @ w[:, :, t].T
                dw[:, :, t] += x[:, :, i].T @ dy[:, :, o]
    return {"dx": dx, "dw": dw, "db": dy.sum(axis=(0, 2))}


def layer(**options):
    return ctconv.Layer("torch.nn.ConvTranspose1d", ARGS, W, B, **options)


def test_all_three():
    got = layer().backward(DY, X)
    want = expected(DY)
    assert list(got) == ["dx", "dw", "db"]
    for name, value in got.items():
        assert value.dtype == np.float64
        np.testing.assert_allclose(value, want[name], rtol=1e-12, atol=1e-12)


def test_weight_of_the_call_and_one_name():
    got = ctconv.Layer("torch.nn.ConvTranspose1d", ARGS, None).backward(DY, X, want="dw", weight=W)
    np.testing.assert_allclose(got["dw"], expected(DY)["dw"], rtol=1e-12, atol=1e-12)
    assert list(got) == ["dw"]


def test_out_and_accumulate():
    mine = np.ones((2, 3, 6))[:, :, ::2]  # a strided view
    got = layer().backward(DY, X, want=(), out={"dw": mine}, accumulate=True)
    assert got["dw"] is mine
    np.testing.assert_allclose(mine, 1 + expected(DY)["dw"], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["relu", "tanh", "sigmoid"])
def test_activation(name):
    one = layer(activation=name)
    y = one(X)
    slope = {"relu": (y > 0) * 1.0, "tanh": 1 - y * y, "sigmoid": y * (1 - y)}[name]
    got, want = one.backward(DY, X, y=y), expected(DY * slope)
    for key, value in got.items():
        np.testing.assert_allclose(value, want[key], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("bound", [0.4, 0.3, 0.99])
def test_clip_bounds_as_the_type_rounds_them(bound):
    args = {"in_channels": 1, "out_channels": 1, "kernel_size": 1, "bias": False}
    x = np.array([[[-9, 9, 0]]], np.float16)
    options = {"activation": "clip", "activation_alpha": -bound, "activation_beta": bound}
    one = ctconv.Layer("torch.nn.ConvTranspose1d", args, np.ones((1, 1, 1), np.float16), **options)
    y = one(x)
    assert one.backward(np.ones_like(y), x, "dx", y=y)["dx"].tolist() == [[[0, 0, 1]]]


def test_describe():
    text = layer().backward_describe(DY, X, want=("dx",))
    assert "dx.engine: " in text and "dw.engine: " not in text


@pytest.mark.parametrize(
    "status,call",
    [
        ("MISUSE_OPTION", {"want": ("dz",)}),
        ("MISUSE_OPTION", {"want": None}),
        ("MISUSE_OPTION", {"out": [X]}),
        ("MISUSE_OPTION", {"accumulate": 2, "want": (), "out": {"dx": np.zeros_like(X)}}),
        ("MISUSE_OPTION", {"accumulate": "yes", "want": (), "out": {"dx": np.zeros_like(X)}}),
        ("MISUSE_OPTION", {"accumulate": 1.0, "want": (), "out": {"dx": np.zeros_like(X)}}),
        ("MISUSE_OPTION", {"accumulate": True}),
        ("MISUSE_OPTION", {"accumulate": True, "out": {"dx": np.zeros_like(X)}}),
        ("MISUSE_NULL", {"x": None, "want": ("dx",)}),
        ("MISUSE_NULL", {"x": None, "want": ("dw",)}),
        ("MISUSE_NULL", {"want": ()}),
        ("MISUSE_Y_SHAPE", {"dy": DY[:, :, :-1]}),
        ("MISUSE_Y_DTYPE", {"dy": DY.astype(np.float32)}),
        ("MISUSE_Y_DTYPE", {"dy": DY.astype(">f8")}),
        ("TYPE_INPUT_DTYPE", {"x": X.astype(">f8")}),
        ("MISUSE_Y_DTYPE", {"out": {"dw": np.zeros(W.shape, ">f8")}}),
        ("MISUSE_WEIGHT_TWICE", {"weight": W}),
        ("MISUSE_Y_OVERLAP", {"out": {"dx": X}}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refusals(status, call):
    with pytest.raises(ctconv.Error) as caught:
        layer().backward(**{"dy": DY, "x": X, **call})
    assert caught.value.name == "CTCONV_ERR_" + status, str(caught.value)


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    "argument,words,call",
    [
        ("x", "dw is made of x", {"x": None, "want": "dw", "out": {"dw": np.zeros_like(W)}}),
        ("x", "x is needed for its shape", {"x": None, "want": "db"}),
        ("want", "no gradient", {"want": ()}),
        ("dy", "byte-swapped float64 (>f8); pass dy.astype('float64')", {"dy": DY.astype(">f8")}),
        ("accumulate", "accumulate is 2; True or False", {"accumulate": 2}),
        (
            "accumulate",
            "dx is wanted and not in out={'dx': array}",
            {"accumulate": True, "out": {"dw": np.zeros_like(W)}},
        ),
        ("dx", "dx is read-only", {"out": {"dx": read_only(X)}}),
        ("dw", "dw is read-only", {"out": {"dw": read_only(W)}}),
        ("db", "db is read-only", {"out": {"db": read_only(B)}}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refusals_speak_of_the_arguments(argument, words, call):
    with pytest.raises(ctconv.Error) as caught:
        layer().backward(**{"dy": DY, "x": X, **call})
    assert caught.value.argument == argument and words in str(caught.value), str(caught.value)


def test_a_missing_y_is_named_as_here():
    args = {"filters": 1, "kernel_size": 1, "activation": "relu"}
    one = ctconv.Layer("keras.layers.Conv2DTranspose", args, np.ones((1, 1, 1, 1)))
    for broken in (one, layer(activation="relu")):
        with pytest.raises(ctconv.Error) as caught:
            x = X if broken is not one else np.ones((1, 1, 1, 1))
            broken.backward(broken(x), x)
        assert caught.value.argument == "y" and "grads" not in str(caught.value), str(caught.value)


def test_a_flag_of_numpy():
    mine = np.ones(W.shape)
    layer().backward(DY, X, (), out={"dw": mine}, accumulate=np.bool_(True))
    np.testing.assert_allclose(mine, 1 + expected(DY)["dw"], rtol=1e-12, atol=1e-12)


DROP_INS = [
    (ctconv.torch.ConvTranspose1d(2, 3, 3, stride=2), (2, 2, 5)),
    (ctconv.mindspore.nn.Conv1dTranspose(2, 3, 3, has_bias=True), (2, 2, 5)),
    (ctconv.paddle.nn.Conv2DTranspose(2, 3, 2), (1, 2, 3, 3)),
    (ctconv.megengine.module.ConvTranspose2d(4, 2, 2, groups=2), (1, 4, 3, 3)),
    (ctconv.keras.layers.Conv2DTranspose(3, 2), (1, 3, 3, 2)),
]


@pytest.mark.parametrize("drop_in,shape", DROP_INS, ids=lambda value: type(value).__name__)
def test_drop_in_classes(drop_in, shape):
    x = np.random.default_rng(1).normal(size=shape).astype("float32")
    y = drop_in(x)
    got, want = drop_in.backward(y, x), drop_in.layer().backward(y, x)
    assert list(got) == ["dx", "dw", "db"]
    assert [g.shape for g in got.values()] == [x.shape, drop_in.weight.shape, drop_in.bias.shape]
    for name, value in got.items():
        np.testing.assert_array_equal(value, want[name])
    dx = np.ones_like(x)
    drop_in.backward(y, want=(), out={"dx": dx}, accumulate=True)
    np.testing.assert_allclose(dx, 1 + want["dx"], rtol=1e-5, atol=1e-5)
    assert list(drop_in.backward(y, x, "dw")) == ["dw"]


def test_drop_in_with_an_output_size():
    up = ctconv.torch.ConvTranspose1d(1, 1, 2, stride=2, bias=False)
    x = np.ones((1, 1, 3), "float32")
    y = up(x, output_size=[7])
    assert up.backward(np.ones_like(y), x, "dx", output_size=[7])["dx"].shape == x.shape
    with pytest.raises(ctconv.Error):
        up.backward(np.ones_like(y), x, "dx")


def test_drop_in_before_its_weight_is_made():
    with pytest.raises(ctconv.Error) as caught:
        ctconv.keras.layers.Conv2DTranspose(3, 2).backward(np.ones((1, 4, 4, 3), "float32"))
    assert caught.value.name == "CTCONV_ERR_MISUSE_WEIGHT_MISSING"
