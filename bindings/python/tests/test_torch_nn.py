# SPDX-License-Identifier: Apache-2.0
"""ctconv.torch.nn beside torch.nn: the same modules, values, memory formats, types and refusals.

Skipped where torch is missing. Gradients are in test_torch_autograd.py.
"""

import copy
import itertools
import pickle

import pytest

import ctconv

torch = pytest.importorskip("torch")
nn = ctconv.torch.nn
RANKS = (1, 2, 3)
SIZES = {1: (9,), 2: (6, 5), 3: (4, 3, 5)}
CLOSE = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 4e-2, torch.float16: 5e-3}


def pair(rank, *args, seed=0, **kwargs):
    """torch's module and ours with the same parameters."""
    torch.manual_seed(seed)
    theirs = getattr(torch.nn, f"ConvTranspose{rank}d")(*args, **kwargs)
    ours = getattr(nn, f"ConvTranspose{rank}d")(*args, **kwargs)
    assert ours.load_state_dict(theirs.state_dict()).missing_keys == []
    return theirs, ours


def data(rank, channels=4, batch=2, dtype=torch.float32):
    torch.manual_seed(7)
    return torch.randn((batch, channels, *SIZES[rank]), dtype=dtype)


def same(got, want):
    """Within rounding, measured by the largest element: sums may cancel."""
    assert got.shape == want.shape and got.dtype == want.dtype
    tolerance = CLOSE[want.dtype]
    scale = max(1.0, float(want.detach().abs().max())) if want.numel() else 1.0
    torch.testing.assert_close(got, want, rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize("rank", RANKS)
def test_it_is_torchs_own_class(rank):
    theirs, ours = pair(rank, 4, 6, 3, stride=2, groups=2, output_padding=1)
    assert isinstance(ours, type(theirs)) and repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == ["weight", "bias"] and len(list(ours.parameters())) == 2
    assert theirs.load_state_dict(ours.state_dict()).missing_keys == []
    x = data(rank)
    y = ours(x)
    for twin in (copy.deepcopy(ours), copy.copy(ours), pickle.loads(pickle.dumps(ours))):
        assert type(twin) is type(ours) and torch.equal(twin(x), y)
    torch.manual_seed(3)
    first = getattr(nn, f"ConvTranspose{rank}d")(4, 6, 3)
    torch.manual_seed(3)
    assert torch.equal(first.weight, getattr(torch.nn, f"ConvTranspose{rank}d")(4, 6, 3).weight)
    assert ours.to(torch.float64)(x.double()).dtype == torch.float64


GEOMETRIES = [
    {},
    {"stride": 2, "padding": 1, "output_padding": 1},
    {"stride": 3, "dilation": 2, "groups": 2},
    {"padding": 2, "bias": False, "groups": 2},
    {"dilation": 3, "output_padding": 2, "stride": 2},
]


@pytest.mark.parametrize("dtype", CLOSE, ids=str)
@pytest.mark.parametrize("rank,geometry", list(itertools.product(RANKS, GEOMETRIES)), ids=str)
def test_values(rank, geometry, dtype):
    theirs, ours = pair(rank, 4, 6, 3, dtype=dtype, **geometry)
    x = data(rank, dtype=dtype)
    # what torch sums in 16 bits is compared with the f32 result
    wide = copy.deepcopy(theirs).float() if dtype.itemsize == 2 else theirs
    want = wide(x.to(wide.weight.dtype)).to(dtype)
    same(ours(x), want)
    same(ours(x[0]), want[0])  # unbatched
    same(ours(x[:0]), want[:0])
    strided = torch.stack([x, x], -1)[..., 0]
    assert not strided.is_contiguous()
    same(ours(strided), want)
    same(ours(x[:1].expand_as(x)), want[:1].expand_as(want))


@pytest.mark.parametrize("rank", RANKS)
def test_output_size(rank):
    theirs, ours = pair(rank, 4, 6, 3, stride=3)
    x = data(rank)
    least = theirs(x).shape
    for more in (0, 1, 2):
        size = [extent + more for extent in least[2:]]
        for given in (size, torch.Size(size), [2, 6, *size]):
            same(ours(x, output_size=given), theirs(x, output_size=given))
        same(ours(x[0], output_size=size), theirs(x[0], output_size=size))


FORMATS = {2: torch.channels_last, 3: torch.channels_last_3d}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("x_last,weight_last", list(itertools.product((False, True), repeat=2)))
@pytest.mark.parametrize("rank", FORMATS)
def test_memory_formats_are_torchs(rank, x_last, weight_last, dtype):
    theirs, ours = pair(rank, 4, 6, 3, stride=2, dtype=dtype)
    x = data(rank, dtype=dtype)
    if x_last:
        x = x.to(memory_format=FORMATS[rank])
    if weight_last:
        theirs, ours = (module.to(memory_format=FORMATS[rank]) for module in (theirs, ours))
    mine, other = x.clone().requires_grad_(), x.clone().requires_grad_()
    y, want = ours(mine), theirs(other)
    assert y.stride() == want.stride()
    g = torch.randn_like(y)
    y.backward(g)
    want.backward(g)
    assert mine.grad.stride() == other.grad.stride()
    assert ours.weight.grad.stride() == ours.weight.stride()
    if dtype != torch.bfloat16:
        same(y, want)
        same(mine.grad, other.grad)
        torch.testing.assert_close(ours.weight.grad, theirs.weight.grad, rtol=1e-4, atol=1e-4)


def test_a_lazy_negative_is_resolved():
    theirs, ours = pair(2, 4, 6, 3, dtype=torch.float64)
    x = torch.randn(2, 4, 5, 5, dtype=torch.complex128).conj().imag
    assert x.is_neg()
    same(ours(x), theirs(x.resolve_neg()))


@pytest.mark.parametrize("rank", RANKS)
def test_meta_and_fake_tensors(rank):
    theirs, ours = pair(rank, 4, 6, 3, stride=2, device="meta")
    x = data(rank).to("meta")
    y = ours(x)
    assert y.is_meta and y.shape == theirs(x).shape
    y.sum().backward()
    assert ours.weight.grad.shape == ours.weight.shape and ours.bias.grad.shape == (6,)


def test_autocast():
    theirs, ours = pair(2, 4, 6, 3, stride=2)
    x = data(2)
    wide = ours(x)
    for dtype in (torch.bfloat16, torch.float16):
        with torch.autocast("cpu", dtype=dtype):
            y, want = ours(x), theirs(x)
            double = nn.functional.conv_transpose2d(x.double(), ours.weight.double(), None)
        assert y.dtype == want.dtype == dtype and double.dtype == torch.float64
        same(y, wide.to(dtype))
        y.float().sum().backward()
        assert ours.weight.grad.dtype == torch.float32
        ours.zero_grad()
    assert ours(x).dtype == torch.float32


# Calls that torch refuses: (name, arguments of conv_transpose2d).
X, W, B = torch.randn(2, 4, 5, 5), torch.randn(4, 3, 3, 3), torch.randn(3)
REFUSED = {
    "channels": (X[:, :3], W, B),
    "rank": (X[0, 0], W, B),
    "rank_3": (X[None], W, B),
    "weight_rank": (X, W[0], B),
    "bias_length": (X, W, B[:2]),
    "bias_rank": (X, W, B[None]),
    "stride_zero": (X, W, B, 0),
    "stride_negative": (X, W, B, -1),
    "stride_length": (X, W, B, (1, 1, 1)),
    "stride_float": (X, W, B, 1.5),
    "stride_text": (X, W, B, "2"),
    "padding_negative": (X, W, B, 1, -1),
    "padding_length": (X, W, B, 1, (0, 0, 0)),
    "output_padding_negative": (X, W, B, 2, 0, -1),
    "groups_zero": (X, W, B, 1, 0, 0, 0),
    "groups": (X, W, B, 1, 0, 0, 3),
    "dilation_zero": (X, W, B, 1, 0, 0, 1, 0),
    "no_output": (X, W, B, 1, 9),
    "no_space": (X[:, :, :0], W, B),
    "dtypes": (X.double(), W, B),
    "bias_dtype": (X, W, B.double()),
    "no_tensor": ([1, 2], W, B),
    "no_weight": (X, None, B),
    "bias_number": (X, W, 1.0),
    "sparse": (X.to_sparse(), W, B),
}


def raised_by(run, call):
    with pytest.raises(Exception) as caught:  # noqa: B017, PT011
        run(*call)
    return type(caught.value), str(caught.value)


@pytest.mark.parametrize("name", REFUSED)
def test_what_torch_refuses(name):
    call = REFUSED[name]
    want = raised_by(torch.nn.functional.conv_transpose2d, call)
    assert raised_by(nn.functional.conv_transpose2d, call) == want
    grad = [one.clone().requires_grad_() if getattr(one, "is_floating_point", bool)() else one for one in call[:3]]
    assert raised_by(nn.functional.conv_transpose2d, (*grad, *call[3:]))[0] is want[0]


MODULES = {
    "padding_mode": ({"padding_mode": "reflect"}, None),
    "groups": ({"groups": 3}, None),
    "kernel": ({"kernel_size": 0}, None),
    "output_size_large": ({"stride": 2}, [99, 99]),
    "output_size_small": ({"stride": 2}, [1, 1]),
    "output_size_length": ({"stride": 2}, [11]),
    "output_padding_above_stride": ({"output_padding": 3, "stride": 2}, None),
}


@pytest.mark.parametrize("name", MODULES)
def test_what_torchs_module_refuses(name):
    more, size = MODULES[name]

    def run(module):
        return module(**{"in_channels": 4, "out_channels": 3, "kernel_size": 3, **more})(X.double().float(), size)

    want = raised_by(run, (torch.nn.ConvTranspose2d,))
    assert raised_by(run, (nn.ConvTranspose2d,)) == want


@pytest.mark.parametrize("dtype", [torch.complex64, torch.int64], ids=str)
def test_what_only_torch_takes(dtype):
    """The function refuses, the module leaves it to torch (test_torch_accelerate.py)."""
    with pytest.raises(ctconv.Error) as caught:
        nn.functional.conv_transpose2d(X.to(dtype), W.to(dtype))
    assert caught.value.name == "CTCONV_ERR_TYPE_INPUT_DTYPE"


@pytest.mark.parametrize("rank", RANKS)
def test_scripting_says_what_works(rank):
    """Alone, inside a model, and as a subclass; restored it can be scripted."""
    _, ours = pair(rank, 4, 6, 3)

    class Own(type(ours)):
        pass

    for model in (ours, torch.nn.Sequential(torch.nn.ReLU(), ours), Own(4, 6, 3)):
        with pytest.raises(ctconv.Error, match=r"torch\.jit\.script cannot compile .*restore\(model\)") as caught:
            torch.jit.script(model)
        assert caught.value.status == 4002
    x = data(rank)
    y = ours(x)
    model = torch.nn.Sequential(ours)
    assert ctconv.torch.restore(model) == 1
    same(torch.jit.script(model)(x), y)
