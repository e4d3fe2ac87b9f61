# SPDX-License-Identifier: Apache-2.0
"""Stream: whatever the portions, the outputs one after the other are layer(x) of the whole signal."""

import copy

import numpy as np
import pytest

import ctconv
from problems import biases, dialect_of, integers, python_values, value_cases, weights

RNG = np.random.default_rng(21)
ARGS = {"in_channels": 2, "out_channels": 3, "kernel_size": 7, "stride": 3, "padding": 2, "output_padding": 1}
X, W, B = (RNG.normal(size=s).astype("f4") for s in ((2, 2, 50), (2, 3, 7), 3))


def layer(dtype="f4", **options):
    return ctconv.Layer("torch.nn.ConvTranspose1d", ARGS, W.astype(dtype), B.astype(dtype), reproducible=1, **options)


def portions(x, axis, sizes):
    at = 0
    for size in sizes:
        yield x[(slice(None),) * axis + (slice(at, at + size),)]
        at += size
    yield x[(slice(None),) * axis + (slice(at, None),)]


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2"])
@pytest.mark.parametrize("sizes", [[], [1] * 50, [0, 7, 0, 20], [49], [3, 1, 4, 1, 5]])
@pytest.mark.parametrize("options", [{}, {"chunk": 1}, {"chunk": 8, "parallel": True}])
def test_any_portions(dtype, sizes, options):
    x = X.astype(dtype)
    stream = ctconv.Stream(layer(dtype), 2, **options)
    for _ in range(2):  # a flushed stream is as new
        out = [stream.push(part) for part in portions(x, 2, sizes)]
        assert sum(y.shape[2] for y in out) == max(0, 50 * 3 - stream.delay)
        y = np.concatenate([*out, stream.flush()], axis=2)
        assert y.dtype == x.dtype
        np.testing.assert_array_equal(y, layer(dtype)(x))


def one_dimensional(case):
    return len(case["input_shape"]) == 3 and len(case["weight_shape"]) in (3, 4)


@pytest.mark.parametrize("case", [c for c in value_cases() if one_dimensional(c)], ids=lambda c: c["dialect"])
def test_golden_layers(case):
    bias = None if case["bias_shape"] is None else biases(case["bias_shape"])
    one = ctconv.Layer(dialect_of(case), python_values(case["args"]), weights(case["weight_shape"]), bias)
    x, call = integers(case["input_shape"]), python_values(case.get("call"))
    if call:
        pytest.skip("the call has an output_size")
    try:
        stream = ctconv.Stream(one, x.shape[0])
    except ctconv.Error as error:
        assert error.name in ("CTCONV_ERR_UNSUPPORTED_STREAM",), str(error)
        return
    axis = stream._axis
    y = np.concatenate([*(stream.push(part) for part in portions(x, axis, [1, 2])), stream.flush()], axis=axis)
    np.testing.assert_array_equal(y, one(x))


def test_copies_go_their_own_way():
    stream = ctconv.Stream(layer(), 2)
    head = stream.push(X[:, :, :20])
    twins = [copy.copy(stream), copy.deepcopy(stream), stream.clone()]
    for other in (stream, *twins):
        y = np.concatenate([head, other.push(X[:, :, 20:]), other.flush()], axis=2)
        np.testing.assert_array_equal(y, layer()(X))


def test_out_and_reset():
    stream = ctconv.Stream(layer(), 2)
    out = np.full((2, 3, 100), 7, "f4")
    got = stream.push(X[:, :, :10], out=out)
    assert got.base is out and (out[:, :, got.shape[2] :] == 7).all()
    stream.reset()
    again = stream.push(X[:, :, :10])
    np.testing.assert_array_equal(got, again)
    assert ctconv.Stream(layer(), 2).flush().shape == (2, 3, 0)


def test_what_it_holds_does_not_grow():
    stream = ctconv.Stream(layer(), 2, chunk=4)
    held = []
    for _ in range(3):
        stream.push(np.zeros((2, 2, 100), "f4"))
        facts = dict(line.split(": ") for line in stream.describe().splitlines())
        held.append((facts["state_bytes"], facts["workspace_bytes"]))
    assert facts["inputs"] == "300" and int(facts["outputs"]) == 900 - stream.delay and facts["chunk"] == "4"
    assert len(set(held)) == 1


def test_another_type_is_blamed_on_x():
    stream = ctconv.Stream(layer(), 2)
    with pytest.raises(ctconv.Error, match="^input: .*float64; legal: float32") as caught:
        stream.push(X.astype("f8"))
    assert caught.value.status == 1019


def test_refusals_leave_the_stream_as_it_was():
    stream = ctconv.Stream(layer(), 2)
    head = stream.push(X[:, :, :20])
    for bad in (X[:1, :, :3], X[:, :1, :3], X[:, :, :3].astype("f8"), X[0, :, :3], "x", None, 3):
        with pytest.raises(ctconv.Error):
            stream.push(bad)
    with pytest.raises(ctconv.Error):
        stream.push(X[:, :, 20:], out=np.zeros((2, 3, 1), "f4"))
    y = np.concatenate([head, stream.push(X[:, :, 20:]), stream.flush()], axis=2)
    np.testing.assert_array_equal(y, layer()(X))


@pytest.mark.parametrize(
    "make, name",
    [
        (lambda: ctconv.Stream(layer(), 0), "CTCONV_ERR_MISUSE_OPTION"),
        (lambda: ctconv.Stream(layer(), 1, chunk=-1), "CTCONV_ERR_MISUSE_OPTION"),
        (lambda: ctconv.Stream(layer(), 1, chunk=2**64 + 4), "CTCONV_ERR_MISUSE_OPTION"),
        (lambda: ctconv.Stream(layer(), 1, chunk=1.5), "CTCONV_ERR_MISUSE_OPTION"),
        (lambda: ctconv.Stream(layer(), 2**64 + 1), "CTCONV_ERR_MISUSE_OPTION"),
        (lambda: ctconv.Stream(layer(), "1"), "CTCONV_ERR_MISUSE_OPTION"),
        (lambda: ctconv.Stream(layer(), True), "CTCONV_ERR_MISUSE_OPTION"),
        (lambda: ctconv.Stream("layer"), "CTCONV_ERR_MISUSE_VALUE"),
        (
            lambda: ctconv.Stream(ctconv.Layer("torch.nn.ConvTranspose1d", ARGS, None)),
            "CTCONV_ERR_MISUSE_WEIGHT_MISSING",
        ),
        (
            lambda: ctconv.Stream(
                ctconv.Layer(
                    "torch.nn.ConvTranspose2d",
                    {"in_channels": 1, "out_channels": 1, "kernel_size": 2},
                    np.ones((1, 1, 2, 2), "f4"),
                )
            ),
            "CTCONV_ERR_UNSUPPORTED_STREAM",
        ),
    ],
)
def test_what_cannot_be_streamed(make, name):
    with pytest.raises(ctconv.Error) as caught:
        make()
    assert caught.value.name == name
