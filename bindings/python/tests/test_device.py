# SPDX-License-Identifier: Apache-2.0
"""torch tensors on a CUDA device, tried without one: CPU tensors that pose as CUDA's,
and a CUDA module that computes on the host.

Needs torch and CTCONV_CUDA_MODULE = ctconv_host_module.so; tools/gpu/python_path.py checks the same on a real device.
What a stand-in cannot show: streams, waiting, capture, and torch's own memory format of y.
"""

import copy
import ctypes
import gc
import os
import pickle
import weakref

import numpy as np
import pytest

import ctconv
from ctconv import _abi, _device, _tensors
from problems import biases, integers, scatter, weights

torch = pytest.importorskip("torch")
if not os.environ.get("CTCONV_CUDA_MODULE", "").endswith("ctconv_host_module.so"):
    pytest.skip("CTCONV_CUDA_MODULE is not ctconv_host_module.so", allow_module_level=True)

DIALECT, ARGS = "torch.nn.ConvTranspose2d", {"in_channels": 2, "out_channels": 3, "kernel_size": 3, "stride": 2}
X, W, B = integers((2, 2, 5, 4)), weights((2, 3, 3, 3)), biases((3,))
WANT = scatter(X, W, B, stride=2)


class Posing(torch.Tensor):
    """A CPU tensor that says it lies on cuda:0."""

    is_cuda = True

    def numpy(self):
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    def __dlpack_device__(self):
        return _abi.CUDA, 0

    def __dlpack__(self, **keywords):
        asked.append(keywords.pop("stream"))
        keywords.pop("max_version", None)
        capsule = torch.Tensor.__dlpack__(self.as_subclass(torch.Tensor), **keywords)
        pointer = _tensors._capsule_pointer(capsule, b"dltensor")
        ctypes.cast(pointer, ctypes.POINTER(_abi.Tensor)).contents.device_type = _abi.CUDA
        return capsule


asked = []


def posing(array, dtype=None):
    return torch.tensor(np.asarray(array), dtype=dtype).as_subclass(Posing)


def shown(y):
    assert type(y) is Posing
    return np.asarray(torch.Tensor.numpy(y.as_subclass(torch.Tensor).float()))


@pytest.fixture(autouse=True)
def stream(monkeypatch):
    """The stream torch would work on; a list, so that a test can change it."""
    import contextlib

    current = [0]
    monkeypatch.setattr(_device, "current_stream", lambda x: current[0])
    monkeypatch.setattr(ctconv._layer, "current_stream", lambda x: current[0])
    monkeypatch.setattr(ctconv._layer, "on_stream", lambda x, stream: contextlib.nullcontext())
    del asked[:]
    return current


def layer_of(**options):
    return ctconv.Layer(DIALECT, ARGS, W, B, device="cuda:0", **options)


def test_in_and_out_stay_on_the_device_and_are_kept_by_nobody():
    layer = layer_of()
    for _ in range(3):
        x = posing(X)
        y = layer(x)
        assert np.array_equal(shown(y), WANT)
        gone = weakref.ref(x), weakref.ref(y)
        del x, y
        gc.collect()
        assert gone[0]() is None and gone[1]() is None
    assert len(layer._slots) == 1 and len(asked) == 2  # x and y of the first call alone went through DLPack


def test_the_current_stream_is_taken_each_time(stream):
    seen, run = [], ctconv._layer._execute
    layer = layer_of()
    try:
        ctconv._layer._execute = lambda handle, call, error: seen.append(call._obj.stream) or run(handle, call, error)
        for stream[0] in (0, 0x40, 0x80, 0x40):
            layer(posing(X))
        layer(posing(X), stream=0x99)
    finally:
        ctconv._layer._execute = run
    assert seen == [None, 0x40, 0x80, 0x40, 0x99]
    assert asked[:2] == [1, 1] and asked[2:] == [0x99, 0x99]  # DLPack calls the default stream 1


def test_out():
    layer, out = layer_of(), posing(np.zeros(WANT.shape, "f4"))
    for _ in range(2):
        assert layer(posing(X), out=out) is out and np.array_equal(shown(out), WANT)
        out.zero_()
    wide = posing(np.zeros((2, 5, 11, 9), "f4"))
    layer(posing(X), out=wide[:, 1:4])
    assert np.array_equal(shown(wide)[:, 1:4], WANT) and not shown(wide)[:, 0].any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_channels_last_stays_channels_last(dtype):
    layer = ctconv.Layer(DIALECT, ARGS, torch.tensor(W).to(dtype), torch.tensor(B).to(dtype), device="cuda")
    x = posing(X, dtype).contiguous(memory_format=torch.channels_last)
    for _ in range(2):
        y = layer(x)
        assert y.is_contiguous(memory_format=torch.channels_last) and y.dtype == dtype
        assert np.array_equal(shown(y), WANT)
    assert layer(posing(X, dtype)).is_contiguous()


@pytest.mark.parametrize(
    "shape",
    [
        (2, 3, 4, 5),
        (2, 1, 4, 5),
        (1, 1, 1, 1),
        (2, 3, 1, 1),
        (1, 3, 4, 1),
        (2, 3, 2, 4, 5),
        (2, 1, 2, 4, 5),
        (1, 3, 1, 1, 1),
    ],
)
def test_the_rule_for_channels_last_is_torchs(shape):
    last = torch.channels_last if len(shape) == 4 else torch.channels_last_3d
    for x in (
        torch.empty(shape),
        torch.empty(shape).to(memory_format=last),
        torch.empty(shape, memory_format=last),
        torch.empty(shape).transpose(1, -1),
        torch.empty(shape)[:, :1],
    ):
        like = torch.nn.functional.interpolate(x, scale_factor=2)  # its y is in c10's suggested memory format of x
        assert _device.strides_like(x, like.shape) == like.stride(), (x.shape, x.stride())


def test_refusals():
    with pytest.raises(ctconv.Error) as caught:
        layer_of()(X)
    assert caught.value.name == "CTCONV_ERR_MISUSE_TENSOR_DEVICE" and caught.value.argument == "x"
    for _ in range(2):
        with pytest.raises(ctconv.Error) as caught:
            ctconv.Layer(DIALECT, ARGS, W, B)(posing(X))
        assert caught.value.name == "CTCONV_ERR_MISUSE_TENSOR_DEVICE" and caught.value.argument == "x"
    with pytest.raises(ctconv.Error) as caught:
        layer_of()(posing(X), out=np.zeros(WANT.shape, "f4"))
    assert caught.value.name == "CTCONV_ERR_MISUSE_TENSOR_DEVICE"
    with pytest.raises(ctconv.Error) as caught:
        layer_of()(posing(X).requires_grad_())
    assert caught.value.name == "CTCONV_ERR_MISUSE_TENSOR"
    with torch.no_grad():
        assert np.array_equal(shown(layer_of()(posing(X).requires_grad_())), WANT)


def module_of(**kwargs):
    module = ctconv.torch.ConvTranspose2d(2, 3, 3, stride=2, **kwargs)
    module.weight, module.bias = W, B
    return module


def test_drop_in_moves_and_casts():
    for module in (
        module_of(device="cuda"),
        module_of().to("cuda:0"),
        module_of().cuda(),
        module_of().to(torch.device("cuda", 0)),
        module_of().configure(device="cuda:0"),
        module_of().to(memory_format=torch.channels_last, device="cuda"),
    ):
        assert np.array_equal(shown(module(posing(X))), WANT)
        assert isinstance(module.cpu()(X), np.ndarray)
    for dtype in (torch.float16, torch.bfloat16):
        module = module_of().to("cuda", dtype)
        y = module(posing(X, dtype))
        assert y.dtype == dtype and np.array_equal(shown(y), WANT)
        for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
            assert np.array_equal(shown(twin(posing(X, dtype))), WANT)
    assert module_of(device="cpu")(X).shape == WANT.shape


def test_weights_that_lie_on_the_device():
    module = module_of(device="cuda")
    module.weight, module.bias = posing(W), posing(B)
    assert np.array_equal(shown(module(posing(X))), WANT)


def test_a_prepared_ordinal():
    with pytest.raises(ctconv.Error) as caught:
        ctconv.Layer(DIALECT, ARGS, W, B, device="cuda:1").prepare(X.shape)
    assert caught.value.name == "CTCONV_ERR_DEVICE_ORDINAL"


def test_compile_breaks_its_graph_and_gives_the_same():
    module, layer = module_of(), ctconv.Layer(DIALECT, ARGS, W, B)
    for call in (module, layer):
        compiled = torch.compile(lambda x, call=call: torch.from_numpy(call(x + 0)) * 2, backend="eager")
        for x in (torch.tensor(X), torch.tensor(X[:1])):
            assert np.array_equal(compiled(x).numpy(), 2 * scatter(x.numpy(), W, B, stride=2))


def test_the_operator_is_one_node_with_the_right_fake(monkeypatch):
    run = ctconv.torch.ConvTranspose2d._call  # on the CPU an operator must give a tensor as well
    monkeypatch.setattr(
        ctconv.torch.ConvTranspose2d, "_call", lambda self, x, size=None: torch.from_numpy(run(self, x, size))
    )
    for module, x in (
        (module_of(), torch.tensor(X)),
        (module_of(), torch.tensor(X).contiguous(memory_format=torch.channels_last)),
    ):
        nodes, fakes = [], []

        def backend(graph, examples):
            nodes.extend(n.target for n in graph.graph.nodes if n.op == "call_function")
            return graph.forward

        operator = torch.ops.ctconv.transposed_convolution
        compiled = torch.compile(lambda x, m=module: operator(x, m._number) + 1, backend=backend, fullgraph=True)
        assert np.array_equal(compiled(x).numpy(), WANT + 1) and len(nodes) == 2
        with torch._subclasses.FakeTensorMode() as mode:
            fakes = (
                operator(mode.from_tensor(x), module._number),
                operator(mode.from_tensor(x), module._number, [12, 10]),
            )
        assert [tuple(f.shape) for f in fakes] == [WANT.shape, (2, 3, 12, 10)]
        assert fakes[0].is_contiguous(memory_format=torch.channels_last) == x.is_contiguous(
            memory_format=torch.channels_last
        )


class Placed(Posing):
    """Posing, its device too."""

    device = torch.device("cuda:0")


def test_torch_nn_calls_the_device_on_torchs_stream(monkeypatch, stream):
    """What the operator ctconv::conv_transpose runs for CUDA tensors."""
    from ctconv.torch import _engine

    seen = []
    monkeypatch.setattr(_engine, "current_stream", lambda x: stream[0])
    monkeypatch.setattr(_engine, "workspace", lambda x, size: torch.empty(size, dtype=torch.uint8))
    geometry = [2, 2], [0, 0], [0, 0], 1, [1, 1]
    x, w, b = (torch.tensor(array).as_subclass(Placed) for array in (X, W, B))
    for stream[0] in (0, 0x40):
        y = _engine.forward(x, w, b, geometry)
        assert type(y) is Placed and np.array_equal(np.asarray(y.as_subclass(torch.Tensor)), WANT)
    last = x.contiguous(memory_format=torch.channels_last).as_subclass(Placed)
    assert _engine.forward(last, w, None, geometry).is_contiguous(memory_format=torch.channels_last)
    for slots in _engine._slots.values():
        seen += [slot.call.stream for slot in slots if slot.records["x"].record.device_type == _abi.CUDA]
    assert sorted(s or 0 for s in seen) == [0x40, 0x40]


def test_gradients_stay_on_the_device_and_are_the_hosts(stream, monkeypatch):
    rooms = []
    monkeypatch.setattr(
        _device, "workspace", lambda x, size: rooms.append(torch.empty(size, dtype=torch.uint8)) or rooms[-1]
    )
    dy = integers(WANT.shape)
    want = ctconv.Layer(DIALECT, ARGS, W, B).backward(dy, X)
    stream[0] = 0x40
    for accumulate in (False, True):
        out = {name: posing(np.zeros(array.shape, "f4")) for name, array in want.items()} if accumulate else None
        got = layer_of().backward(posing(dy), posing(X), out=out, accumulate=accumulate)
        for name, array in want.items():
            assert np.array_equal(shown(got[name]), array), name
    assert rooms and set(asked) == {0x40}
    text = layer_of().backward_describe(posing(dy), posing(X))
    assert "dx.engine: cuda" in text and "dw.engine: cuda" in text
    with pytest.raises(ctconv.Error) as error:
        layer_of().backward(dy, X)  # host arrays
    assert error.value.name == "CTCONV_ERR_MISUSE_TENSOR_DEVICE"
