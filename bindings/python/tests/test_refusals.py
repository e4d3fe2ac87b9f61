# SPDX-License-Identifier: Apache-2.0
"""What a newcomer writes by mistake is refused at once, in Python's words: argument, what was given, what is legal."""

import json
import os
import subprocess
import sys

import ctconv
import numpy as np
import pytest
from ctconv.tiles import _journal

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
    words = "input: differs in element type from weight, got float64; legal: float32"
    refused(lambda: LAYER(wide), "TYPE_DTYPE_MISMATCH", "input", words, kind=TypeError)
    with pytest.raises(ctconv.Error) as caught:
        ctconv.torch.ConvTranspose1d(2, 3, 3)(wide)
    assert (caught.value.argument, caught.value.value, caught.value.range) == ("input", "float64", "float32")
    keras = ctconv.keras.layers.Conv2DTranspose(3, 3)
    keras(np.ones((1, 4, 4, 2), "float32"))
    refused(lambda: keras(np.ones((1, 4, 4, 2))), "TYPE_DTYPE_MISMATCH", "inputs", "got float64; legal: float32")
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


def test_a_region_that_is_wrong_is_a_value_or_a_type():
    refused(lambda: LAYER(X, region=([0], [99])), "MISUSE_REGION", "end", "got end[0] = 99", kind=ValueError)
    refused(lambda: LAYER(X, region=([0, 0], [1])), "MISUSE_REGION", "begin", "1 in all", kind=ValueError)
    refused(lambda: LAYER(X, region=(["0"], [1])), "MISUSE_REGION", "begin", "begin is ['0']", kind=TypeError)


# ---- arrays where something else is needed ---------------------------------------------------------------------------


def test_an_array_is_named_by_its_shape_and_never_printed():
    shown = "ndarray of shape (1, 2, 5), float32"
    questions = (LAYER.describe, LAYER.prepare, LAYER.output_shape, lambda x: LAYER.region_window(x, [0], [1]))
    for ask in (*questions, lambda x: ctconv.weight_shape(TORCH, BARE, x)):
        refused(lambda: ask(X), "TYPE_ARGUMENT_NAME", "x_shape", f"x_shape is {shown}; ", "x.shape", kind=TypeError)
        refused(lambda: ask([X]), "TYPE_ARGUMENT_NAME", "x_shape", f"x_shape is [{shown}]; ")
    refused(lambda: LAYER(X, region=X), "MISUSE_REGION", "region", f"region is {shown}; ")
    refused(lambda: LAYER(X, region=(X, X)), "MISUSE_REGION", "begin", f"begin is {shown}; ")
    refused(lambda: ctconv.Layer(TORCH, BARE, W, activation=X), "MISUSE_ACTIVATION", "activation", shown)
    refused(lambda: ctconv.Layer(TORCH, BARE, W, engine=X), "MISUSE_ENGINE", "engine", shown)
    refused(lambda: ctconv.Layer(TORCH, BARE, W, threads=X.astype("float64")), "MISUSE_OPTION", "threads", "float64")
    refused(lambda: ctconv.Layer(TORCH, BARE, W, workspace_limit=X), "MISUSE_OPTION", "workspace_limit", shown)
    refused(lambda: ctconv.set_num_threads(X), "MISUSE_OPTION", "threads", shown)
    for call in (lambda: LAYER.describe(X), lambda: LAYER.describe([X] * 99), lambda: LAYER(X, region=X)):
        with pytest.raises(ctconv.Error) as caught:
            call()
        assert "\n" not in str(caught.value) + caught.value.value and len(str(caught.value)) < 900
    assert LAYER.output_shape(np.array(X.shape)) == LAYER.output_shape(X.shape)  # an array of ints is a shape


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


# ---- python -m ctconv.tiles ------------------------------------------------------------------------------------------


def test_the_bias_of_tiles_is_the_command_lines(tmp_path):
    """The dialect's initialiser with the seed that `ctconv run` takes, so that both programs write the same y."""
    plane, args = "torch.nn.ConvTranspose2d", {**ARGS, "kernel_size": [3, 3]}
    x, w = np.zeros((1, 2, 4, 4), "float32"), np.ones((2, 3, 3, 3), "float32")
    for name, array in (("x", x), ("w", w)):
        np.save(tmp_path / f"{name}.npy", array)

    def run(args, *more):
        words = [sys.executable, "-m", "ctconv.tiles", plane, json.dumps(args), "-x", "x.npy", "-w", "w.npy", "-o"]
        folder = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}}
        done = subprocess.run([*words, "y.npy", *more], capture_output=True, text=True, timeout=300, **folder)
        assert done.returncode == 0, done.stderr
        return np.load(tmp_path / "y.npy"), done.stdout + done.stderr

    args_of_layer = {**args, "kernel_size": (3, 3)}
    bias = ctconv.init_bias(plane, args_of_layer, seed=3)
    y, said = run(args)
    np.testing.assert_array_equal(y, np.broadcast_to(bias[:, None, None], y.shape))
    assert "bias by the dialect's initialiser" in said
    for y, said in (run(args, "-b", "none"), run({**args, "bias": False})):
        assert not y.any() and "no bias" in said
    np.save(tmp_path / "b.npy", np.ones(3, "float32"))
    assert (run(args, "-b", "b.npy")[0] == 1).all()
    if "CTCONV_CLI" in os.environ:
        words = ["run", plane, json.dumps(args), "-x", "x.npy", "-w", "w.npy", "-o", "z.npy", "--tiles"]
        subprocess.run([os.environ["CTCONV_CLI"], *words], check=True, cwd=tmp_path, stdout=subprocess.DEVNULL)
        np.testing.assert_array_equal(np.load(tmp_path / "z.npy"), run(args)[0])


def test_a_journal_shows_what_differs():
    told = _journal._told("x", {"path": "a" * 300 + "1" + "b" * 300}, {"path": "a" * 300 + "2" + "b" * 300})
    was, now = told.removeprefix("x was ").split(", is ")
    assert "a1b" in was and "a2b" in now and len(was) <= 66 and was.startswith("...") and was.endswith("...")
    assert _journal._told("y", [1, 2], [1, 3]) == "y was [1, 2], is [1, 3]"
    ends = _journal._told("x", "a" * 300, "a" * 300 + "z")
    assert "az" in ends
