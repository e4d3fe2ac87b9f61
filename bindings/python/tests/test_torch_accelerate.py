# SPDX-License-Identifier: Apache-2.0
"""ctconv.torch.accelerate: every transposed convolution of a model, in place and back. Skipped without torch."""

import copy
import importlib
import io
import pathlib
import pickle
import warnings

import pytest

import ctconv

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn.utils import parametrizations, parametrize  # noqa: E402

OURS = ctconv.torch.nn
X = torch.randn(2, 4, 6, 5, generator=torch.Generator().manual_seed(0))


class Plain(nn.ConvTranspose2d):
    """A user's subclass without a forward."""


class Doubled(nn.ConvTranspose2d):
    """One whose forward calls torch's."""

    def forward(self, input, output_size=None):  # noqa: A002
        return 2 * super().forward(input, output_size)


class Named(nn.ConvTranspose2d):
    """One that computes with the function: not reached."""

    def forward(self, input):  # noqa: A002
        return nn.functional.conv_transpose2d(input, self.weight, self.bias, self.stride)


def old_weight_norm(module):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.utils.weight_norm(module)


KINDS = {
    "exact": lambda: nn.ConvTranspose2d(4, 3, 3, stride=2),
    "subclass": lambda: Plain(4, 3, 3, stride=2),
    "own_forward": lambda: Doubled(4, 3, 3, stride=2),
    "weight_norm": lambda: parametrizations.weight_norm(nn.ConvTranspose2d(4, 3, 3, stride=2)),
    "old_weight_norm": lambda: old_weight_norm(nn.ConvTranspose2d(4, 3, 3, stride=2)),
    "spectral_norm": lambda: parametrizations.spectral_norm(nn.ConvTranspose2d(4, 3, 3, stride=2)).eval(),
    "normed_subclass": lambda: parametrizations.weight_norm(Doubled(4, 3, 3, stride=2)),
}


class Count:
    """How many calls reached libctconv."""

    def __enter__(self):
        from ctconv.torch import _engine

        self.calls, self._engine, self._run = 0, _engine, _engine.forward

        def run(*args):
            self.calls += 1
            return self._run(*args)

        _engine.forward = run
        return self

    def __exit__(self, *_):
        self._engine.forward = self._run


def model_of(kind, seed=3):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(4, 4, 1), KINDS[kind](), nn.ReLU())


def computed_by_us(model, x=X):
    with Count() as count:
        y = model(x)
    return count.calls, y


@pytest.mark.parametrize("kind", KINDS)
def test_swap_and_back(kind):
    model = model_of(kind)
    want, keys = model(X), list(model.state_dict())
    before = list(model.parameters())
    report = ctconv.torch.accelerate(model)
    assert report.swapped == ["1"] and len(report) == 1 and report["1"].swapped
    assert [a is b for a, b in zip(model.parameters(), before)] == [True] * len(before)
    own = parametrize.type_before_parametrizations
    assert list(model.state_dict()) == keys and issubclass(own(model[1]), own(model_of(kind)[1]))
    calls, y = computed_by_us(model)
    assert calls == 1
    torch.testing.assert_close(y, want)
    assert report.undo() == 1 and report.undo() == 0 and not report["1"].swapped
    calls, y = computed_by_us(model)
    assert calls == 0 and torch.equal(y, want)
    assert own(model[1]) is own(model_of(kind)[1])
    ctconv.torch.accelerate(model)
    ctconv.torch.accelerate(model)
    assert ctconv.torch.restore(model) == 1 and ctconv.torch.restore(model) == 0
    assert computed_by_us(model)[0] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_kept(kind):
    theirs, ours = model_of(kind), model_of(kind)
    ctconv.torch.accelerate(ours)
    for model in (theirs, ours):
        model(X).square().sum().backward()
    for (name, a), (_, b) in zip(theirs.named_parameters(), ours.named_parameters()):
        assert b.grad is not None, name
        torch.testing.assert_close(b.grad, a.grad, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_copies(kind):
    model = model_of(kind).eval().requires_grad_(False)  # torch copies no weight that the old norm has a graph of
    ctconv.torch.accelerate(model)
    want = model(X)
    twin = copy.deepcopy(model)
    calls, y = computed_by_us(twin)
    assert calls == 1 and torch.equal(y, want)
    assert ctconv.torch.restore(twin) == 1 and computed_by_us(model)[0] == 1  # the copy's class is its own affair
    if "norm" in kind and kind != "old_weight_norm":
        parametrize.remove_parametrizations(model[1], "weight")
        calls, y = computed_by_us(model)
        assert calls == 1
        torch.testing.assert_close(y, want)
        assert ctconv.torch.restore(model) == 1 and not parametrize.is_parametrized(model[1])
        return
    stored = io.BytesIO()
    torch.save(model, stored)
    stored.seek(0)
    for again in (pickle.loads(pickle.dumps(model)), torch.load(stored, weights_only=False)):
        calls, y = computed_by_us(again)
        assert calls == 1 and torch.equal(y, want) and type(again[1]) is type(model[1])
        assert ctconv.torch.restore(again) == 1 and type(again[1]) is type(model_of(kind)[1])


def test_weight_norm_afterwards():
    """Parametrized after the swap: still ours, and back."""
    model = model_of("exact")
    want = model(X)
    ctconv.torch.accelerate(model)
    parametrizations.weight_norm(model[1])
    calls, y = computed_by_us(model)
    assert calls == 1
    torch.testing.assert_close(y, want)
    assert ctconv.torch.restore(model) == 1
    calls, y = computed_by_us(model)
    assert calls == 0 and parametrize.is_parametrized(model[1])
    parametrize.remove_parametrizations(model[1], "weight")
    assert type(model[1]) is nn.ConvTranspose2d


def test_copies_that_share_a_parametrized_class():
    """torch's deepcopy shares the class; a swapped module has one of its own."""
    first = model_of("weight_norm")
    second = copy.deepcopy(first)
    want = first(X)
    ctconv.torch.accelerate(second)
    assert computed_by_us(first)[0] == 0 and computed_by_us(second)[0] == 1
    parametrize.remove_parametrizations(second[1], "weight")
    torch.testing.assert_close(first(X), want)


@pytest.mark.parametrize("kind", ["exact", "subclass", "own_forward", "weight_norm", "old_weight_norm"])
def test_compile_and_export(kind):
    model = model_of(kind).eval()
    want = model(X)
    ctconv.torch.accelerate(model)
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(model, backend="aot_eager", fullgraph=True)(X), want)
        program = torch.export.export(model, (X,))
    nodes = [str(node.target) for node in program.graph.nodes]
    assert sum("ctconv.conv_transpose" in name for name in nodes) == 1, nodes
    torch.testing.assert_close(program.module()(X), want)


def test_trace_and_fx():
    model = model_of("exact").eval()
    want = model(X)
    ctconv.torch.accelerate(model)
    graph = torch.fx.symbolic_trace(model)
    assert [n.target for n in graph.graph.nodes if n.op == "call_module"] == ["0", "1", "2"]
    calls, y = computed_by_us(graph)
    assert calls == 1
    torch.testing.assert_close(y, want)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(model, X)
    torch.testing.assert_close(traced(X), want)


def test_onnx_gets_its_own_operator(monkeypatch):
    """As torch's exporters say that they export: the graph then has torch's operator, which they translate."""
    model = model_of("exact").eval()
    ctconv.torch.accelerate(model)
    monkeypatch.setattr(torch.onnx, "is_in_onnx_export", lambda: True)
    program = torch.export.export(model, (X,), strict=False)
    names = [str(node.target) for node in program.graph.nodes]
    assert any("aten.conv_transpose2d" in name for name in names) and not any("ctconv" in name for name in names)


def test_onnx_export():
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    model = model_of("exact").eval()
    ctconv.torch.accelerate(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(model, (X,), dynamo=True, verbose=False)
    assert "ConvTranspose" in [node.op_type for node in program.model.graph]


def test_a_compiled_model_is_accelerated_and_given_back():
    model = model_of("exact").eval()
    compiled = torch.compile(model, backend="aot_eager")
    with torch.no_grad():
        want = compiled(X)
        assert ctconv.torch.accelerate(compiled).swapped == ["_orig_mod.1"]
        calls, y = computed_by_us(compiled)
        assert calls == 1
        torch.testing.assert_close(y, want)
        assert ctconv.torch.restore(compiled) == 1 and computed_by_us(compiled)[0] == 0


def test_a_pruned_layer():
    from torch.nn.utils import prune

    model = model_of("exact")
    prune.l1_unstructured(model[1], "weight", 0.5)
    want = model(X)
    ctconv.torch.accelerate(model)
    torch.testing.assert_close(model(X), want)
    prune.remove(model[1], "weight")
    calls, y = computed_by_us(model)
    assert calls == 1
    torch.testing.assert_close(y, want)


def test_devices_types_and_state():
    model = model_of("subclass")
    ctconv.torch.accelerate(model)
    for dtype in (torch.float64, torch.bfloat16):
        calls, y = computed_by_us(model.to(dtype), X.to(dtype))
        assert calls == 1 and y.dtype == dtype
    other = model_of("subclass", seed=4)
    model.float().load_state_dict(other.state_dict())
    torch.testing.assert_close(model(X), other(X))
    assert model.to("meta")(X.to("meta")).is_meta


FALLS_BACK = {
    "complex": (lambda m, x: (m.to(torch.complex64), x.to(torch.complex64)), "complex64"),
    "forward_mode": (lambda m, x: (m, x), "forward-mode"),
    "subclass": (lambda m, x: (m, x.as_subclass(Wrapping)), "Wrapping"),
}


class Wrapping(torch.Tensor):
    """A tensor class with a __torch_dispatch__ of its own, which knows no operator of ours."""

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        assert "ctconv" not in str(function)
        with torch._C._DisableTorchDispatch():
            return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", FALLS_BACK)
def test_what_is_left_to_torch(name):
    from ctconv.torch import _serves

    prepare, word = FALLS_BACK[name]
    model = nn.Sequential(nn.ConvTranspose2d(4, 3, 3))
    model, x = prepare(model, X)
    want = model(x)
    ctconv.torch.accelerate(model)
    _serves._said.clear()
    with torch.autograd.forward_ad.dual_level() if name == "forward_mode" else torch.no_grad():
        given = torch.autograd.forward_ad.make_dual(x, x) if name == "forward_mode" else x
        with pytest.warns(UserWarning, match=word):
            calls, y = computed_by_us(model, given)
        assert calls == 0
        if name == "forward_mode":
            y, tangent = torch.autograd.forward_ad.unpack_dual(y)
            assert tangent is not None
        torch.testing.assert_close(y.detach(), want.detach())
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # once only
            model(given)


def test_the_report():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.up, self.twice = nn.ConvTranspose2d(4, 4, 2, stride=2), Doubled(4, 4, 3)
            self.named, self.lazy = Named(4, 4, 3), nn.LazyConvTranspose1d(3, 3)
            self.complex = nn.ConvTranspose1d(2, 2, 3, dtype=torch.complex64)
            self.scripted = torch.jit.script(nn.ConvTranspose2d(4, 4, 3))
            self.drop = nn.Dropout(0.5)

        def forward(self, x, scale):
            return self.drop(self.scripted(self.named(self.twice(self.up(x))))) * scale

    net = Net()
    random = torch.random.get_rng_state()
    report = ctconv.torch.accelerate(net, (X, 2.0), rounds=2)
    assert torch.equal(torch.random.get_rng_state(), random) and net.training and net.drop.training
    rows = {row.name: row for row in report}
    assert set(rows) == {"up", "twice", "named", "lazy", "complex", "scripted"}
    up = rows["up"]
    assert up.x_shape == (2, 4, 6, 5) and up.y_shape == (2, 4, 12, 10) and up.speedup > 0
    assert up.difference <= 1e-5 * max(1, up.largest) and up.largest > 0
    assert not rows["lazy"].swapped and "lazy" in rows["lazy"].reason
    assert not rows["scripted"].swapped and "TorchScript" in rows["scripted"].reason
    assert rows["complex"].left and "complex64" in rows["complex"].reason
    assert "super().forward" in rows["twice"].reason
    text = str(report)
    for part in ("up", "2x4x6x5 -> 2x4x12x10", "torch ms", "lazy", "3 of 6", "complex64"):
        assert part in text, text
    assert 0 <= report.new_pages and "keep_malloc" not in text
    report.new_pages = 5000
    assert "5000 new pages" in str(report) and "ctconv.pool.keep_malloc()" in str(report)
    assert all(len(line) == len(line.rstrip()) for line in text.splitlines())
    assert report.undo() == 4 and "0 of 6" in str(report)
    assert str(ctconv.torch.accelerate(nn.Linear(1, 1))) == "no transposed convolution in this model"


def test_only_faster(monkeypatch):
    from ctconv.torch import _accelerate

    model = model_of("exact")
    seconds = iter([1.0, 2.0, 1.0, 2.0])
    monkeypatch.setattr(_accelerate, "_seconds", lambda module, call: next(seconds))
    report = ctconv.torch.accelerate(model, X, rounds=2, only_faster=True)
    assert report.swapped == [] and report["1"].speedup == 0.5 and type(model[1]) is nn.ConvTranspose2d


def timed(monkeypatch, seconds, **options):
    """The report of a model of one layer whose turns, torch's first, take so many seconds."""
    from ctconv.torch import _accelerate

    turns = iter(seconds)
    monkeypatch.setattr(_accelerate, "_seconds", lambda module, call: next(turns))
    return ctconv.torch.accelerate(model_of("exact"), X, **options)


def test_times_are_the_smallest_of_the_turns(monkeypatch):
    report = timed(monkeypatch, [0.003, 0.001, 0.9, 0.0011, 0.002, 0.5], rounds=3)  # two disturbed turns
    row = report["1"]
    assert (row.torch_ms, row.ctconv_ms, row.speedup) == (2.0, 1.0, 2.0)
    assert row.settled and "~" not in str(report) and "smallest of 3" not in str(report)


def test_the_report_says_where_the_times_do_not_separate(monkeypatch):
    monkeypatch.setattr("ctconv.torch._accelerate._LONGER", 0)
    report = timed(monkeypatch, [0.010, 0.004, 0.005, 0.012, 0.011, 0.013], rounds=3)
    row = report["1"]
    assert (row.torch_ms, row.ctconv_ms) == (5.0, 4.0) and not row.settled
    text = str(report)
    assert "~1.25" in text and "take them for equal" in text, text
    assert "up to 3.0 times" in text and "busy" in text, text


def test_turns_go_on_until_the_times_separate(monkeypatch):
    disturbed = [0.010, 0.004, 0.005, 0.012]
    report = timed(monkeypatch, disturbed + [0.005, 0.004] * 3, rounds=2)
    assert report["1"].settled and report["1"].rounds == 3


def test_a_failing_example_leaves_the_model_as_it_was():
    model = model_of("exact")
    with pytest.raises(RuntimeError):
        ctconv.torch.accelerate(model, X[:, :1])
    assert type(model[1]) is nn.ConvTranspose2d and not model[1]._forward_pre_hooks


def test_refused():
    with pytest.raises(TypeError, match=r"torch\.nn\.Module"):
        ctconv.torch.accelerate("model")
    with pytest.raises(TypeError, match=r"torch\.nn\.Module"):
        ctconv.torch.restore(ctconv.torch.ConvTranspose2d(2, 2, 2))
    with pytest.raises(ValueError, match="example"):
        ctconv.torch.accelerate(nn.ConvTranspose2d(2, 2, 2), only_faster=True)


def test_a_users_subclass_of_ours_is_not_restored():
    class Mine(OURS.ConvTranspose2d):
        pass

    module = Mine(4, 3, 3)
    assert ctconv.torch.accelerate(module).swapped == [""] and ctconv.torch.restore(module) == 0
    assert type(module) is Mine


def test_the_vocoder_of_the_example(monkeypatch):
    """Weight-normed throughout; every transposed convolution is swapped, and the sound is the same."""
    monkeypatch.syspath_prepend(str(pathlib.Path(__file__).resolve().parents[3] / "examples"))
    example = importlib.import_module("accelerate_models")
    torch.manual_seed(0)
    model, x = example.HiFiGan(width=32, kernels=(3,)).eval(), torch.randn(1, 80, 6)
    with torch.no_grad():
        want = model(x)
        report = ctconv.torch.accelerate(model, x, rounds=1)
        assert report.swapped == [f"ups.{i}" for i in range(4)] and all(row.speedup > 0 for row in report)
        with Count() as count:
            y, seconds, cpu, _ = example.run(model, x)
    assert count.calls == 4 and seconds > 0 and cpu > 0 and want.shape == (1, 1, 6 * 256)
    torch.testing.assert_close(y, want)


def test_a_parametrization_is_computed_once_a_call():
    class Twice(nn.Module):
        calls = 0

        def forward(self, w):
            Twice.calls += 1
            return 2 * w

    module = nn.ConvTranspose2d(4, 3, 3)
    parametrize.register_parametrization(module, "weight", Twice())
    want = module(X)
    ctconv.torch.accelerate(module)
    Twice.calls = 0
    torch.testing.assert_close(module(X), want)
    assert Twice.calls == 1


# ---- frozen weights --------------------------------------------------------------------------------------------------


def packings(monkeypatch):
    from ctconv.torch import _held

    made, pack = [], _held.Held._pack
    monkeypatch.setattr(_held.Held, "_pack", lambda self, *args: made.append(1) or pack(self, *args))
    return made


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16], ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_frozen_is_the_same(rank, dtype, monkeypatch):
    kind = getattr(nn, f"ConvTranspose{rank}d")
    torch.manual_seed(0)
    module = kind(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2, bias=rank != 2, dtype=dtype)
    x = torch.randn(2, 4, *[5, 4, 3][:rank]).to(dtype)
    made = packings(monkeypatch)
    with torch.no_grad():
        ctconv.torch.accelerate(module)
        shown = [module(given) for given in (x, x[0], x[:0], x.expand(2, *x.shape[1:]))]
        size = [n - 1 for n in shown[0].shape[2:]]
        sized = module(x, output_size=size) if rank == 2 else None
        assert ctconv.torch.restore(module) == 1
        assert ctconv.torch.accelerate(module, frozen=True)[""].frozen and not made
        with Count() as count:
            for given, want in zip((x, x[0], x[:0], x.expand(2, *x.shape[1:])), shown):
                for _ in range(2):
                    y = module(given)
                    assert torch.equal(y, want) and y.stride() == want.stride()
        assert count.calls == 0 and len(made) == 1
        if rank == 2:
            assert torch.equal(module(x, output_size=size), sized)
        with torch.inference_mode():
            assert module(x).is_inference()


def test_frozen_sees_what_torch_sees(monkeypatch):
    made = packings(monkeypatch)
    module, other = nn.ConvTranspose2d(4, 3, 3), nn.ConvTranspose2d(4, 3, 3)
    ctconv.torch.accelerate(module, frozen=True)
    optimiser = torch.optim.SGD(module.parameters(), 0.1)

    def step():
        with torch.enable_grad():
            module(X).square().mean().backward()
        optimiser.step()

    changes = [
        step,
        lambda: module.load_state_dict(other.state_dict()),
        lambda: module.bias.add_(1),
        lambda: module.double(),
        lambda: module.to(memory_format=torch.channels_last),
        lambda: torch.set_num_threads(1),
    ]
    before = torch.get_num_threads()
    try:
        with torch.no_grad():
            for i, change in enumerate(changes):
                change()
                x = X.to(module.weight.dtype)
                for _ in range(2):
                    y = module(x)
                torch.testing.assert_close(y, nn.ConvTranspose2d.forward(module, x))
                assert len(made) == i + 1
    finally:
        torch.set_num_threads(before)


def test_frozen_keeps_gradients_and_refusals():
    module = nn.ConvTranspose2d(4, 3, 3)
    ctconv.torch.accelerate(module, frozen=True)
    with Count() as count:
        module(X).sum().backward()
    assert count.calls == 1 and module.weight.grad is not None
    with torch.no_grad():
        for wrong in (X[:, :3], X.double(), X[0, 0]):
            with pytest.raises(RuntimeError) as caught:
                nn.ConvTranspose2d(4, 3, 3)(wrong)
            with pytest.raises(type(caught.value), match=".") as ours:
                module(wrong)
            assert str(ours.value) == str(caught.value)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert module(X).dtype == torch.bfloat16
        torch.testing.assert_close(torch.func.vmap(module)(X[None])[0], module(X))
        torch.testing.assert_close(torch.compile(module, backend="aot_eager", fullgraph=True)(X), module(X))
    x = X.clone().requires_grad_()
    module.requires_grad_(False)(x).sum().backward()
    assert x.grad is not None


def test_frozen_copies_and_thaws():
    module = nn.ConvTranspose2d(4, 3, 3)
    ctconv.torch.accelerate(module, frozen=True)
    with torch.no_grad():
        y = module(X)
        for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
            with Count() as count:
                assert torch.equal(twin(X), y)
            assert count.calls == 0
            twin.weight.zero_()
            assert not torch.equal(twin(X), y) and torch.equal(module(X), y)
        assert list(module.state_dict()) == ["weight", "bias"]
        ctconv.torch.restore(module)
        assert not [name for name in vars(module) if "ctconv" in name]
    normed = model_of("weight_norm")
    row = ctconv.torch.accelerate(normed, frozen=True)["1"]
    assert row.swapped and not row.frozen and "not frozen" in str(row.reason)
