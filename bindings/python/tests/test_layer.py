# SPDX-License-Identifier: Apache-2.0
"""Layer: options, weights with the call, shapes asked ahead, threads, runners, lifetimes."""

import copy
import gc
import inspect
import os
import pickle
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import ctconv
from problems import biases, integers, scatter, weights

TORCH = "torch.nn.ConvTranspose3d"
ARGS = {
    "in_channels": 4,
    "out_channels": 6,
    "kernel_size": (2, 3, 3),
    "stride": (1, 2, 2),
    "groups": 2,
    "padding": (0, 1, 1),
}
X, W, B = integers((2, 4, 3, 5, 4)), weights((4, 3, 2, 3, 3)), biases((6,))
WANT = scatter(X, W, B, stride=(1, 2, 2), padding=(0, 1, 1), groups=2)


def refused(name, function, *args, **kwargs):
    with pytest.raises(ctconv.Error) as caught:
        function(*args, **kwargs)
    assert caught.value.name == "CTCONV_ERR_" + name, str(caught.value)
    return caught.value


def layer_of(**options):
    return ctconv.Layer(TORCH, ARGS, W, B, **options)


def test_every_engine():
    for engine in ["auto", *ctconv.engines()]:
        try:
            y = layer_of(engine=engine)(X)
        except ctconv.Error as error:
            assert error.kind in (4, 6) or (engine.startswith("cud") and error.kind == 7), (engine, str(error))
            continue
        np.testing.assert_array_equal(y, WANT)


@pytest.mark.parametrize(
    "options",
    [
        {"threads": 1},
        {"threads": 3},
        {"device": "cpu"},
        {"reproducible": True},
        {"reproducible": 2},
        {"reproducible": np.True_, "math": 1},
        {"reproducible": False, "math": 0},
        {"tuning": "measure"},
        {"tuning": None},
        {"workspace_limit": 1},
        {"workspace_limit": 10**9},
        {"plan_limit": 1},
        {"allow_tf32": True},
        {"borrow_weights": True},
        {"engine": "native", "threads": 2, "reproducible": True, "plan_limit": 3},
    ],
    ids=str,
)
def test_options_that_change_no_number(options):
    layer = layer_of(**options)
    for _ in range(3):
        np.testing.assert_array_equal(layer(X), WANT)


@pytest.mark.parametrize(
    "options,want",
    [
        ({"activation": "relu"}, np.maximum(WANT, 0)),
        ({"activation": "leaky_relu", "activation_alpha": 0.25}, np.where(WANT < 0, 0.25 * WANT, WANT)),
        ({"activation": "clip", "activation_alpha": -3, "activation_beta": 5}, np.clip(WANT, -3, 5)),
        ({"activation": "tanh"}, np.tanh(WANT)),
        ({"activation": "sigmoid"}, 1 / (1 + np.exp(-WANT))),
        ({"activation": "none"}, WANT),
        ({"activation": 1}, np.maximum(WANT, 0)),
    ],
    ids=str,
)
def test_activations(options, want):
    np.testing.assert_allclose(layer_of(**options)(X), want, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "name,options",
    [
        ("MISUSE_ENGINE", {"engine": "warp"}),
        ("MISUSE_ENGINE", {"engine": 3}),
        ("MISUSE_DEVICE", {"device": "tpu"}),
        ("MISUSE_DEVICE", {"device": "cpu\0"}),
        ("MISUSE_OPTION", {"threads": -1}),
        ("MISUSE_OPTION", {"reproducible": 3}),
        ("MISUSE_OPTION", {"reproducible": 2.0}),
        ("MISUSE_OPTION", {"math": 2}),
        ("MISUSE_OPTION", {"math": "fast"}),
        ("MISUSE_OPTION", {"threads": 2**40}),
        ("MISUSE_OPTION", {"threads": "2"}),
        ("MISUSE_OPTION", {"plan_limit": -1}),
        ("MISUSE_OPTION", {"workspace_limit": -1}),
        ("MISUSE_OPTION", {"workspace_limit": 1.5}),
        ("MISUSE_OPTION", {"tuning": "always"}),
        ("MISUSE_OPTION", {"tuning": 7}),
        ("MISUSE_ACTIVATION", {"activation": "gelu"}),
        ("MISUSE_ACTIVATION", {"activation": 17}),
        ("MISUSE_ACTIVATION", {"activation": []}),
        ("MISUSE_OPTION", {"activation": "leaky_relu", "activation_alpha": "x"}),
        ("MISUSE_ACTIVATION", {"activation": "clip", "activation_alpha": 2, "activation_beta": 1}),
        ("MISUSE_RUNNER", {"runner": print}),
    ],
    ids=str,
)
def test_options_refused(name, options):
    refused(name, layer_of, **options)


@pytest.mark.parametrize(
    "kind,options",
    [
        (ValueError, {"engine": "onednnn"}),
        (ValueError, {"device": "tpu"}),
        (ValueError, {"threads": -1}),
        (ValueError, {"threads": 2**40}),
        (ValueError, {"activation": "gelu"}),
        (ValueError, {"tuning": "always"}),
        (ValueError, {"workspace_limit": -1}),
        (TypeError, {"engine": 3}),
        (TypeError, {"threads": "2"}),
        (TypeError, {"workspace_limit": 1.5}),
        (TypeError, {"runner": print}),
        (TypeError, {"activation_alpha": []}),
    ],
    ids=str,
)
def test_options_are_type_or_value_errors(kind, options):
    with pytest.raises(kind) as caught:
        layer_of(**options)
    assert isinstance(caught.value, ctconv.Error) and caught.value.kind == 7


def test_other_mistakes_are_type_or_value_errors():
    mistakes = (
        (ValueError, lambda: ctconv.Layer("torch.nn.Linear", {}, None)),
        (TypeError, lambda: layer_of()(X, weight=W)),
        (TypeError, lambda: ctconv.Layer(TORCH, ARGS, None)(X)),
        (TypeError, lambda: layer_of()(X, out=[1])),
        (ValueError, lambda: layer_of()(X, out=np.zeros((1, 2), "f4"))),
        (TypeError, lambda: layer_of()(X, out=WANT)),
    )
    for kind, call in mistakes:
        with pytest.raises(kind) as caught:
            call()
        assert isinstance(caught.value, ctconv.Error) and type(caught.value).__module__ == "ctconv"


def test_unknown_option_is_a_type_error():
    with pytest.raises(TypeError):
        layer_of(colour=1)


def test_weight_with_the_call():
    layer = ctconv.Layer(TORCH, ARGS, None)
    for _ in range(2):
        np.testing.assert_array_equal(layer(X, weight=W, bias=B), WANT)
        np.testing.assert_array_equal(layer(X, weight=W), scatter(X, W, stride=(1, 2, 2), padding=(0, 1, 1), groups=2))
    assert layer.output_shape(X.shape) == WANT.shape
    assert layer.output_shape(X.shape, weight=W) == WANT.shape
    refused("MISUSE_WEIGHT_MISSING", layer, X)
    refused("MISUSE_WEIGHT_TWICE", layer_of(), X, weight=W)
    refused("SHAPE_WEIGHT_SHAPE", layer, X, weight=W[:2])
    refused("TYPE_DTYPE_MISMATCH", layer, X, weight=W.astype("f8"))


def test_weights_are_copied_unless_borrowed():
    w, b = W.copy(), B.copy()
    layer = ctconv.Layer(TORCH, ARGS, w, b)
    w[...] = b[...] = 0
    np.testing.assert_array_equal(layer(X), WANT)
    borrowed = ctconv.Layer(TORCH, ARGS, W.copy(), B.copy(), borrow_weights=True)  # the layer alone holds them
    np.testing.assert_array_equal(borrowed(X), WANT)


def test_shapes_asked_ahead():
    layer = layer_of()
    assert layer.output_shape(X.shape) == layer.output_shape(list(X.shape)) == WANT.shape
    assert layer.output_shape(X.shape[1:]) == WANT.shape[1:]
    assert layer.prepare(X.shape) >= 0
    refused("SHAPE_INPUT_RANK", layer.output_shape, (1, 2))
    refused("SHAPE_INPUT_CHANNELS", layer.output_shape, (1, 5, 3, 5, 4))
    refused("SHAPE_OUTPUT_OVERFLOW", layer.output_shape, (1, 4, 2**200, 5, 4))
    for shape in (None, 3, ("a",), (1.5,)):
        with pytest.raises(TypeError):
            layer.output_shape(shape)


def test_output_size():
    layer = ctconv.Layer(
        "torch.nn.ConvTranspose1d",
        {"in_channels": 1, "out_channels": 1, "kernel_size": 3, "stride": 2},
        weights((1, 1, 3)),
    )
    x = integers((1, 1, 5))
    for size in (11, 12):
        for _ in range(2):
            y = layer(x, output_size=[size])
            assert y.shape == (1, 1, size) == layer.output_shape(x.shape, output_size=[size])
    assert layer(x, output_size=None).shape == (1, 1, 11)
    assert layer(x, [12]).shape == (1, 1, 12)
    refused("VALUE_OUTPUT_SIZE_RANGE", layer, x, output_size=[13])
    refused("TYPE_OUTPUT_SIZE", layer, x, output_size=12)
    other = ctconv.Layer(
        "mindspore.nn.Conv3dTranspose",
        {"in_channels": 4, "out_channels": 6, "kernel_size": 3},
        weights((4, 6, 3, 3, 3)),
    )
    refused("TYPE_ARGUMENT_NAME", other, X, output_size=(3, 5, 4))


def test_describe():
    layer = layer_of(engine="native")
    assert layer.describe(X.shape).startswith("engine: native\n")
    for key in ("problem", "flop", "workspace_bytes", "threads"):
        assert f"\n{key}: " in layer.describe(X.shape)
    assert TORCH in layer.describe()
    assert TORCH in repr(layer)


def test_call_signatures():
    assert list(inspect.signature(ctconv.Layer).parameters)[:4] == ["dialect", "args", "weight", "bias"]
    with pytest.raises(TypeError):
        layer_of()(X, colour=1)


def test_many_shapes():
    layer = ctconv.Layer(
        "torch.nn.ConvTranspose1d",
        {"in_channels": 2, "out_channels": 2, "kernel_size": 3},
        weights((2, 2, 3)),
        plan_limit=4,
    )
    for n in [*range(1, 150), *range(1, 150)]:
        x = integers((1, 2, n))
        np.testing.assert_array_equal(layer(x), scatter(x, weights((2, 2, 3))))


def test_many_threads():
    layer = layer_of(threads=1)
    inputs = [X + i for i in range(8)] + [X[:, :, :, :i] + i for i in range(2, 5)]
    want = [scatter(x, W, B, stride=(1, 2, 2), padding=(0, 1, 1), groups=2) for x in inputs]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            for y, w in zip(pool.map(layer, inputs), want):
                np.testing.assert_array_equal(y, w)


def test_interpreter_lock_is_released():
    layer = ctconv.Layer(
        "torch.nn.ConvTranspose2d",
        {"in_channels": 64, "out_channels": 64, "kernel_size": 5},
        weights((64, 64, 5, 5)),
        engine="reference",
        threads=1,
    )
    x, seen, done = integers((1, 64, 96, 96)), [], threading.Event()

    def tick():
        while not done.is_set():
            seen.append(time.perf_counter())
            time.sleep(0.001)

    ticker = threading.Thread(target=tick)
    ticker.start()
    start = time.perf_counter()
    layer(x)
    end = time.perf_counter()
    done.set()
    ticker.join()
    inside = [t for t in seen if start < t < end]
    assert end - start < 0.02 or len(inside) > 3, (end - start, len(inside))


class TestRunner:
    """The caller's threads. The layer is large enough to be worth splitting:
    a small one may run on the calling thread alone."""

    X, W = integers((2, 16, 40, 40)), weights((16, 16, 3, 3))
    WANT = scatter(X, W, stride=2)

    def layer(self, runner):
        return ctconv.Layer(
            "torch.nn.ConvTranspose2d",
            {"in_channels": 16, "out_channels": 16, "kernel_size": 3, "stride": 2},
            self.W,
            runner=runner,
        )

    def test_sequential(self):
        counts = []

        def run(count, task):
            counts.append(count)
            for i in range(count):
                task(i, 0)

        np.testing.assert_array_equal(self.layer(ctconv.Runner(run, workers=2))(self.X), self.WANT)
        assert counts and sum(counts) > 0

    def test_executor(self):
        with ThreadPoolExecutor(3) as pool:

            def run(count, task):
                def work(worker):
                    for i in range(worker, count, 3):
                        task(i, worker)

                list(pool.map(work, range(3)))

            layer = self.layer(ctconv.Runner(run, workers=3))
            for _ in range(5):
                np.testing.assert_array_equal(layer(self.X), self.WANT)

    def test_that_raises(self):
        def run(count, task):
            raise RuntimeError("no thread today")

        error = refused("MISUSE_RUNNER", self.layer(ctconv.Runner(run, workers=2)), self.X)
        assert "no thread today" in str(error.__cause__)

    def test_one_worker_is_the_calling_thread(self):
        calls = []
        layer = self.layer(ctconv.Runner(lambda count, task: calls.append(count), workers=1))
        np.testing.assert_array_equal(layer(self.X), self.WANT)
        assert calls == []

    def test_that_forgets_a_task(self):
        refused("MISUSE_RUNNER", self.layer(ctconv.Runner(lambda count, task: None, workers=2)), self.X)

    def test_without_workers(self):
        refused("MISUSE_RUNNER", self.layer, ctconv.Runner(lambda count, task: None, workers=0))


def test_after_fork():
    layer = layer_of()
    layer(X)
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(layer(X), WANT) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_copies_share_the_op():
    for how in (copy.copy, copy.deepcopy):
        layer = layer_of()
        twin = how(layer)
        assert twin._op is layer._op
        del layer
        np.testing.assert_array_equal(twin(X), WANT)


def clone(layer):
    return pickle.loads(pickle.dumps(layer))


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, clone])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"borrow_weights": True},
        {"engine": "reference", "threads": 1, "activation": "relu", "plan_limit": 2},
    ],
    ids=str,
)
def test_copies(how, options):
    w, b = W.copy(), B.copy()
    layer = layer_of(**options) if not options else ctconv.Layer(TORCH, ARGS, w, b, **options)
    if "borrow_weights" not in options:
        w[...] = b[...] = 0  # the layer's own copy is what is copied
    layer.note = ["mine"]
    twin = how(layer)
    want = np.maximum(WANT, 0) if "activation" in options else WANT
    for _ in range(2):
        np.testing.assert_array_equal(twin(X), want)
    assert repr(twin) == repr(layer) and twin.note == ["mine"] and (twin.note is layer.note) == (how is copy.copy)
    assert twin.describe(X.shape) == layer.describe(X.shape)


def test_a_deep_copy_needs_no_lender():
    w = W.copy()
    layer = ctconv.Layer(TORCH, ARGS, w, B, borrow_weights=True)
    twins = [copy.deepcopy(layer), clone(layer)]
    w[...] = 0
    for twin in twins:
        np.testing.assert_array_equal(twin(X), WANT)


def test_pickles_of_other_layers():
    np.testing.assert_array_equal(clone(ctconv.Layer(TORCH, ARGS, None))(X, weight=W, bias=B), WANT)
    broadcast = np.broadcast_to(np.float32(1), W.shape)
    ones = ctconv.Layer(TORCH, ARGS, np.ones_like(W))(X)
    np.testing.assert_array_equal(clone(ctconv.Layer(TORCH, ARGS, broadcast))(X), ones)
    half = ctconv.Layer(TORCH, ARGS, W.astype("f2")[:, :, ::-1], B.astype("f2"))
    np.testing.assert_array_equal(clone(half)(X.astype("f2")), half(X.astype("f2")))
    args = {name: list(value) if isinstance(value, tuple) else value for name, value in ARGS.items()}
    layer = ctconv.Layer(TORCH, args, W, B)
    args["stride"][0] = 5
    np.testing.assert_array_equal(clone(layer)(X), WANT)

    class Mine(ctconv.Layer):
        def __init__(self):
            super().__init__(TORCH, ARGS, W, B)

    globals()["Mine"], Mine.__qualname__ = Mine, "Mine"
    assert type(clone(Mine())) is Mine
    np.testing.assert_array_equal(clone(Mine())(X), WANT)


def test_a_huge_broadcast_weight_is_judged_before_it_is_copied():
    refused("SHAPE_WEIGHT_SHAPE", ctconv.Layer, TORCH, ARGS, np.broadcast_to(np.float32(1), (2**20, 2**20, 1, 1, 1)))


def test_a_runner_is_pickled_by_its_function():
    runner = ctconv.Runner(in_turn, workers=2)
    layer = ctconv.Layer(TORCH, ARGS, W, B, runner=runner)
    for twin in (copy.copy(layer), copy.deepcopy(layer), clone(layer)):
        np.testing.assert_array_equal(twin(X), WANT)
    assert copy.deepcopy(layer)._runner is runner


def in_turn(count, task):
    for i in range(count):
        task(i, 0)


@pytest.mark.parametrize("how", [lambda cls: cls.__new__(cls), lambda cls: cls.__new__(cls).__del__()])
def test_a_half_made_object_dies_quietly(how, capfd):
    from ctconv._desc import Descriptor
    from ctconv._layer import _Op

    for cls in (_Op, Descriptor):
        how(cls)
    gc.collect()
    assert capfd.readouterr().err == ""


def test_shutdown_is_quiet():
    code = (
        "import ctconv, numpy, sys\n"
        "desc = ctconv._desc.Descriptor('torch.nn.ConvTranspose1d', {})\n"
        "args = dict(in_channels=1, out_channels=1, kernel_size=1)\n"
        "layer = ctconv.Layer('torch.nn.ConvTranspose1d', args, numpy.ones((1, 1, 1), 'f4'))\n"
        "sys.kept = [desc, layer]\n"
        "for name in ('_abi', '_desc', '_layer'): vars(sys.modules['ctconv.' + name]).clear()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_one_new_shape_forgets_one():
    args = {"in_channels": 1, "out_channels": 1, "kernel_size": 1}
    layer = ctconv.Layer("torch.nn.ConvTranspose1d", args, weights((1, 1, 1)))
    for n in range(1, 100):
        layer(integers((1, 1, n)))
    assert len(layer._slots) > 60


def test_a_fitting_workspace_is_found_behind_a_smaller_one():
    from ctconv import _workspace as room

    before, room.workspaces[:] = room.workspaces[:], [room.Workspace(4096), room.Workspace(64)]
    try:
        large, small = room.workspaces
        assert room.take_workspace(1000) is large and room.workspaces == [small]
        room.workspaces.append(large)
        assert room.take_workspace(5000).bytes == 5000 and room.workspaces == [small]
    finally:
        room.workspaces[:] = before


@pytest.mark.parametrize(
    "dialect,args",
    [
        ("torch.nn.ConvTranspose3d", {**ARGS, "bias": True}),
        ("torch.nn.ConvTranspose3d", {**ARGS, "bias": np.True_}),
        (
            "mindspore.nn.Conv3dTranspose",
            {"in_channels": 4, "out_channels": 6, "kernel_size": (2, 3, 3), "group": 2, "has_bias": True},
        ),
    ],
    ids=["torch", "numpy_bool", "mindspore"],
)
def test_a_forgotten_bias(dialect, args):
    layer = ctconv.Layer(dialect, args, W)
    for given in (layer, pickle.loads(pickle.dumps(layer))):
        with pytest.warns(ctconv.ForgottenBias, match="init_bias"):
            y = given(X)
        np.testing.assert_array_equal(y, given(X))  # said once
        np.testing.assert_array_equal(y, given(X, bias=np.zeros_like(B)))
        assert given(X, bias=B).shape == ctconv.Layer(dialect, args, W, B)(X).shape
    np.testing.assert_array_equal(layer(X, bias=B), ctconv.Layer(dialect, args, W, B)(X))
    assert layer.output_shape(X.shape)  # a question about shapes needs none


def test_a_bias_that_only_the_default_asks_for():
    np.testing.assert_array_equal(ctconv.Layer(TORCH, ARGS, W)(X), scatter(X, W, None, (1, 2, 2), (0, 1, 1), groups=2))
    up = ctconv.mindspore.nn.Conv2dTranspose(2, 3, 3, has_bias=True)
    y = up(integers((1, 2, 4, 4)))
    up.bias = None  # taken away on purpose
    assert up(integers((1, 2, 4, 4))).shape == y.shape


def test_returns_is_judged():
    for wrong, kind in (("tensor", ValueError), (None, TypeError), (True, TypeError)):
        with pytest.raises(kind, match="returns"):
            layer_of(returns=wrong)
    np.testing.assert_array_equal(layer_of(returns="like")(X), WANT)


def test_overhead():
    """A call of a known shape costs little beside the C call; generous, since machines are shared."""
    layer = ctconv.Layer(
        "torch.nn.ConvTranspose1d",
        {"in_channels": 1, "out_channels": 1, "kernel_size": 1},
        weights((1, 1, 1)),
        threads=1,
    )
    x = integers((1, 1, 4))
    layer(x)
    best = min(_timed(layer, x) for _ in range(200))
    assert best < 200e-6, best


def _timed(layer, x):
    start = time.perf_counter()
    layer(x)
    return time.perf_counter() - start
