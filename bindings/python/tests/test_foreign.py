# SPDX-License-Identifier: Apache-2.0
"""Tensors whose memory is not all they are: a gradient wanted, lazy bits, no memory at all. Read right or refused.

The stand-ins of standins.py are tried everywhere, real torch tensors where torch is installed.
"""

import sys
import types
import warnings

import numpy as np
import pytest

import ctconv
import standins
from problems import biases, integers, scatter, weights

TORCH = "torch.nn.ConvTranspose2d"
ARGS = {"in_channels": 2, "out_channels": 3, "kernel_size": 3, "stride": 2}
X, W, B = integers((2, 2, 5, 4)), weights((2, 3, 3, 3)), biases((3,))
WANT = scatter(X, W, B, stride=2)


def refused(function, *args, match=None, **kwargs):
    with pytest.raises(ctconv.Error, match=match) as caught:
        function(*args, **kwargs)
    assert caught.value.name == "CTCONV_ERR_MISUSE_TENSOR" and isinstance(caught.value, ValueError), str(caught.value)


def layer_of(weight=W, bias=B):
    return ctconv.Layer(TORCH, ARGS, weight, bias)


def drop_ins():
    """Every drop-in class, with an input that fits."""
    nn = ctconv.mindspore.nn
    yield ctconv.torch.ConvTranspose1d(2, 3, 3), (2, 2, 5)
    yield ctconv.torch.ConvTranspose2d(2, 3, 3), (2, 2, 5, 4)
    yield ctconv.torch.ConvTranspose3d(2, 3, 3), (2, 2, 5, 4, 3)
    yield nn.Conv1dTranspose(2, 3, 3), (2, 2, 5)
    yield nn.Conv2dTranspose(2, 3, 3), (2, 2, 5, 4)
    yield nn.Conv3dTranspose(2, 3, 3), (2, 2, 5, 4, 3)
    yield ctconv.paddle.nn.Conv1DTranspose(2, 3, 3), (2, 2, 5)
    yield ctconv.paddle.nn.Conv2DTranspose(2, 3, 3), (2, 2, 5, 4)
    yield ctconv.paddle.nn.Conv3DTranspose(2, 3, 3), (2, 2, 5, 4, 3)
    yield ctconv.megengine.ConvTranspose2d(2, 3, 3), (2, 2, 5, 4)
    yield ctconv.megengine.ConvTranspose3d(2, 3, 3), (2, 2, 5, 4, 3)
    yield ctconv.keras.layers.Conv2DTranspose(3, 3), (2, 5, 4, 2)
    yield ctconv.keras.layers.Conv3DTranspose(3, 3), (2, 5, 4, 3, 2)


def every_entry(wanting, plain):
    """Each way in, once with each tensor that wants a gradient."""
    yield "x", lambda: layer_of()(wanting(X))
    yield "weight", lambda: layer_of(wanting(W))
    yield "bias", lambda: layer_of(W, wanting(B))
    late = ctconv.Layer(TORCH, ARGS, None)
    yield "weight of the call", lambda: late(X, weight=wanting(W))
    yield "bias of the call", lambda: late(plain(X), weight=W, bias=wanting(B))
    yield "out", lambda: layer_of()(X, out=wanting(np.zeros(WANT.shape, "f4")))
    F = ctconv.paddle.nn.functional
    yield "functional x", lambda: F.conv2d_transpose(wanting(X), W, B)
    yield "functional weight", lambda: F.conv2d_transpose(X, wanting(W), B)
    yield "functional bias", lambda: F.conv2d_transpose(X, W, wanting(B))
    op, volume, kernel = (
        ctconv.mindspore.ops.Conv3DTranspose(2, 3, 3),
        integers((1, 2, 4, 4, 4)),
        weights((2, 3, 3, 3, 3)),
    )
    yield "ops x", lambda: op(wanting(volume), kernel)
    yield "ops weight", lambda: op(volume, wanting(kernel))
    for made, shape in drop_ins():
        yield made._dialect, lambda made=made, shape=shape: made(wanting(integers(shape)))
        yield made._dialect + ".weight =", lambda made=made: setattr(made, "weight", wanting(W))
        yield made._dialect + ".bias =", lambda made=made: setattr(made, "bias", wanting(B))
    args = {"in_channels": 2, "out_channels": 3, "kernel_size": 3}
    yield (
        "an argument",
        lambda: ctconv.init_weight("mindspore.nn.Conv2dTranspose", {**args, "weight_init": wanting(W)}, 0),
    )


class TestStandIns:
    """What CI without torch can say about the refusals."""

    def test_gradients_are_refused_everywhere(self):
        for _name, entry in every_entry(lambda a: standins.Tensor(a, requires_grad=True), standins.Tensor):
            refused(entry, match=r"detach\(\)")

    def test_nothing_is_lost_where_no_graph_is_recorded(self):
        with standins.no_grad():
            wanting = [standins.Tensor(a, requires_grad=True) for a in (X, W, B)]
            y = layer_of(*wanting[1:])(wanting[0])
            np.testing.assert_array_equal(y, WANT)
            out = standins.Tensor(np.zeros(WANT.shape, "f4"), requires_grad=True)
            assert layer_of()(X, out=out) is out
            np.testing.assert_array_equal(out.values, WANT)
        refused(layer_of(), wanting[0], match=r"detach\(\)")

    def test_detached(self):
        np.testing.assert_array_equal(layer_of()(standins.Tensor(X, requires_grad=True).detach()), WANT)

    def test_paddle_says_stop_gradient(self):
        refused(layer_of(), standins.Variable(X), match=r"detach\(\)")
        np.testing.assert_array_equal(layer_of()(standins.Variable(X, True)), WANT)
        with standins.no_grad():
            np.testing.assert_array_equal(layer_of()(standins.Variable(X)), WANT)

    def test_a_mindspore_parameter_is_taken(self):
        made = {
            "__module__": "mindspore.common.parameter",
            "__dlpack__": lambda self, **keywords: W.__dlpack__(**keywords),
        }
        parameter = type("Parameter", (standins.Tensor,), made)(W, requires_grad=True)
        up = ctconv.mindspore.nn.Conv2dTranspose(2, 3, 3)
        up.weight = parameter
        np.testing.assert_array_equal(up.weight, W)

    def test_torch_answers_by_numpy(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(Tensor=standins.TorchTensor))
        T = standins.TorchTensor
        late, out = ctconv.Layer(TORCH, ARGS, None), np.zeros(WANT.shape, "f4")
        for x, w in ((T(X), T(W)), (T(X, negative=True), T(W, negative=True))):
            for _ in range(2):
                np.testing.assert_array_equal(layer_of(w)(x), WANT)
                np.testing.assert_array_equal(late(x, weight=w, bias=T(B)), WANT)
        layer_of()(X, out=T(out))
        np.testing.assert_array_equal(out, WANT)
        for _name, entry in every_entry(lambda a: T(a, requires_grad=True), T):
            refused(entry, match=r"detach\(\)")
        with standins.no_grad():
            np.testing.assert_array_equal(layer_of(T(W, requires_grad=True))(T(X, requires_grad=True)), WANT)
        refused(layer_of(), standins.Dispatching(X), match="__torch_dispatch__")
        refused(lambda: setattr(ctconv.torch.ConvTranspose2d(2, 3, 3), "weight", standins.Dispatching(W)))

    def test_negative_bit(self):
        x, w, b = (standins.Tensor(a, negative=True) for a in (X, W, B))
        np.testing.assert_array_equal(layer_of(w, b)(x), WANT)
        np.testing.assert_array_equal(ctconv.Layer(TORCH, ARGS, None)(x, weight=w, bias=b), WANT)
        up = ctconv.torch.ConvTranspose2d(2, 3, 3, stride=2)
        up.weight, up.bias = w, b
        np.testing.assert_array_equal(up(x), WANT)

    def test_lazy_out(self):
        for lazy in ("negative", "conjugate"):
            out = standins.Tensor(np.zeros(WANT.shape, "f4"), **{lazy: True})
            refused(layer_of(), X, out=out, match="resolve")

    def test_conjugate_bit(self):
        x = standins.Tensor((X + 1j).astype("complex64"), conjugate=True)
        with pytest.raises(TypeError) as caught:
            layer_of()(x)
        assert caught.value.name in ("CTCONV_ERR_TYPE_INPUT_DTYPE", "CTCONV_ERR_TYPE_DTYPE_MISMATCH")

    @pytest.mark.parametrize(
        "error",
        [
            BufferError("Can't export tensors with layout other than torch.strided"),
            RuntimeError("no storage"),
            ValueError("meta"),
            NotImplementedError("no"),
            AttributeError("odd"),
            AssertionError(),
            KeyError("x"),
            TypeError("never"),
        ],
        ids=lambda e: type(e).__name__,
    )
    def test_foreign_errors_become_ours(self, error):
        for device in ((1, 0), ValueError("Unknown device type meta")):
            x = standins.Unreadable(error, device)
            refused(layer_of(), x, match="Unreadable")
            refused(layer_of(), X, out=x)
            refused(layer_of, x)
            refused(lambda x=x: setattr(ctconv.torch.ConvTranspose2d(2, 3, 3), "weight", x))

    def test_memory_errors_pass(self):
        with pytest.raises(MemoryError):
            layer_of()(standins.Unreadable(MemoryError()))


@pytest.mark.parametrize("mask", [True, False])
def test_masked_arrays(mask):
    x = np.ma.MaskedArray(X, mask=np.full(X.shape, mask))
    refused(layer_of(), x, match="filled")
    refused(layer_of, np.ma.MaskedArray(W), match="filled")
    refused(layer_of(), X, out=np.ma.MaskedArray(np.zeros(WANT.shape, "f4")))
    np.testing.assert_array_equal(layer_of()(x.filled(0)), layer_of()(x.filled(0)))


class TestTorch:
    """The same with real tensors."""

    @pytest.fixture(autouse=True)
    def torch(self):
        self.torch = pytest.importorskip("torch", reason="torch is not installed: the stand-ins alone are tried")

    def test_gradients_are_refused_everywhere(self):
        t = self.torch
        for make in (t.nn.Parameter, lambda a: t.nn.Parameter(a) * 1):  # a leaf, an inner node
            for _name, entry in every_entry(lambda a, make=make: make(t.from_numpy(a.copy())), t.from_numpy):
                refused(entry, match=r"detach\(\)")

    def test_nothing_is_lost_where_no_graph_is_recorded(self):
        t = self.torch
        for mode in (t.no_grad, t.inference_mode):
            with mode():
                x, w, b = (t.nn.Parameter(t.from_numpy(a)) for a in (X, W, B))
                np.testing.assert_array_equal(layer_of(w, b)(x), WANT)
                out = t.zeros(WANT.shape).requires_grad_() if mode is t.no_grad else t.zeros(WANT.shape)
                assert layer_of()(x, out=out) is out
                np.testing.assert_array_equal(out.numpy(), WANT)
        for dtype in (t.bfloat16, t.float16):
            x, w = (t.nn.Parameter(t.from_numpy(a).to(dtype)) for a in (X, W))
            refused(ctconv.Layer, TORCH, ARGS, w, match=r"detach\(\)")
            with t.no_grad():
                y = t.empty(WANT.shape, dtype=dtype)
                ctconv.Layer(TORCH, ARGS, w)(x, out=y)
                np.testing.assert_array_equal(y.float().numpy(), scatter(X, W, stride=2))

    def test_lazy_bits(self):
        t = self.torch
        z = t.complex(t.zeros(X.shape), -t.from_numpy(X))
        x = t.imag(z.conj())
        assert x.is_neg()
        np.testing.assert_array_equal(layer_of()(x), WANT)
        np.testing.assert_array_equal(layer_of()(t.real(t.complex(t.from_numpy(X), t.ones(X.shape)).conj())), WANT)
        w = t.imag(t.complex(t.zeros(W.shape), -t.from_numpy(W)).conj())
        np.testing.assert_array_equal(layer_of(w)(x), WANT)
        np.testing.assert_array_equal(layer_of()(t._neg_view(t.from_numpy(-X))), WANT)
        np.testing.assert_array_equal(layer_of()(t._neg_view(t.from_numpy(-X).bfloat16()).float()), WANT)
        refused(layer_of(), X, out=t._neg_view(t.zeros(WANT.shape)), match="resolve_neg")
        with pytest.raises(TypeError):
            layer_of()(z.conj())

    def test_a_torch_result_for_a_torch_tensor(self):
        t = self.torch
        layer = ctconv.Layer(TORCH, ARGS, W, B, returns="like")
        for _ in range(3):
            y = layer(t.from_numpy(X))
            assert type(y) is t.Tensor and y.is_contiguous()
            np.testing.assert_array_equal(y.numpy(), WANT)
        assert type(layer(X)) is np.ndarray
        y = layer(t.from_numpy(X).to(memory_format=t.channels_last))
        assert y.is_contiguous(memory_format=t.channels_last)
        np.testing.assert_array_equal(y.numpy(), WANT)
        assert layer(t.from_numpy(X[0])).shape == WANT.shape[1:]
        assert layer(t.from_numpy(X), output_size=[12, 10]).shape == (2, 3, 12, 10)
        half = ctconv.Layer(TORCH, ARGS, t.from_numpy(W).bfloat16(), returns="like")
        y = half(t.from_numpy(X).bfloat16())  # numpy has no such type
        assert y.dtype == t.bfloat16
        np.testing.assert_array_equal(y.float().numpy(), scatter(X, W, stride=2))
        up = ctconv.torch.ConvTranspose2d(2, 3, 3).configure(returns="like")
        assert type(up(t.from_numpy(X))) is t.Tensor

    def test_a_slot_serves_torch_tensors_in_and_out(self):
        t, layer = self.torch, layer_of()
        x, out = t.from_numpy(X), t.zeros(WANT.shape)
        for _ in range(3):
            out.zero_()
            assert layer(x, out=out) is out
            np.testing.assert_array_equal(out.numpy(), WANT)
        assert sum(map(len, layer._slots.values())) == 1  # used again: nothing was judged anew
        shown = t.zeros((2, 6, *WANT.shape[2:]))
        assert layer(x, out=shown[:, 1:4]).shape == WANT.shape
        np.testing.assert_array_equal(shown[:, 1:4].numpy(), WANT)
        assert shown[:, 0].abs().max() == 0 and shown[:, 4:].abs().max() == 0

    def test_compile_breaks_the_graph_at_a_layer(self):
        t, layer = self.torch, layer_of()
        run = t.compile(lambda x: t.from_numpy(layer(x)) + 1, backend="eager")
        for _ in range(2):
            np.testing.assert_array_equal(run(t.from_numpy(X)).numpy(), WANT + 1)

    def test_a_module_that_holds_a_drop_in_class_is_told(self):
        t = self.torch

        class Net(t.nn.Module):
            def __init__(self, up):
                super().__init__()
                self.up = up

            def forward(self, x):
                return t.from_numpy(self.up(x))

        net = Net(ctconv.torch.ConvTranspose2d(2, 3, 3))
        with pytest.warns(UserWarning, match=r"Net holds .* Take ctconv\.torch\.nn\.ConvTranspose2d") as caught:
            net(t.from_numpy(X))
        assert caught[0].filename == __file__
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            net(t.from_numpy(X))  # once
            ctconv.torch.ConvTranspose2d(2, 3, 3)(t.from_numpy(X))  # nobody holds it

    def test_the_refusal_names_the_layers_that_have_gradients(self):
        refused(layer_of(), self.torch.from_numpy(X).requires_grad_(), match=r"ctconv\.torch\.nn")

    def test_zero_tensor(self):
        y = layer_of()(self.torch._efficientzerotensor(X.shape))
        np.testing.assert_array_equal(y, np.broadcast_to(B.reshape(1, 3, 1, 1), y.shape))

    def test_subclasses_with_memory(self):
        class Mine(self.torch.Tensor):
            pass

        np.testing.assert_array_equal(layer_of()(self.torch.from_numpy(X).as_subclass(Mine)), WANT)

    @pytest.mark.filterwarnings("ignore::UserWarning")  # torch's own, of what it deprecates
    def test_tensors_without_memory(self):
        t, x = self.torch, self.torch.from_numpy(X)
        from torch._subclasses.fake_tensor import FakeTensorMode

        class Wrapper(t.Tensor):
            @staticmethod
            def __new__(cls, inner):
                return t.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)

            @classmethod
            def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
                return args[0] if str(function) == "aten.detach.default" else NotImplemented

        with FakeTensorMode():
            fake = t.empty(X.shape)
        kinds = [
            x.to("meta"),
            x.to_sparse(),
            x.to_mkldnn(),
            t.quantize_per_tensor(x, 0.1, 0, t.quint8),
            fake,
            Wrapper(x),
            t.nested.nested_tensor([x[0], x[1]]),
            t.nn.parameter.UninitializedParameter(requires_grad=False),
        ]
        for odd in kinds:
            for entry in (
                lambda o=odd: layer_of()(o),
                lambda o=odd: layer_of(o),
                lambda o=odd: layer_of()(X, out=o),
                lambda o=odd: setattr(ctconv.torch.ConvTranspose2d(2, 3, 3), "weight", o),
            ):
                refused(entry)

    def test_transforms(self):
        t, x = self.torch, self.torch.from_numpy(X)

        def through(inner):
            return t.from_numpy(layer_of()(inner)).sum()

        for transform in (
            lambda: t.func.vmap(through)(x),
            lambda: t.func.grad(through)(x),
            lambda: t.func.jvp(through, (x,), (x,)),
            lambda: t.func.vmap(t.func.grad(through))(x),
        ):
            refused(transform)

    def test_forward_mode_tangent(self):
        t, x = self.torch, self.torch.from_numpy(X)
        with t.autograd.forward_ad.dual_level():
            dual = t.autograd.forward_ad.make_dual(x, x)
            refused(layer_of(), dual, match="tangent")
            np.testing.assert_array_equal(layer_of()(x), WANT)
            np.testing.assert_array_equal(layer_of()(t.autograd.forward_ad.unpack_dual(dual).primal.detach()), WANT)
