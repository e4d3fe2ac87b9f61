# SPDX-License-Identifier: Apache-2.0
"""flax.linen.ConvTranspose and tf.nn.conv1d/2d/3d_transpose, live, against the words docs/keras.md gives for them."""

import importlib.util
import itertools

import numpy as np
import pytest

import ctconv


def reals(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


SPACE = {1: (6,), 2: (5, 4), 3: (3, 4, 2)}


@pytest.mark.parametrize("transpose_kernel", [False, True])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_flax(rank, transpose_kernel):
    jax = pytest.importorskip("jax")
    linen = pytest.importorskip("flax.linen")
    import ctconv.jax

    x, compared = reals(2, *SPACE[rank], 3), 0
    for k, s, d, padding in itertools.product((1, 3, 4), (1, 2, 3), (1, 2), ("SAME", "VALID")):
        kernel, strides, dilation = (k,) * rank, (s,) * rank, (d,) * rank
        layer = linen.ConvTranspose(
            4, kernel, strides, padding, dilation, precision="highest", transpose_kernel=transpose_kernel
        )
        variables = layer.init(jax.random.key(0), x)["params"]
        bias = reals(4, seed=1)
        want = layer.apply({"params": {**variables, "bias": bias}}, x)
        got = ctconv.jax.lax_conv_transpose(
            x, variables["kernel"], strides, padding, dilation, transpose_kernel=transpose_kernel
        )
        np.testing.assert_allclose(got + bias, want, rtol=1e-4, atol=1e-4)
        compared += 1
    assert compared == 36


def extent(i, k, s, padding):
    return i * s if padding == "SAME" else i * s + max(k - s, 0)


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="could not import 'tensorflow'")
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_tensorflow(rank):
    """The table's row: Keras's dialect, with the extent that output_shape names."""
    import tensorflow as tf

    run = getattr(tf.nn, f"conv{rank}d_transpose")
    x = reals(2, *SPACE[rank], 3)
    for k, s, padding in itertools.product((1, 2, 3, 4), (1, 2, 3), ("SAME", "VALID")):
        kernel = reals(*(k,) * rank, 4, 3, seed=k)
        shape = (2, *(extent(i, k, s, padding) for i in SPACE[rank]), 4)
        want = run(x, kernel, shape, s, padding).numpy()
        wide_x, wide_kernel, axes = (x[:, None], kernel[None], (1, s)) if rank == 1 else (x, kernel, s)
        args = {"filters": 4, "kernel_size": wide_kernel.shape[:-2], "strides": axes, "padding": padding.lower()}
        layer = ctconv.Layer(f"keras.layers.Conv{max(rank, 2)}DTranspose", args, wide_kernel)
        got = layer(wide_x)
        np.testing.assert_allclose(got[:, 0] if rank == 1 else got, want, rtol=1e-4, atol=1e-4)
