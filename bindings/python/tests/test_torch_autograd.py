# SPDX-License-Identifier: Apache-2.0
"""ctconv.torch.nn: gradients of any order, and the ways torch looks at an operator (opcheck, compile, export, func).

Skipped where torch is missing; OpInfo's samples where expecttest is. Values and refusals are in test_torch_nn.py.
"""

import itertools
import threading

import pytest

import ctconv
from test_torch_nn import FORMATS, GEOMETRIES, RANKS, data, nn, pair, same, torch

operators = torch.ops.ctconv


def functional(rank, where=nn.functional):
    return getattr(where, f"conv_transpose{rank}d")


# ---- OpInfo's samples ----------------------------------------------------------------------------------------------


def samples(rank, dtype=torch.float64):
    db = pytest.importorskip("torch.testing._internal.common_methods_invocations", reason="needs expecttest").op_db
    info = next(op for op in db if op.name == f"nn.functional.conv_transpose{rank}d")
    torch.manual_seed(0)
    return list(info.sample_inputs("cpu", dtype, requires_grad=True))


def leaves(sample):
    return [one for one in (sample.input, *sample.args, *sample.kwargs.values()) if isinstance(one, torch.Tensor)]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("rank", RANKS)
def test_samples_of_opinfo(rank, dtype):
    found = samples(rank, dtype)
    assert len(found) >= 6
    for sample in found:
        y, want = (
            run(sample.input, *sample.args, **sample.kwargs)
            for run in (functional(rank), functional(rank, torch.nn.functional))
        )
        same(y, want)
        g = torch.randn_like(want)
        tensors = leaves(sample)
        for got, expected in zip(torch.autograd.grad(y, tensors, g), torch.autograd.grad(want, tensors, g)):
            same(got, expected)


@pytest.mark.parametrize("rank", RANKS)
def test_gradcheck_over_samples_of_opinfo(rank):
    for sample in samples(rank):
        tensors = leaves(sample)
        if sum(tensor.numel() for tensor in tensors) > 2000:
            continue  # fast_mode would still take seconds

        def run(x, weight, *bias, sample=sample):
            args = list(sample.args)
            kwargs = dict(sample.kwargs)
            args[0] = weight
            if bias and "bias" in kwargs:
                kwargs["bias"] = bias[0]
            elif bias:
                args[1] = bias[0]
            return functional(rank)(x, *args, **kwargs)

        assert torch.autograd.gradcheck(run, tensors, fast_mode=True)
        assert torch.autograd.gradgradcheck(run, tensors, fast_mode=True)


# ---- our own problems, every element of the Jacobians ----------------------------------------------------------------

SMALL = {1: (3,), 2: (3, 2), 3: (2, 1, 2)}


@pytest.mark.parametrize("rank,geometry", list(itertools.product(RANKS, GEOMETRIES)), ids=str)
def test_gradcheck(rank, geometry):
    torch.manual_seed(1)
    groups = geometry.get("groups", 1)
    kernel = 3 if rank == 1 or geometry.get("padding") == 2 else 2
    x = torch.randn(2, 2, *SMALL[rank], dtype=torch.float64, requires_grad=True)
    w = torch.randn(2, 1, *[kernel] * rank, dtype=torch.float64, requires_grad=True)
    b = torch.randn(groups, dtype=torch.float64, requires_grad=True)
    call = {name: value for name, value in geometry.items() if name != "bias"}
    if geometry.get("padding") == 2:
        call["padding"] = 1  # as much as these sizes bear
    tensors = (x, w, b) if geometry.get("bias", True) else (x, w, None)

    def run(*given):
        return functional(rank)(*given, **call)

    assert torch.autograd.gradcheck(run, tensors)
    assert torch.autograd.gradgradcheck(run, tensors, fast_mode=rank == 3)


@pytest.mark.parametrize("rank", RANKS)
def test_third_derivatives(rank):
    theirs, ours = pair(rank, 2, 3, 2, stride=2, dtype=torch.float64)
    results = []
    for module in (theirs, ours):
        x = data(rank, channels=2, dtype=torch.float64).requires_grad_()
        out = (module(x) ** 4).sum()
        for _ in range(2):
            parts = torch.autograd.grad(out, [x, module.weight, module.bias], create_graph=True)
            out = sum((part**2).sum() for part in parts)
        results.append(torch.autograd.grad(out, [x, module.weight, module.bias]))
    for got, want in zip(results[1], results[0]):
        torch.testing.assert_close(got, want, rtol=1e-10, atol=0)


# ---- only what is wanted ---------------------------------------------------------------------------------------------


class Recorder(torch.utils._python_dispatch.TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.namespace == "ctconv":
            wanted = args[4:6] if "grad_weight" in str(func) else ()
            self.calls.append((func._schema.name.partition("::")[2], *wanted))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("wants", list(itertools.product((False, True), repeat=3)), ids=str)
def test_only_what_is_wanted_is_computed(wants):
    x, w, b = torch.randn(2, 4, 5), torch.randn(4, 3, 3), torch.randn(3)
    tensors = [t.requires_grad_(want) for t, want in zip((x, w, b), wants)]
    with Recorder() as recorder:
        y = nn.functional.conv_transpose1d(*tensors)
        assert y.requires_grad == any(wants)
        if any(wants):
            y.sum().backward()
    expected = [("conv_transpose",)]
    if wants[0]:
        expected.append(("conv_transpose_grad_input",))
    if wants[1] or wants[2]:
        expected.append(("conv_transpose_grad_weight", wants[1], wants[2]))
    assert recorder.calls == expected
    other = [t.detach().clone().requires_grad_(want) for t, want in zip(tensors, wants)]
    if any(wants):
        torch.nn.functional.conv_transpose1d(*other).sum().backward()
    for mine, theirs in zip(tensors, other):
        assert (mine.grad is None) == (theirs.grad is None)
        if mine.grad is not None:
            torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-4, atol=1e-4)
    with torch.no_grad():
        assert not nn.functional.conv_transpose1d(*tensors).requires_grad


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("rank", RANKS)
def test_gradients_of_16_bits(rank, dtype):
    theirs, ours = pair(rank, 4, 6, 3, stride=2, dtype=dtype)
    wide = theirs.double()
    x = data(rank, dtype=dtype).requires_grad_()
    x64 = x.detach().double().requires_grad_()
    y, want = ours(x), wide(x64)
    g = torch.randn_like(y)
    y.backward(g)
    want.backward(g.double())
    epsilon = torch.finfo(dtype).eps
    for got, expected in ((x.grad, x64.grad), (ours.weight.grad, wide.weight.grad), (ours.bias.grad, wide.bias.grad)):
        assert got.dtype == dtype
        torch.testing.assert_close(got.double(), expected, rtol=epsilon, atol=epsilon * float(expected.abs().max()))


@pytest.mark.parametrize("rank", RANKS)
def test_empty_batch_and_unbatched(rank):
    theirs, ours = pair(rank, 4, 6, 3, stride=2)
    for x in (data(rank)[:0], data(rank)[0]):
        results = []
        for module in (theirs, ours):
            module.zero_grad()
            leaf = x.clone().requires_grad_()
            module(leaf).square().sum().backward()
            results.append((leaf.grad, module.weight.grad, module.bias.grad))
        for got, want in zip(results[1], results[0]):
            assert got.shape == want.shape
            torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rank", RANKS)
def test_the_same_bits_for_one_and_two_threads(rank):
    torch.manual_seed(2)
    x, w = torch.randn(2, 8, *[12] * rank), torch.randn(8, 6, *[3] * rank)
    held, results = torch.get_num_threads(), []
    torch.use_deterministic_algorithms(True)
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            tensors = [t.clone().requires_grad_() for t in (x, w, w[0, :, *[0] * rank])]
            y = functional(rank)(*tensors, stride=2, padding=1)
            y.backward(y.detach().sin())
            results.append([y.detach(), *[t.grad for t in tensors]])
    finally:
        torch.use_deterministic_algorithms(False)
        torch.set_num_threads(held)
    for one, two in zip(*results):
        assert torch.equal(one, two)


def test_calls_from_many_threads():
    theirs, ours = pair(2, 4, 6, 3, stride=2)
    xs, wrong = [data(2) + i for i in range(4)], []

    def work(x):
        for _ in range(20):
            leaf = x.clone().requires_grad_()
            (got,) = torch.autograd.grad(ours(leaf).square().sum(), leaf)
            other = x.clone().requires_grad_()
            (want,) = torch.autograd.grad(theirs(other).square().sum(), other)
            if not torch.allclose(got, want, rtol=1e-4, atol=1e-3):
                wrong.append((got - want).abs().max())

    workers = [threading.Thread(target=work, args=(x,)) for x in xs]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


# ---- how torch looks at an operator ----------------------------------------------------------------------------------


def operator_calls(rank, dtype=torch.float32, last=False):
    """Arguments of the three operators, of one problem."""
    geometry = [2] * rank, [1] * rank, [1] * rank, 2, [1] * rank
    x = data(rank, dtype=dtype)
    w = torch.randn(4, 3, *[3] * rank, dtype=dtype)
    if last:
        x, w = (t.to(memory_format=FORMATS[rank]) for t in (x, w))
    g = torch.randn_like(operators.conv_transpose(x, w, None, *geometry))
    x, w, g, b = (t.requires_grad_() for t in (x, w, g, torch.randn(6, dtype=dtype)))
    yield operators.conv_transpose.default, (x, w, b, *geometry)
    yield operators.conv_transpose_grad_input.default, (g, w, list(x.shape), last, *geometry)
    yield operators.conv_transpose_grad_weight.default, (g, x, list(w.shape), last, True, True, *geometry)
    yield operators.conv_transpose_grad_weight.default, (g, x, list(w.shape), last, False, True, *geometry)


@pytest.mark.parametrize("rank,last", [(1, False), (2, False), (2, True), (3, False), (3, True)], ids=str)
def test_opcheck(rank, last):
    for operator, args in operator_calls(rank, last=last):
        assert set(torch.library.opcheck(operator, args).values()) == {"SUCCESS"}


@pytest.mark.parametrize("rank,last", [(1, False), (2, False), (2, True), (3, False), (3, True)], ids=str)
def test_what_cuda_tensors_are_given(rank, last):
    """The kernels registered for CUDA leave gradients to aten::convolution_backward; here they meet CPU tensors."""
    from ctconv.torch import _operators

    _, dx, *dw = operator_calls(rank, last=last)
    for own, (operator, args) in [(_operators._grad_input_cuda, dx)] + [(_operators._grad_weight_cuda, c) for c in dw]:
        args = [a.detach() if isinstance(a, torch.Tensor) else a for a in args]
        got, want = own(*args), operator(*args)
        for one, other in zip(got if isinstance(got, tuple) else (got,), want if isinstance(want, tuple) else (want,)):
            assert one.stride() == other.stride()
            same(one, other)


@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
@pytest.mark.parametrize("rank", RANKS)
def test_compile_keeps_one_graph(rank, dynamic):
    theirs, ours = pair(rank, 4, 6, 3, stride=2)
    torch._dynamo.reset()
    compiled = torch.compile(lambda x, size: ours(x, size).relu(), fullgraph=True, backend="aot_eager", dynamic=dynamic)
    for batch in (2, 3):
        x = data(rank, batch=batch)
        size = [extent + 1 for extent in theirs(x).shape[2:]]
        results = []
        for run in (compiled, lambda x, size: theirs(x, size).relu()):
            leaf = x.clone().requires_grad_()
            y = run(leaf, size)
            y.square().sum().backward()
            results.append((y, leaf.grad))
        for got, want in zip(*results):
            torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(ours.weight.grad, theirs.weight.grad, rtol=1e-4, atol=1e-3)
        ours.zero_grad()
        theirs.zero_grad()


def test_a_broken_graph_gives_the_same():
    theirs, ours = pair(2, 4, 6, 3, stride=2)

    def run(module, x):
        y = module(x)
        return y * float(y.sum() > -1e9)  # the graph breaks here

    torch._dynamo.reset()
    x = data(2).requires_grad_()
    (got,) = torch.autograd.grad(torch.compile(run, backend="aot_eager")(ours, x).square().sum(), x)
    (want,) = torch.autograd.grad(run(theirs, x).square().sum(), x)
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rank", RANKS)
def test_export(rank):
    theirs, ours = pair(rank, 4, 6, 3, stride=2)
    x = data(rank)
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(ours, (x,), dynamic_shapes=({0: batch}, None)[:1])
    targets = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    assert "ctconv.conv_transpose.default" in targets
    longer = data(rank, batch=5)
    same(program.module()(longer), theirs(longer))


def test_func_transforms():
    theirs, ours = pair(2, 4, 6, 3, stride=2, dtype=torch.float64)
    x = data(2, dtype=torch.float64)

    def loss(module):
        return lambda weights, x: torch.func.functional_call(module, weights, (x,)).square().mean()

    weights = {name: p.detach() for name, p in ours.named_parameters()}
    got, want = (torch.func.grad(loss(module))(weights, x) for module in (ours, theirs))
    for name in weights:
        same(got[name], want[name])
    got, want = (
        torch.func.grad(lambda x, m=module: torch.func.grad(lambda x: loss(m)(weights, x))(x).square().sum())(x)
        for module in (ours, theirs)
    )
    same(got, want)


def test_func_transforms_under_autocast():
    theirs, ours = pair(2, 4, 6, 3, stride=2)
    weights, x = {name: p.detach() for name, p in ours.named_parameters()}, data(2)
    results = []
    for module in (ours, theirs):

        def loss(weights, module=module):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return torch.func.functional_call(module, weights, (x,)).float().square().mean()

        results.append(torch.func.grad(loss)(weights))
    for name in weights:
        torch.testing.assert_close(results[0][name], results[1][name], rtol=0.05, atol=0.02)


def test_vmap():
    theirs, ours = pair(2, 4, 6, 3, stride=2, dtype=torch.float64)
    xs = torch.randn(3, 2, 4, 5, 4, dtype=torch.float64)
    same(torch.func.vmap(ours)(xs), torch.func.vmap(theirs)(xs))
    weights = {name: p.detach() for name, p in ours.named_parameters()}
    results = []
    for module in (ours, theirs):

        def loss(weights, x, module=module):
            return torch.func.functional_call(module, weights, (x,)).square().mean()

        results.append(torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(weights, xs))
    for name in weights:
        same(results[0][name], results[1][name])


def test_forward_mode_is_refused_not_dropped():
    """By the function; the module leaves it to torch (test_torch_accelerate.py)."""
    _, ours = pair(2, 4, 6, 3)
    with torch.autograd.forward_ad.dual_level():
        x = torch.autograd.forward_ad.make_dual(data(2), data(2))
        with pytest.raises((RuntimeError, NotImplementedError, ctconv.Error)):
            y = nn.functional.conv_transpose2d(x, ours.weight, ours.bias)
            torch.autograd.forward_ad.unpack_dual(y).tangent.sum()
