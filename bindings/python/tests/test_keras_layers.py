# SPDX-License-Identifier: Apache-2.0
"""ctconv.keras's layers inside Keras 3, on the backend KERAS_BACKEND names, and once more on the other one.

Live against Keras's own layers where their result is TensorFlow's: always on jax, on torch where it does not warn.
"""

import importlib.util
import itertools
import os
import subprocess
import sys
import warnings

import ctconv
import ctconv.keras
import numpy as np
import pytest

if importlib.util.find_spec("keras") is None:
    pytest.skip("could not import 'keras'", allow_module_level=True)
THERE = [name for name in ("jax", "torch") if importlib.util.find_spec(name)]
if not THERE:
    pytest.skip("keras without jax or torch", allow_module_level=True)
os.environ.setdefault("KERAS_BACKEND", THERE[0])
keras = pytest.importorskip("keras", minversion="3.0")
BACKEND = keras.backend.backend()
if BACKEND not in THERE:
    pytest.skip(f"KERAS_BACKEND is {BACKEND}", allow_module_level=True)

SPACE = {1: (7,), 2: (5, 4), 3: (4, 3, 5)}


def pair(rank, x, kernel=None, **args):
    """Ours and Keras's own layer with the same weights, built for x."""
    name = f"Conv{rank}DTranspose"
    ours, theirs = getattr(ctconv.keras, name)(**args), getattr(keras.layers, name)(**args)
    for layer in (ours, theirs):
        layer.build(x.shape)
    rng = np.random.default_rng(1)
    values = [rng.standard_normal(one.shape).astype("float32") for one in theirs.weights]
    for layer in (ours, theirs):
        layer.set_weights(values)
    return ours, theirs


def numpy_of(y):
    return keras.ops.convert_to_numpy(y)


def reals(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def agree(rank, **args):
    """False where Keras warns that its own result is another one."""
    first = args.get("data_format") == "channels_first"
    x = reals(2, 3, *SPACE[rank]) if first else reals(2, *SPACE[rank], 3)
    ours, theirs = pair(rank, x, **args)
    got = numpy_of(ours(x))
    if rank > 1:
        kernel, bias = (numpy_of(one) for one in ours.weights)
        layer = ctconv.Layer(f"keras.layers.Conv{rank}DTranspose", args, kernel, bias)
        np.testing.assert_allclose(got, layer(x), rtol=1e-4, atol=1e-4)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            want = numpy_of(theirs(x))
        except Exception:  # some backends refuse what TensorFlow computes
            return False
    said = [one for one in said if "inconsisten" in str(one.message)]
    if BACKEND == "torch" and (said or want.shape != got.shape):
        return False
    assert got.shape == want.shape == tuple(ours.compute_output_shape(x.shape))
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)
    return True


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_small_cases(rank, padding):
    compared = 0
    for k, s, extra in itertools.product((1, 2, 3, 4), (1, 2, 3), (None, 0, 1)):
        if extra is None or extra < s:
            compared += agree(rank, filters=2, kernel_size=k, strides=s, padding=padding, output_padding=extra)
    assert compared >= 10


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("data_format", ["channels_first", "channels_last"])
def test_layouts_dilation_and_activation(rank, data_format):
    args = {"filters": 4, "kernel_size": 3, "data_format": data_format, "activation": "relu"}
    if BACKEND == "torch" or data_format == "channels_last" or rank < 3:
        assert agree(rank, **args, padding="same")
        assert agree(rank, **args, dilation_rate=2)
    agree(rank, **args, strides=2, padding="same", output_padding=1)


def test_uneven_axes_and_no_bias():
    x = reals(1, 5, 4, 3)
    ours, theirs = pair(2, x, filters=2, kernel_size=(3, 2), strides=(2, 1), use_bias=False)
    np.testing.assert_allclose(numpy_of(ours(x)), numpy_of(theirs(x)), rtol=1e-4, atol=1e-4)


def model_of(cls):
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.layers.Input((6, 5, 3)),
            cls(4, 3, strides=2, padding="same", activation="relu", name="one"),
            cls(2, 4, strides=2, padding="same", name="two"),
        ]
    )


def test_training_gives_the_same_losses():
    x, y = reals(8, 6, 5, 3), reals(8, 24, 20, 2, seed=1)
    losses = []
    for cls in (ctconv.keras.Conv2DTranspose, keras.layers.Conv2DTranspose):
        model = model_of(cls)
        model.compile(keras.optimizers.SGD(0.05), "mse")
        losses.append(model.fit(x, y, batch_size=4, epochs=4, shuffle=False, verbose=0).history["loss"])
    assert losses[0][-1] < losses[0][0]
    np.testing.assert_allclose(*losses, rtol=1e-3)


def test_saving_and_loading(tmp_path):
    model, x = model_of(ctconv.keras.Conv2DTranspose), reals(2, 6, 5, 3)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert [type(layer) for layer in again.layers] == [type(layer) for layer in model.layers]
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    model.save_weights(tmp_path / "m.weights.h5")
    plain = model_of(keras.layers.Conv2DTranspose)
    plain.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_allclose(plain.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-4, atol=1e-4)


def test_accelerate_copies_a_model():
    plain, x = model_of(keras.layers.Conv2DTranspose), reals(2, 6, 5, 3)

    class Own(keras.layers.Conv2DTranspose):
        pass

    for model in (plain, keras.Sequential([keras.layers.Input((6, 5, 3)), Own(2, 3)])):
        fast = ctconv.keras.accelerate(model)
        np.testing.assert_allclose(fast.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-4, atol=1e-4)
        kinds = [type(layer) for layer in fast.layers]
        assert kinds == ([ctconv.keras.Conv2DTranspose] * 2 if model is plain else [Own])
    assert type(plain.layers[0]) is keras.layers.Conv2DTranspose


def test_mixed_precision():
    x = reals(2, 5, 4, 3)
    ours = ctconv.keras.Conv2DTranspose(2, 3, strides=2, dtype="mixed_bfloat16")
    y = ours(x)
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    want = pair(2, x, filters=2, kernel_size=3, strides=2)[0]
    want.set_weights(ours.get_weights())
    np.testing.assert_allclose(numpy_of(keras.ops.cast(y, "float32")), numpy_of(want(x)), rtol=5e-2, atol=5e-2)


def test_what_keras_refuses_is_refused():
    with pytest.raises(ValueError):
        ctconv.keras.Conv2DTranspose(2, 3, strides=2, dilation_rate=2)
    with pytest.raises(ValueError):
        ctconv.keras.Conv2DTranspose(2, 3)(reals(5, 4, 3))


def test_another_backend_is_refused(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    with pytest.raises(ctconv.Error, match="needs Keras's backend torch or jax, not tensorflow"):
        ctconv.keras.Conv2DTranspose(2, 3)


@pytest.mark.skipif("CTCONV_KERAS_AGAIN" in os.environ, reason="this is the other backend")
@pytest.mark.parametrize("other", ["jax", "torch"])
def test_the_other_backend(other):
    if other == BACKEND:
        pytest.skip("this one")
    if other not in THERE:
        pytest.skip(f"could not import '{other}'")
    environment = {**os.environ, "KERAS_BACKEND": other, "CTCONV_KERAS_AGAIN": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
