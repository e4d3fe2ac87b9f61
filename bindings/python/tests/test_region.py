# SPDX-License-Identifier: Apache-2.0
"""Regions of every dialect's golden layers: any box, from the whole x or a window of it, is that box of y."""

import pickle

import numpy as np
import pytest

import ctconv
from problems import biases, dialect_of, integers, python_values, value_cases, weights

RNG = np.random.default_rng(20)
LINE = {"in_channels": 2, "out_channels": 3, "kernel_size": 4, "stride": 2, "padding": 1}
X, W = RNG.normal(size=(2, 2, 9)).astype("f4"), RNG.normal(size=(2, 3, 4)).astype("f4")


def line():
    return ctconv.Layer("torch.nn.ConvTranspose1d", LINE, W, reproducible=1)


def rank_of(layer, x_shape, call):
    """How many spatial axes: the number of entries a region takes."""
    for rank in (1, 2, 3):
        try:
            layer.region_window(x_shape, [0] * rank, [1] * rank, **call)
            return rank
        except ctconv.Error as error:
            assert error.argument in ("begin", "end")
    raise AssertionError("no rank fits")


def spatial_axes(layer, x, call):
    rank = rank_of(layer, x.shape, call)
    first = x.ndim - rank - int(layer.channels_last)
    return range(first, first + rank)


def part(array, axes, begin, end):
    index = [slice(None)] * array.ndim
    for axis, b, e in zip(axes, begin, end):
        index[axis] = slice(b, e)
    return array[tuple(index)]


@pytest.mark.parametrize("case", value_cases(), ids=lambda c: c["dialect"])
def test_every_golden_layer(case):
    bias = None if case["bias_shape"] is None else biases(case["bias_shape"])
    layer = ctconv.Layer(dialect_of(case), python_values(case["args"]), weights(case["weight_shape"]), bias)
    x, call = integers(case["input_shape"]), python_values(case.get("call"))
    y = layer(x, **call)
    axes = spatial_axes(layer, x, call)
    extents = [y.shape[axis] for axis in axes]
    for _ in range(4):
        begin = [int(RNG.integers(0, extent)) for extent in extents]
        end = [int(RNG.integers(b + 1, extent + 1)) for b, extent in zip(begin, extents)]
        want = part(y, axes, begin, end)
        np.testing.assert_array_equal(layer(x, **call, region=(begin, end)), want)
        x_begin, x_end = layer.region_window(x.shape, begin, end, **call)
        window = part(x, axes, x_begin, x_end)
        np.testing.assert_array_equal(layer(window, **call, region=(begin, end), x_begin=x_begin), want)
        out = np.full_like(want, 7)
        got = layer(window.copy(), **call, region=(begin, end), x_begin=list(x_begin), x_shape=x.shape, out=out)
        assert got is out
        np.testing.assert_array_equal(out, want)


def test_plain_numbers_where_no_size_depends_on_the_whole_x():
    y = line()(X)
    for begin in range(y.shape[2]):
        for end in range(begin + 1, y.shape[2] + 1):
            first, last = line().region_window(X.shape, [begin], [end])
            got = line()(X[:, :, first[0] : last[0]], region=([begin], [end]), x_begin=(first[0],))
            np.testing.assert_array_equal(got, y[:, :, begin:end])


def test_a_window_begin_is_a_tuple_that_remembers():
    first, last = line().region_window(X.shape, (5,), np.array([9]))
    assert (first, last) == ((2,), (5,))
    assert isinstance(first, tuple) and first.x_shape == X.shape
    again = pickle.loads(pickle.dumps(first))
    assert again == first and again.x_shape == X.shape


@pytest.mark.parametrize(
    "given, argument",
    [
        ({"region": 3}, "region"),
        ({"region": (1, 2)}, "begin"),
        ({"region": ([0], [1], [2])}, "region"),
        ({"region": ([0.5], [1])}, "begin"),
        ({"region": (["a"], [1])}, "begin"),
        ({"region": ([0, 0], [1, 1])}, "begin"),
        ({"region": ([0], [1, 1])}, "end"),
        ({"region": ([0] * 9, [1] * 9)}, "begin"),
        ({"region": ([], [])}, "begin"),
        ({"region": ([2**70], [2**70 + 1])}, "begin"),
        ({"region": ([-1], [2])}, "begin"),
        ({"region": ([3], [3])}, "end"),
        ({"region": ([0], [19])}, "end"),
        ({"region": ([0], [18]), "x_begin": (1,)}, "x"),
        ({"region": ([0], [18]), "x_begin": (-1,)}, "x_begin"),
        ({"region": ([0], [18]), "x_begin": (0,), "x_shape": (2, 2, 8)}, "x_shape"),
        ({"region": ([0], [18]), "x_begin": 0}, "x_begin"),
        ({"x_begin": (0,)}, "region"),
        ({"x_shape": (2, 2, 9)}, "region"),
        ({"region": ([0], [18]), "x_shape": (2, 2, 9)}, "x_begin"),
        ({"region": ([0], [18]), "x_begin": (0,), "x_shape": (2, 9)}, "x_shape"),
        ({"region": ([0], [18]), "x_begin": (0,), "x_shape": (2, 3, 9)}, "x_shape"),
    ],
)
def test_refusals(given, argument):
    out = np.full((2, 3, 18), 7, "f4")
    with pytest.raises(ctconv.Error) as caught:
        line()(X, **given, out=out)
    assert caught.value.argument == argument, str(caught.value)
    assert (out == 7).all()


def test_gradients_of_boxes_add_up_to_those_of_the_whole():
    layer = ctconv.Layer("torch.nn.ConvTranspose1d", LINE, W.astype("f8"), np.zeros(3), reproducible=1)
    x, dy = X.astype("f8"), RNG.normal(size=(2, 3, 18))
    whole = layer.backward(dy, x)
    total = {name: np.zeros_like(value) for name, value in whole.items()}
    for begin, end in ((0, 5), (5, 6), (6, 18)):
        first, last = layer.region_window(x.shape, [begin], [end])
        box = dy[:, :, begin:end]
        got = layer.backward(box, x, region=([begin], [end]))
        window = x[:, :, first[0] : last[0]]
        again = layer.backward(box, window, region=([begin], [end]), x_begin=first)
        for name, value in got.items():
            np.testing.assert_array_equal(value, again[name])
        total["dx"][:, :, first[0] : last[0]] += got["dx"]
        total["dw"] += got["dw"]
        total["db"] += got["db"]
    for name, value in whole.items():
        np.testing.assert_allclose(total[name], value, rtol=1e-12, atol=1e-12)


def test_a_window_of_a_window():
    layer, y = line(), line()(X)
    first, last = layer.region_window(X.shape, [2], [12])
    part = X[:, :, first[0] : last[0]]
    again, end = layer.region_window(part.shape, [4], [8], x_begin=first)
    assert (again, end) == layer.region_window(X.shape, [4], [8]) and again.x_shape == X.shape
    small = part[:, :, again[0] - first[0] : end[0] - first[0]]
    np.testing.assert_array_equal(layer(small, region=([4], [8]), x_begin=again), y[:, :, 4:8])
