# SPDX-License-Identifier: Apache-2.0
"""Large results of ctconv.torch.nn lie in the pool's blocks, and no tensor ever changes for it. Needs torch."""

import gc

import pytest

import ctconv
from ctconv import pool

torch = pytest.importorskip("torch")
OURS = ctconv.torch.nn
MIB = 1 << 20
pytestmark = pytest.mark.skipif(pool.limit() == 0, reason="this Python does not count references, or the pool is off")


@pytest.fixture(autouse=True)
def empty():
    before = pool.limit()
    gc.collect()
    pool.clear()
    yield
    pool.set_limit(before)


def layer_and_x(**options):
    torch.manual_seed(0)
    return OURS.ConvTranspose2d(2, 8, 2, stride=2, **options), torch.randn(1, 2, 128, 128)  # y: 2 MiB


def test_memory_is_used_again_when_no_tensor_refers_to_it():
    layer, x = layer_and_x()
    with torch.no_grad():
        y = layer(x)
        first, want = y.data_ptr(), y.clone()
        assert pool.info().blocks == 1 and y.untyped_storage().nbytes() == 2 * MIB
        del y
        y = layer(x)
        assert y.data_ptr() == first and torch.equal(y, want)


SHOWN = {
    "itself": lambda y: y,
    "view": lambda y: y[:, 3:5],
    "detached": lambda y: y.detach(),
    "storage": lambda y: y.untyped_storage(),
    "numpy": lambda y: y.numpy(),
    "capsule": lambda y: torch.utils.dlpack.to_dlpack(y),
    "typed": lambda y: y.view(torch.int32),
    "set": lambda y: torch.empty(0).set_(y.untyped_storage(), 4, (5,), (1,)),
    "memory": lambda y: memoryview(y.numpy()),
}


@pytest.mark.parametrize("name", SHOWN)
def test_what_is_shown_keeps_its_memory(name):
    layer, x = layer_and_x()
    with torch.no_grad():
        y = layer(x)
        first = y.data_ptr()
        kept = SHOWN[name](y)
        del y
        assert layer(x + 1).data_ptr() != first
        del kept
        gc.collect()
        assert layer(x).data_ptr() == first


def test_a_graph_keeps_what_it_saved():
    layer, x = layer_and_x()
    x = x.requires_grad_()
    y = layer(x)
    z = y.sin()  # saves y
    first, want = y.data_ptr(), y.detach().cos()
    del y
    other = layer(x)
    assert other.data_ptr() != first
    (got,) = torch.autograd.grad(z.sum(), x)
    torch.testing.assert_close(got, torch.autograd.grad(layer(x), x, want)[0])


def test_results_are_no_views():
    """An in-place operator on a view of a custom operator's result would be refused."""
    layer, x = layer_and_x()
    y = layer(x)
    assert not y._is_view() and y.is_contiguous() and y._base is None
    assert torch.relu_(y).min() >= 0
    y.sum().backward()
    assert layer.weight.grad is not None
    with torch.inference_mode():
        y = layer(x)
        assert y.is_inference() and y.relu_().min() >= 0


def test_types_and_formats():
    for dtype in (torch.float64, torch.bfloat16, torch.float16):
        layer, x = layer_and_x(dtype=dtype)
        x = torch.cat([x, x]).to(dtype)
        want = torch.nn.ConvTranspose2d.forward(layer.float(), x.float())
        y = layer.to(dtype)(x)
        assert pool.info().held and y.dtype == dtype
        torch.testing.assert_close(y.float(), want, rtol=4e-2, atol=4e-2)
    layer, x = layer_and_x()
    y = layer(x.to(memory_format=torch.channels_last))
    assert y.is_contiguous(memory_format=torch.channels_last)


def test_gradients_come_from_it():
    layer = OURS.ConvTranspose2d(8, 2, 2, stride=2)
    x = torch.randn(1, 8, 256, 256, requires_grad=True)  # dx: 2 MiB
    new = pool.info().new
    y = layer(x)
    y.sum().backward()
    assert pool.info().new >= new + 2
    want = torch.nn.functional.conv2d(torch.ones_like(y), layer.weight, stride=2)
    torch.testing.assert_close(x.grad, want, rtol=1e-4, atol=1e-5)


def test_shared_memory_and_copies():
    import copy
    import pickle

    layer, x = layer_and_x()
    with torch.no_grad():
        y = layer(x)
        want = y.clone()
        for twin in (copy.deepcopy(y), pickle.loads(pickle.dumps(y))):
            assert torch.equal(twin, want) and twin.data_ptr() != y.data_ptr()
        first = y.data_ptr()
        y.share_memory_()
        assert torch.equal(y, want) and y.data_ptr() != first
        gc.collect()
        assert layer(x + 1).data_ptr() == first and torch.equal(y, want)


def test_beyond_the_limit_torch_allocates():
    pool.set_limit(3 * MIB)
    layer, x = layer_and_x()
    with torch.no_grad():
        assert pool.info().blocks == 0
        y = layer(x)
        assert pool.info().held == 0 and y.untyped_storage().resizable()
    pool.set_limit(5 * MIB)
    with torch.no_grad():
        ys = [layer(x) for _ in range(3)]
        assert pool.info().blocks == 1
        assert all(torch.equal(y, ys[0]) for y in ys)


def test_compiled():
    layer, x = layer_and_x()
    with torch.no_grad():
        want = layer(x).relu()
        compiled = torch.compile(lambda x: layer(x).relu(), backend="aot_eager")
        kept = [compiled(x) for _ in range(3)]
    assert all(torch.equal(y, want) for y in kept)
