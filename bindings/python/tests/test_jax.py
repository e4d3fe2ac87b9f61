# SPDX-License-Identifier: Apache-2.0
"""ctconv.jax.conv_transpose against numpy's sums, jax's own finite differences, and its refusals."""

import ctconv
import numpy as np
import pytest

from problems import biases, integers, scatter, weights

jax = pytest.importorskip("jax")
jnp = pytest.importorskip("jax.numpy")
check_grads = pytest.importorskip("jax.test_util").check_grads

import ctconv.jax  # noqa: E402

conv = ctconv.jax.conv_transpose
CASES = [
    {"x": (2, 3, 5), "w": (3, 2, 4), "stride": 2, "padding": 1},
    {"x": (2, 4, 4, 3), "w": (4, 2, 3, 2), "stride": (2, 1), "padding": (1, 0), "groups": 2},
    {"x": (1, 2, 2, 3, 2), "w": (2, 3, 2, 1, 3), "stride": (2, 1, 1), "dilation": (1, 2, 1)},
    {"x": (3, 6), "w": (3, 1, 3), "stride": 3, "output_padding": 2, "groups": 3},
    {"x": (0, 2, 4), "w": (2, 3, 3)},
]


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def split(case):
    case = dict(case)
    return case.pop("x"), case.pop("w"), case


def arrays(case, dtype):
    """x, w, b of small integers, and the further arguments."""
    x_shape, w_shape, args = split(case)
    b_shape = (w_shape[1] * args.get("groups", 1),)
    made = integers(x_shape), weights(w_shape), biases(b_shape)
    return [jnp.asarray(a).astype(dtype) for a in made], args


def numbers(a):
    return np.asarray(a).astype("f8")


def expected(x, w, b, args):
    x, w, b = numbers(x), numbers(w), numbers(b)
    y = scatter(x if x.ndim == w.ndim else x[None], w, b, **args)
    return y if x.ndim == w.ndim else y[0]


def reals(case, seed=0):
    rng = np.random.default_rng(seed)
    (x, w, b), args = arrays(case, "float64")
    return [jnp.asarray(rng.normal(size=a.shape)) for a in (x, w, b)], args


def gradients_of(x, w, b, dy, args):
    return jax.vjp(lambda x, w, b: conv(x, w, b, **args), x, w, b)[1](dy)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_y_and_gradients_of_integers(case, dtype):
    (x, w, b), args = arrays(case, dtype)
    y = jax.jit(lambda x, w, b: conv(x, w, b, **args))(x, w, b)
    assert y.dtype == dtype
    np.testing.assert_array_equal(numbers(y), numbers(jnp.asarray(expected(x, w, b, args)).astype(dtype)))
    dy = jnp.asarray(integers(y.shape, m=5, c=2)).astype(dtype)
    dx, dw, db = gradients_of(x, w, b, dy, args)
    assert [g.dtype for g in (dx, dw, db)] == [dtype] * 3
    # <dy, y(u, w)> = <dx, u> and <dy, y(x, v)> = <dw, v> for each unit u and v: sums of integers, exact below 2^8.
    rows = numbers(dy).ravel()
    for which, got in ((0, dx), (1, dw)):
        given, want = [numbers(x), numbers(w)], np.zeros(got.shape)
        for at in np.ndindex(*got.shape):
            given[which] = np.zeros(got.shape)
            given[which][at] = 1
            want[at] = rows @ expected(*given, np.zeros(b.shape), args).ravel()
        np.testing.assert_array_equal(numbers(got), numbers(jnp.asarray(want).astype(dtype)))
    spatial = tuple(range(1 - w.ndim + 1, 0))
    np.testing.assert_array_equal(numbers(db), numbers(dy).sum(axis=spatial).reshape(-1, b.size).sum(axis=0))


@pytest.mark.parametrize("case", CASES[:4], ids=str)
def test_check_grads(case):
    given, args = reals(case)
    check_grads(lambda x, w, b: conv(x, w, b, **args), given, order=2, modes=["rev"], atol=1e-6, rtol=1e-6)
    check_grads(lambda x, w: conv(x, w, **args), given[:2], order=2, modes=["rev"], atol=1e-6, rtol=1e-6)


def test_third_order():
    (x, w, _), args = reals(CASES[0])

    def loss(x, w):
        return jnp.sum(jnp.tanh(conv(x, w, **args)))

    check_grads(loss, (x, w), order=3, modes=["rev"], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("axes", [(0, None, None), (0, 0, None), (None, 1, 0), (1, None, 0)], ids=str)
@pytest.mark.parametrize("case", CASES[:4], ids=str)
def test_vmap(case, axes):
    (x, w, b), args = reals(case)
    rng = np.random.default_rng(1)
    given = [
        a if at is None else jnp.asarray(rng.normal(size=np.insert(a.shape, at, 3))) for a, at in zip((x, w, b), axes)
    ]

    def gradients(x, w, b):
        y, back = jax.vjp(lambda x, w, b: conv(x, w, b, **args), x, w, b)
        return y, *back(jnp.sin(y))

    got = jax.jit(jax.vmap(gradients, in_axes=axes))(*given)
    for n in range(3):
        one = [a if at is None else jnp.take(a, n, axis=at) for a, at in zip(given, axes)]
        for mine, want in zip(got, gradients(*one)):
            np.testing.assert_array_equal(mine[n], want)


def test_vmap_of_vmap():
    (x, w, _), args = reals(CASES[1])
    rng = np.random.default_rng(2)
    many = jnp.asarray(rng.normal(size=(2, 3, *x.shape)))
    kernels = jnp.asarray(rng.normal(size=(3, *w.shape)))
    got = jax.vmap(jax.vmap(lambda x, w: conv(x, w, **args)), in_axes=(0, None))(many, kernels)
    for at in np.ndindex(2, 3):
        np.testing.assert_array_equal(got[at], conv(many[at], kernels[at[1]], **args))


def test_a_step_of_training_under_jit():
    (x, w, b), args = reals(CASES[0])
    target = conv(x, w, b, **args)

    @jax.jit
    def step(w, b):
        loss, (dw, db) = jax.value_and_grad(lambda w, b: jnp.mean((conv(x, w, b, **args) - target) ** 2), (0, 1))(w, b)
        return loss, w - 0.1 * dw, b - 0.1 * db

    w, b, losses = w + 0.5, b - 1, []
    for _ in range(60):
        loss, w, b = step(w, b)
        losses.append(float(loss))
    assert losses[-1] < 0.01 * losses[0]


def test_a_large_call_under_jit():
    """Megabytes through the callback, which jax's own threads make."""
    x = jnp.ones((4, 32, 128, 128), "float32")
    w = jnp.full((32, 8, 3, 3), 0.125, "float32")
    dx = jax.jit(jax.grad(lambda x: conv(x, w, padding=1).sum()))(x)
    assert float(dx[0, 0, 5, 5]) == 9.0 and float(dx[0, 0, 0, 0]) == 4.0


X, W = np.ones((1, 2, 4), "float32"), np.ones((2, 3, 3), "float32")


@pytest.mark.parametrize(
    "status,argument,call",
    [
        ("VALUE_STRIDE", "stride", {"stride": 0}),
        ("TYPE_STRIDE", "stride", {"stride": 1.5}),
        ("TYPE_STRIDE", "stride", {"stride": np.ones(1)}),
        ("VALUE_GROUPS", "groups", {"groups": 0}),
        ("VALUE_OUTPUT_PADDING_RANGE", "output_padding", {"output_padding": 1}),
        ("SHAPE_INPUT_CHANNELS", "input", {"x": X[:, :1]}),
        ("SHAPE_INPUT_RANK", "input", {"x": X[0, 0]}),
        ("SHAPE_WEIGHT_RANK", "weight", {"w": W[0]}),
        ("TYPE_INPUT_DTYPE", "input", {"x": X.astype("int32")}),
        ("TYPE_DTYPE_MISMATCH", "weight", {"w": W.astype("float16")}),
        ("SHAPE_BIAS_SHAPE", "bias", {"bias": np.ones(2, "float32")}),
        ("TYPE_DTYPE_MISMATCH", "bias", {"bias": np.ones(3, "float64")}),
        ("MISUSE_ENGINE", "engine", {"engine": "none"}),
        ("MISUSE_OPTION", "threads", {"threads": -1}),
        ("MISUSE_OPTION", "threads", {"threads": [1]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refusals_while_tracing(status, argument, call):
    call = {"x": X, "w": W, **call}
    x, w = call.pop("x"), call.pop("w")
    b = call.pop("bias", None)
    with pytest.raises(ctconv.Error) as caught:
        jax.eval_shape(lambda x, w, b: conv(x, w, b, **call), x, w, b)
    assert (caught.value.name, caught.value.argument) == ("CTCONV_ERR_" + status, argument), str(caught.value)
