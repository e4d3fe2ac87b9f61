# SPDX-License-Identifier: Apache-2.0
"""Calls that carry weight, bias or output_size: judged and planned once for a layout, the data read anew each time."""

import numpy as np
import pytest

import ctconv

T2, PADDLE = "torch.nn.ConvTranspose2d", "paddle.nn.functional.conv2d_transpose"
ARGS = {"in_channels": 2, "out_channels": 3, "kernel_size": 3, "stride": 2}
rng = np.random.default_rng(5)


def real(*shape, dtype="f4"):
    return rng.normal(size=shape).astype(dtype)


class Prepared:
    """How many calls were prepared anew."""

    def __init__(self, monkeypatch):
        self.count, prepare = 0, ctconv.Layer._prepare_call

        def count(*args):
            self.count += 1
            return prepare(*args)

        monkeypatch.setattr(ctconv.Layer, "_prepare_call", count)


def own(x, w, b, *size):
    return ctconv.Layer(T2, ARGS, w, b, reproducible=1)(x, *size)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_each_call_reads_its_own_data(dtype, monkeypatch):
    layer, seen = ctconv.Layer(T2, ARGS, None, reproducible=1), Prepared(monkeypatch)
    for size in ((), ([11, 12],), ((11, 12),), ([12, 11],)):
        for turn in range(3):
            x, w, b = real(1, 2, 5, 5, dtype=dtype), real(2, 3, 3, 3, dtype=dtype), real(3, dtype=dtype)
            before = seen.count
            y = layer(x, *size, weight=w, bias=b)
            assert seen.count - before == (turn == 0)
            np.testing.assert_array_equal(y, own(x, w, b, *size))
            seen.count = 0
            out = np.empty_like(y)
            assert layer(x, *size, weight=w, bias=b, out=out) is out
            np.testing.assert_array_equal(out, y)
            seen.count = 0


def test_layouts_of_weight_and_bias(monkeypatch):
    layer, seen = ctconv.Layer(T2, ARGS, None, reproducible=1), Prepared(monkeypatch)
    x, w, b = real(1, 2, 5, 5), real(2, 3, 3, 3), real(3)
    want = own(x, w, b)
    odd = np.frombuffer(b"\0" + w.tobytes(), np.uint8)[1:].view("f4").reshape(w.shape)  # misaligned
    packed = np.zeros(w.shape, [("a", "f4"), ("b", "u1")])
    packed["a"] = w
    turned = w.transpose(3, 2, 1, 0).copy().transpose(3, 2, 1, 0)
    for weight, held in ((w, True), (turned, True), (w.copy(), True), (odd, False), (packed["a"], False)):
        for bias in (b, np.repeat(b, 2)[::2], b[::-1].copy()[::-1]):
            layer(x, weight=weight, bias=bias)
            seen.count = 0
            np.testing.assert_array_equal(layer(x, weight=weight, bias=bias), want)
            assert (seen.count == 0) == held


def test_nothing_is_taken_for_something_else():
    """The same shapes in another role, size or type are refused or computed as ever."""
    layer = ctconv.Layer(T2, ARGS, None)
    x, w, b = real(1, 2, 5, 5), real(2, 3, 3, 3), real(3)
    for _ in range(2):
        layer(x, [11, 12], weight=w, bias=b)
        for bad in ([11.0, 12], [True, 12], ["11", 12], [13, 12], [11], 2.0):
            with pytest.raises(ctconv.Error):
                layer(x, bad, weight=w, bias=b)
        for wrong in (w.astype("f8"), w[:, :, :2], w[:1], w[0]):
            with pytest.raises(ctconv.Error):
                layer(x, weight=wrong, bias=b)
        with pytest.raises(ctconv.Error):
            layer(x, weight=w, bias=real(4))
        with pytest.raises(ctconv.Error):
            layer(x, bias=b)
    assert layer(x, weight=w, bias=b).shape == (1, 3, 11, 11)


def test_dialects_whose_weight_always_comes_with_the_call(monkeypatch):
    layer, seen = ctconv.Layer(PADDLE, {"stride": 2}, None), Prepared(monkeypatch)
    shapes = set()
    for k in (2, 3, 2, 3):
        w = real(2, 3, k, k)
        shapes.add(layer(real(1, 2, 5, 5), weight=w).shape)
    assert seen.count == 2 and shapes == {(1, 3, 10, 10), (1, 3, 11, 11)}


def test_torch_tensors(monkeypatch):
    torch = pytest.importorskip("torch")
    like = ctconv.Layer(T2, ARGS, None, reproducible=1, returns="like")
    seen = Prepared(monkeypatch)
    for turn in range(3):
        x, w, b = torch.randn(1, 2, 5, 5), torch.randn(2, 3, 3, 3), torch.randn(3)
        y = like(x, [12, 12], weight=w, bias=b)
        assert isinstance(y, torch.Tensor) and seen.count == 1
        np.testing.assert_array_equal(y.numpy(), own(x.numpy(), w.numpy(), b.numpy(), [12, 12]))
        seen.count = 1
    with pytest.raises(ctconv.Error, match="requires a gradient"):
        like(x, [12, 12], weight=w.requires_grad_(), bias=b)
    lazy = torch.imag(torch.complex(x, x).conj())
    np.testing.assert_array_equal(
        like(lazy, weight=w.detach(), bias=b).numpy(), own(-x.numpy(), w.detach().numpy(), b.numpy())
    )
