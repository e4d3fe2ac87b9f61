# SPDX-License-Identifier: Apache-2.0
"""What a newcomer writes by mistake is refused at once, in Python's words: argument, what was given, what is legal."""

import ctconv
import numpy as np
import pytest

TORCH = "torch.nn.ConvTranspose1d"
ARGS = {"in_channels": 2, "out_channels": 3, "kernel_size": 3}
BARE = {**ARGS, "bias": False}
X = np.ones((1, 2, 5), "float32")
W = np.arange(18, dtype="float32").reshape(2, 3, 3)
LAYER = ctconv.Layer(TORCH, BARE, W)
Y = LAYER(X)


def refused(call, status, argument, *words, kind=ctconv.Error):
    with pytest.raises(ctconv.Error) as caught:
        call()
    error = caught.value
    text = str(error)
    assert error.name == "CTCONV_ERR_" + status and error.argument == argument, (error.name, error.argument, text)
    assert isinstance(error, kind) and all(word in text for word in words), (type(error), text)


# ---- backward of a layer without a bias ------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [lambda: LAYER, lambda: ctconv.torch.ConvTranspose1d(2, 3, 3, bias=False)])
def test_without_a_bias_the_default_leaves_db_out(make):
    layer = make()
    assert list(layer.backward(Y, X)) == ["dx", "dw"]
    mine = np.zeros(3, "float32")
    assert list(layer.backward(Y, X, out={"dw": np.zeros_like(W)})) == ["dx", "dw"]
    for want in ("db", ("db",), ("dx", "dw", "db")):
        refused(lambda: layer.backward(Y, X, want=want), "MISUSE_OPTION", "want", "db", "no bias", "dx, dw")
    del mine


def test_where_the_arguments_ask_for_a_bias_db_is_in_the_default():
    assert list(ctconv.Layer(TORCH, ARGS, W).backward(Y, X)) == ["dx", "dw", "db"]
    assert list(ctconv.torch.ConvTranspose1d(2, 3, 3).backward(Y, X)) == ["dx", "dw", "db"]
    text = LAYER.backward_describe(Y, X)
    assert "dx.engine" in text and "dw.engine" in text, text


# ---- whole numbers and flags -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1.5, "1", None, [1], 2.0])
def test_a_seed_is_a_whole_number(seed):
    up = ctconv.torch.ConvTranspose1d(2, 3, 3)
    calls = [
        lambda: ctconv.init_weight(TORCH, ARGS, seed=seed),
        lambda: ctconv.init_bias(TORCH, ARGS, seed=seed),
        lambda: ctconv.seed(seed),
    ]
    if seed is not None:
        calls.append(lambda: up.reset_parameters(seed=seed))
    for call in calls:
        refused(call, "MISUSE_OPTION", "seed", repr(seed), "a whole number", kind=TypeError)


def test_seeds_that_are_whole_numbers():
    for seed in (0, -1, 2**70, np.int32(3), np.uint64(2**64 - 1)):
        a = ctconv.init_weight(TORCH, ARGS, seed=seed)
        assert np.array_equal(a, ctconv.init_weight(TORCH, ARGS, seed=int(seed) % 2**64))


@pytest.mark.parametrize("value", ["no", "yes", None, [], [1], "", object(), 1.0])
def test_reproducible_is_a_bool_or_one_of_three_ints(value):
    words = repr(value), "False, True, 0, 1 or 2"
    refused(lambda: ctconv.Layer(TORCH, BARE, W, reproducible=value), "MISUSE_OPTION", "reproducible", *words)


def test_what_reproducible_takes():
    for value, bits in ((False, 0), (0, 0), (True, 1), (1, 1), (2, 2), (np.bool_(True), 1), (np.int64(2), 2)):
        bits_of = ctconv.Layer(TORCH, BARE, W, reproducible=value).describe(X.shape)
        assert "bits: reference" in bits_of or bits == 0


@pytest.mark.parametrize("name", ["allow_tf32", "borrow_weights"])
def test_flags_are_bools(name):
    for value in ("no", 2, None, 1.0):
        words = repr(value), "True or False"
        refused(lambda: ctconv.Layer(TORCH, BARE, W, **{name: value}), "MISUSE_OPTION", name, *words)
    ctconv.Layer(TORCH, BARE, W, **{name: np.bool_(False)})


# ---- words -----------------------------------------------------------------------------------------------------------


def test_messages_speak_python():
    none, given = ctconv.Layer(TORCH, BARE, None), lambda: LAYER(X, weight=W)
    refused(lambda: none(X), "MISUSE_WEIGHT_MISSING", "weight", "got None")
    refused(given, "MISUSE_WEIGHT_TWICE", "weight", "legal: None")
    keras = "keras.layers.Conv2DTranspose", {"filters": 3, "kernel_size": 3}
    refused(lambda: ctconv.weight_shape(*keras), "MISUSE_NULL", "x_shape", "x_shape: ", "got None", "a shape")
    refused(lambda: ctconv.init_weight(*keras, seed=0), "MISUSE_NULL", "x_shape", "got None")
    with pytest.raises(ctconv.Error) as caught:  # what a user wrote stays as it is
        ctconv.check("torch.nn.ConvTranspose1d", {**ARGS, "padding_mode": "NULL"})
    assert '"NULL"' in str(caught.value) and "NULL" in caught.value.value


def test_another_type_of_x_is_blamed_on_x():
    wide = X.astype("float64")
    words = "x: differs in element type from the layer's weight, got float64; legal: float32"
    refused(lambda: LAYER(wide), "TYPE_DTYPE_MISMATCH", "x", words, kind=TypeError)
    with pytest.raises(ctconv.Error) as caught:
        ctconv.torch.ConvTranspose1d(2, 3, 3)(wide)
    assert (caught.value.argument, caught.value.value, caught.value.range) == ("x", "float64", "float32")
    keras = ctconv.keras.layers.Conv2DTranspose(3, 3)
    keras(np.ones((1, 4, 4, 2), "float32"))
    refused(lambda: keras(np.ones((1, 4, 4, 2))), "TYPE_DTYPE_MISMATCH", "x", "the layer's weight, got float64")
    # A weight that comes with the call is the one that differs.
    none = ctconv.Layer(TORCH, BARE, None)
    refused(lambda: none(X, weight=W.astype("float64")), "TYPE_DTYPE_MISMATCH", "weight", "got float64")
    biased = ctconv.Layer(TORCH, ARGS, W)
    refused(lambda: biased(X, bias=np.ones(3)), "TYPE_DTYPE_MISMATCH", "bias", "got float64")


def test_a_region_of_too_few_numbers_says_how_many_are_needed():
    args = {**BARE, "kernel_size": (3, 3)}
    plane = ctconv.Layer("torch.nn.ConvTranspose2d", args, np.ones((2, 3, 3, 3), "float32"))
    x = np.ones((1, 2, 5, 5), "float32")
    y = plane(x)
    for begin, end, name, count in (
        ([0], [1], "begin", 1),
        ([0], [1, 1], "begin", 1),
        ([0, 0], [1], "end", 1),
        ([], [], "begin", 0),
        ([0, 0, 0], [1, 1, 1], "begin", 3),
    ):
        words = f"{name} has {count} entries", "2 in all"
        refused(lambda: plane.region_window(x.shape, begin, end), "MISUSE_REGION", name, *words)
        refused(lambda: plane(x, region=(begin, end)), "MISUSE_REGION", name, *words)
        refused(lambda: plane.backward(y, x, region=(begin, end)), "MISUSE_REGION", name, *words)
        refused(lambda: plane(x[0], region=(begin, end)), "MISUSE_REGION", name, *words)
    words = "x_begin has 1 entries", "2 in all"
    refused(lambda: plane(x, region=([0, 0], [1, 1]), x_begin=[0]), "MISUSE_REGION", "x_begin", *words)
    refused(lambda: plane(x, region=([0, 0], [9, 9])), "MISUSE_REGION", "end", "got end[0] = 9")


# ---- drop-in classes -------------------------------------------------------------------------------------------------


def test_a_drop_in_judges_its_weight_at_once():
    up = ctconv.torch.ConvTranspose1d(2, 3, 3)
    before = up.weight
    refused(lambda: setattr(up, "weight", None), "MISUSE_WEIGHT_MISSING", "weight", "None", "(2, 3, 3)", kind=TypeError)
    assert up.weight is before
    keras = ctconv.keras.layers.Conv2DTranspose(3, 3)
    refused(lambda: setattr(keras, "kernel", None), "MISUSE_WEIGHT_MISSING", "weight", "None")


@pytest.mark.parametrize("make", [lambda: ctconv.torch.ConvTranspose1d(2, 3, 3), ctconv.mindspore.ops.Conv3DTranspose])
def test_configure_judges_at_once(make):
    up = make(2, 3, 3) if isinstance(make, type) else make()
    words = "'thread'", "threads", "engine", "workspace_limit", "did you mean 'threads'?"
    refused(lambda: up.configure(thread=2), "MISUSE_OPTION", "thread", *words, kind=TypeError)
    refused(lambda: up.configure(engine="reference", threads="a"), "MISUSE_OPTION", "threads", "'a'", kind=TypeError)
    refused(lambda: up.configure(reproducible="no"), "MISUSE_OPTION", "reproducible", "'no'")
    assert up.options == {}  # nothing of a refused call stays
    assert up.configure(threads=1).options == {"threads": 1}
