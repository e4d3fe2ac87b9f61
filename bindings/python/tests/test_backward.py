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
        ("MISUSE_NULL", {"x": None, "want": ("dx",)}),
        ("MISUSE_NULL", {"x": None, "want": ("dw",)}),
        ("MISUSE_NULL", {"want": ()}),
        ("MISUSE_Y_SHAPE", {"dy": DY[:, :, :-1]}),
        ("MISUSE_Y_DTYPE", {"dy": DY.astype(np.float32)}),
        ("MISUSE_WEIGHT_TWICE", {"weight": W}),
        ("MISUSE_Y_OVERLAP", {"out": {"dx": X}}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refusals(status, call):
    with pytest.raises(ctconv.Error) as caught:
        layer().backward(**{"dy": DY, "x": X, **call})
    assert caught.value.name == "CTCONV_ERR_" + status, str(caught.value)
