# SPDX-License-Identifier: Apache-2.0
"""Calls past torch's dispatcher: taken where nothing of torch wants to see them, and nowhere else.

Skipped where torch is missing. The truth is the operator of _operators.py: the same bits, the same gradients.
"""

import copy

import pytest

import ctconv

torch = pytest.importorskip("torch")
pytest.importorskip("torch.utils._python_dispatch")
from torch.overrides import TorchFunctionMode  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

nn = ctconv.torch.nn
GEOMETRY = (2, 2), (1, 0), (1, 0), 1, (1, 2)
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def tensors(dtype=torch.float32, grad=False, bias=True):
    torch.manual_seed(5)
    made = torch.randn(2, 4, 5, 6), torch.randn(4, 3, 3, 2), torch.randn(3) if bias else None
    return [t if t is None else t.to(dtype).requires_grad_(grad) for t in made]


def direct(*args):
    from ctconv.torch._direct import direct as run

    return run(*args)


def operator(*args):
    from ctconv.torch import _operators

    return _operators._y(*args)


class Calls:
    """Counts the calls that go past the dispatcher, and those that the operator computes."""

    def __init__(self, monkeypatch):
        from ctconv.torch import _direct, _operators

        self.direct = self.through = 0
        run, through = _direct.direct, _operators.conv_transpose

        def count(*args):
            y = run(*args)
            self.direct += y is not None
            return y

        def count_through(*args):
            self.through += 1
            return through(*args)

        monkeypatch.setattr("ctconv.torch.nn.direct", count)
        monkeypatch.setattr("ctconv.torch.nn.functional.direct", count)
        monkeypatch.setattr(_operators, "conv_transpose", count_through)


@pytest.mark.parametrize("bias", (True, False))
@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_of_the_operator(dtype, bias):
    args = *tensors(dtype, bias=bias), *GEOMETRY
    for x in (args[0], args[0].contiguous(memory_format=torch.channels_last), args[0].flip(3)[:, :, ::2]):
        y, want = direct(x, *args[1:]), operator(x, *args[1:])
        assert torch.equal(y, want) and y.stride() == want.stride() and y.dtype == dtype
    with torch.inference_mode():
        made = args[0].clone()
        for x in (args[0], made):
            y = direct(x, *args[1:])
            assert y.is_inference() and torch.equal(y, operator(x, *args[1:]))
    assert not direct(made, *args[1:]).is_inference()


def test_gradients_of_the_operator():
    for dtype in (torch.float32, torch.float64):
        found = []
        for run in (direct, operator):
            args = tensors(dtype, grad=True)
            y = run(*args, *GEOMETRY)
            (y * torch.linspace(-1, 1, y.numel(), dtype=dtype).view_as(y)).sum().backward()
            found.append([t.grad for t in args])
        assert all(map(torch.equal, *found))
    for frozen in range(3):
        args = tensors(grad=True)
        args[frozen].requires_grad_(False)
        direct(*args, *GEOMETRY).sum().backward()
        assert [t.grad is None for t in args] == [i == frozen for i in range(3)]
    with torch.no_grad():
        assert not direct(*tensors(grad=True), *GEOMETRY).requires_grad


def test_second_derivatives():
    torch.manual_seed(1)
    shapes = (1, 2, 3), (2, 2, 3), (2,)
    args = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]

    def run(x, w, b):
        y = direct(x, w, b, (2,), (1,), (1,), 1, (1,))
        assert y is not None
        return y

    assert torch.autograd.gradcheck(run, args) and torch.autograd.gradgradcheck(run, args)
    grads = torch.autograd.grad(run(*args).sum(), args[0], is_grads_batched=False, create_graph=True)
    assert grads[0].requires_grad


def test_modules_and_functions_take_it(monkeypatch):
    module, x = nn.ConvTranspose2d(4, 3, 3, stride=2), tensors()[0]
    calls = Calls(monkeypatch)
    module(x), nn.functional.conv_transpose2d(x, module.weight, module.bias, (2, 2), (0, 0), (0, 0), 1, (1, 1))
    with torch.no_grad():
        module(x), copy.deepcopy(module)(x)
    assert (calls.direct, calls.through) == (4, 0)
    module(x[0]), module(x, output_size=(11, 13))  # no batch; an output_size
    assert (calls.direct, calls.through) == (4, 2)


class Dispatch(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


class Function(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


MOMENTS = {
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "dispatch mode": Dispatch,
    "function mode": Function,
    "default device": lambda: torch.device("cpu"),
    "profiler": lambda: torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]),
    "forward mode": torch.autograd.forward_ad.dual_level,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_moments_in_which_torch_wants_to_see_the_call(moment):
    args = *tensors(), *GEOMETRY
    with MOMENTS[moment]():
        assert direct(*args) is None
    assert direct(*args) is not None


def test_transforms_and_tracers():
    x, w, b = tensors()
    seen = []

    def look(x):
        seen.append(direct(x, w, b, *GEOMETRY) is None)
        return nn.functional.conv_transpose2d(x, w, b, *[(2, 2), (1, 0), (1, 0)], 1, (1, 2))

    def sum_of(x):
        return look(x).sum()

    want = look(x)
    assert seen.pop() is False
    assert torch.allclose(torch.func.vmap(look)(x[None])[0], want, atol=1e-5)
    torch.func.grad(sum_of)(x)
    torch.jit.trace(look, x, check_trace=False)
    assert seen and all(seen)


def test_tensors_that_are_not_what_their_memory_holds():
    x, w, b = tensors()
    lazy = torch.imag(torch.complex(x, x).conj())
    assert lazy.is_neg() and direct(lazy, w, b, *GEOMETRY) is None
    assert torch.equal(
        nn.functional.conv_transpose2d(lazy, w, b, *GEOMETRY),
        nn.functional.conv_transpose2d(-x, w, b, *GEOMETRY),
    )

    class Own(torch.Tensor):
        pass

    others = x.as_subclass(Own), torch._efficientzerotensor(x.shape), x.to("meta"), x.to(torch.int32), x.to_mkldnn()
    for other in others:
        assert direct(other, w, b, *GEOMETRY) is None
    for other in (w.as_subclass(Own), torch._efficientzerotensor(w.shape)):
        assert direct(x, other, b, *GEOMETRY) is None
    assert direct(x, w, b.as_subclass(Own), *GEOMETRY) is None and direct(x, None, b, *GEOMETRY) is None


def test_what_is_refused_is_refused_by_torch():
    x, w, b = tensors()
    for args in ((x[:, :3], w, b), (x, w.double(), b), (x, w, b[:2]), (x[0], w, b), (x, w[0], b)):
        assert direct(*args, *GEOMETRY) is None
    module = nn.ConvTranspose2d(4, 3, 3, stride=2)
    module(x)
    for wrong in ((True, 2), (2.0, 2)):  # equal to what was computed before
        module.stride = wrong
        theirs = torch.nn.ConvTranspose2d(4, 3, 3)
        theirs.stride = wrong
        found = []
        for one in (module, theirs):
            try:
                found.append(one(x).shape)
            except (TypeError, RuntimeError) as error:
                found.append(type(error))
        assert found[0] == found[1]
    module.stride, module.padding_mode = (2, 2), "reflect"
    with pytest.raises(ValueError, match="zeros"):
        module(x)


def test_the_profiler_still_names_the_operator():
    module, x = nn.ConvTranspose2d(4, 3, 3, stride=2), tensors()[0]
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        module(x)
    assert any("ctconv::conv_transpose" in event.key for event in profile.key_averages())


def test_a_torch_without_these_questions(monkeypatch):
    from ctconv.torch import _at_rest

    monkeypatch.setattr(_at_rest, "_STATES", frozenset())
    x, w, b = tensors(grad=True)
    assert direct(x, w, b, *GEOMETRY) is None
    y = nn.functional.conv_transpose2d(x, w, b, *GEOMETRY)
    y.sum().backward()
    assert w.grad is not None


@pytest.mark.parametrize("last", [False, True], ids=["rows", "channels last"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gradients_of_one_call_are_those_of_each(dtype, bias, last, monkeypatch):
    from ctconv.torch import _engine, _operators

    calls, together = [], _engine.grads
    monkeypatch.setattr(_engine, "grads", lambda *args: calls.append(1) or together(*args))
    x, w, b = tensors(dtype, grad=True, bias=bias)
    if last:
        x = x.detach().to(memory_format=torch.channels_last).requires_grad_()
    wanted = [t for t in (x, w, b) if t is not None]
    y = direct(x, w, b, *GEOMETRY)
    g = torch.randn(y.shape).to(dtype)

    def gradients(**options):
        return torch.autograd.grad(y, wanted, g, retain_graph=True, **options)

    for grads in (gradients(), gradients()):  # the second by records that are known
        one = grads
    assert len(calls) == 2
    with_graph = gradients(create_graph=True)  # each keeps its own graph
    assert len(calls) == 2 and all(t.requires_grad for t in with_graph[:2])
    monkeypatch.setattr(_operators, "_all_direct", lambda *_: False)
    for a, c, d in zip(one, gradients(), with_graph):
        assert torch.equal(a, c) and torch.equal(a, d) and a.stride() == c.stride() and a.dtype == c.dtype
    assert len(calls) == 2
