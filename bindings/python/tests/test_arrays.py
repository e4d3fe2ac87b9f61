# SPDX-License-Identifier: Apache-2.0
"""Arrays in and out: views, DLPack, buffers, read-only, out=;
nothing copied that need not be, nothing written that must not be."""

import array
import ctypes
import gc
import sys
import weakref

import numpy as np
import pytest

import ctconv
from problems import biases, integers, scatter, weights

TORCH = "torch.nn.ConvTranspose2d"
ARGS = {"in_channels": 2, "out_channels": 3, "kernel_size": 3, "stride": 2}
X, W, B = integers((2, 2, 5, 4)), weights((2, 3, 3, 3)), biases((3,))
WANT = scatter(X, W, B, stride=2)


@pytest.fixture
def layer():
    return ctconv.Layer(TORCH, ARGS, W, B)


def same(y, want=WANT, dtype="float32"):
    assert type(y) is np.ndarray and y.dtype == dtype and y.shape == want.shape
    np.testing.assert_array_equal(y.astype("f8"), want)


def test_contiguous_twice(layer):
    same(layer(X))
    same(layer(X))


def spread(x):
    wide = np.full(tuple(2 * n for n in x.shape), 99, x.dtype)
    view = wide[tuple(slice(None, None, 2) for _ in x.shape)]
    view[...] = x
    return view


VIEWS = {
    "fortran": np.asfortranarray,
    "channels last": lambda x: np.ascontiguousarray(np.moveaxis(x, 1, -1)).transpose(0, 3, 1, 2),
    "every second": spread,
    "reversed": lambda x: np.ascontiguousarray(x[:, ::-1, ::-1, ::-1])[:, ::-1, ::-1, ::-1],
    "read-only": lambda x: np.broadcast_to(x, x.shape),
    "memmap-like subclass": lambda x: x.view(type("Sub", (np.ndarray,), {})),
}


@pytest.mark.parametrize("how", VIEWS)
def test_views_of_x(layer, how):
    x = VIEWS[how](X)
    before = x.copy()
    for _ in range(2):
        same(layer(x))
    np.testing.assert_array_equal(x, before)


def test_zero_strides(layer):
    x = np.broadcast_to(X[:1, :, :1], X.shape)
    for _ in range(2):
        same(layer(x), scatter(x, W, B, stride=2))


@pytest.mark.parametrize("how", VIEWS)
def test_views_of_the_weight(how):
    same(ctconv.Layer(TORCH, ARGS, VIEWS[how](W), B)(X))


def test_what_no_element_stride_describes(layer):
    packed = np.zeros(X.shape, np.dtype([("tag", "u1"), ("v", "<f4")]))
    packed["v"] = X
    other = np.zeros_like(packed)
    other["v"] = 2 * X
    for _ in range(2):
        same(layer(packed["v"]))
        same(layer(other["v"]), scatter(2 * X, W, B, stride=2))


def test_misaligned(layer):
    raw = np.zeros(X.nbytes + 1, "u1")
    x = raw[1:].view("f4").reshape(X.shape)
    x[...] = X
    for y in (layer(x), layer(X), layer(x)):
        same(y)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_types(dtype):
    layer = ctconv.Layer(TORCH, ARGS, W.astype(dtype), B.astype(dtype))
    same(layer(X.astype(dtype)), dtype=dtype)


@pytest.mark.parametrize("dtype", ["int32", "bool", "complex64", "O", ">f4", "longdouble", "M8[s]", "S3"])
def test_types_refused(dtype):
    layer = ctconv.Layer(TORCH, ARGS, W)
    with pytest.raises(TypeError) as caught:
        layer(np.zeros(X.shape, dtype))
    assert caught.value.name in ("CTCONV_ERR_TYPE_INPUT_DTYPE", "CTCONV_ERR_TYPE_DTYPE_MISMATCH")
    assert layer.output_shape(X.shape) == WANT.shape


def test_type_mismatch(layer):
    with pytest.raises(TypeError) as caught:
        layer(X.astype("f8"))
    assert caught.value.name == "CTCONV_ERR_TYPE_DTYPE_MISMATCH"


@pytest.mark.parametrize("x", [[[1.0]], None, 3, "x", object()])
def test_no_array(layer, x):
    with pytest.raises(TypeError) as caught:
        layer(x)
    assert caught.value.argument == "x"


def test_buffers(layer):
    flat = array.array("f", X.ravel())
    same(layer(memoryview(flat).cast("B").cast("f", X.shape)))
    same(ctconv.Layer(TORCH, ARGS, memoryview(W), memoryview(B))(memoryview(X)))


class Exporter:
    """numpy behind __dlpack__ only, as a foreign array type would be."""

    def __init__(self, x, old=False):
        self.x, self.old, self.capsules = x, old, []

    def __dlpack_device__(self):
        return self.x.__dlpack_device__()

    def __dlpack__(self, **keywords):
        if self.old and keywords:
            raise TypeError("unexpected keyword")
        capsule = self.x.__dlpack__(**keywords)
        return capsule


@pytest.mark.parametrize("old", [False, True])
def test_dlpack(layer, old):
    same(layer(Exporter(X, old)))
    same(ctconv.Layer(TORCH, ARGS, Exporter(W, old), Exporter(B, old))(Exporter(X, old)))
    y = np.full(WANT.shape, 99, "f4")
    holder = Exporter(y, old)
    assert layer(X, out=holder) is holder
    same(y)


def test_dlpack_is_released(layer):
    x = X.copy()
    gone = weakref.ref(x)
    count = sys.getrefcount(x)
    exporter = Exporter(x)
    for _ in range(10):
        layer(exporter)
    del exporter
    assert sys.getrefcount(x) == count
    del x
    gc.collect()
    assert gone() is None


def test_inputs_are_not_kept(layer):
    x, y = X.copy(), np.empty(WANT.shape, "f4")
    seen = weakref.ref(x), weakref.ref(y)
    for _ in range(3):
        layer(x, out=y)
        layer(x)
    del x, y
    gc.collect()
    assert seen[0]() is None and seen[1]() is None


def test_dlpack_read_only(layer):
    x = X.copy()
    x.flags.writeable = False
    try:
        same(layer(Exporter(x)))
    except ctconv.Error:
        pytest.skip("this numpy does not export read-only arrays through DLPack")
    y = np.empty(WANT.shape, "f4")
    y.flags.writeable = False
    with pytest.raises(ctconv.Error) as caught:
        layer(X, out=Exporter(y))
    assert caught.value.name == "CTCONV_ERR_MISUSE_TENSOR" and "read-only" in str(caught.value)


def test_dlpack_foreign_major(layer):
    class Versioned(ctypes.Structure):
        _fields_ = [("major", ctypes.c_uint32), ("minor", ctypes.c_uint32), ("rest", ctypes.c_uint8 * 128)]

    managed = Versioned(2, 0)
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]

    class Foreign:
        def __dlpack_device__(self):
            return 1, 0

        def __dlpack__(self, **_):
            return new(ctypes.addressof(managed), b"dltensor_versioned", None)

    with pytest.raises(ctconv.Error) as caught:
        layer(Foreign())
    assert caught.value.name == "CTCONV_ERR_MISUSE_TENSOR" and "major" in str(caught.value)


@pytest.mark.parametrize("what", ["used capsule", 3, None])
def test_dlpack_no_capsule(layer, what):
    class Odd:
        def __dlpack_device__(self):
            return 1, 0

        def __dlpack__(self, **_):
            if what != "used capsule":
                return what
            capsule = X.__dlpack__()
            rename = ctypes.pythonapi.PyCapsule_SetName
            rename.argtypes = [ctypes.py_object, ctypes.c_char_p]
            rename(capsule, b"used_dltensor")
            return capsule

    with pytest.raises(ctconv.Error) as caught:
        layer(Odd())
    assert caught.value.name == "CTCONV_ERR_MISUSE_TENSOR"


def test_out(layer):
    y = np.full(WANT.shape, 99, "f4")
    for _ in range(2):
        y[...] = 99
        assert layer(X, out=y) is y
        same(y)


@pytest.mark.parametrize("how", ["fortran", "channels last", "every second", "reversed"])
def test_out_strided(layer, how):
    y = VIEWS[how](np.full(WANT.shape, 99, "f4"))
    for _ in range(2):
        layer(X, out=y)
        same(y)


def test_out_slice_of_a_concat_buffer(layer):
    whole = np.full((2, 7, *WANT.shape[2:]), 99, "f4")
    layer(X, out=whole[:, 2:5])
    same(whole[:, 2:5])
    assert (whole[:, :2] == 99).all() and (whole[:, 5:] == 99).all()


def refused(layer, name, out, x=X):
    with pytest.raises(ctconv.Error) as caught:
        layer(x, out=out)
    assert caught.value.name == "CTCONV_ERR_" + name, str(caught.value)


def test_out_refused(layer):
    good = np.empty(WANT.shape, "f4")
    refused(layer, "MISUSE_Y_SHAPE", np.empty((2, 3, 11, 8), "f4"))
    refused(layer, "MISUSE_Y_DTYPE", np.empty(WANT.shape, "f8"))
    refused(layer, "MISUSE_Y_OVERLAP", np.lib.stride_tricks.as_strided(good, WANT.shape, (0, 4, 4, 4)))
    for _ in range(2):
        layer(X, out=good)
        good.flags.writeable = False
        refused(layer, "MISUSE_TENSOR", good)
        good.flags.writeable = True
    refused(layer, "MISUSE_TENSOR", [1, 2])
    packed = np.zeros(WANT.shape, np.dtype([("tag", "u1"), ("v", "<f4")]))
    refused(layer, "MISUSE_TENSOR", packed["v"])


def test_out_must_not_be_x():
    layer = ctconv.Layer(TORCH, {"in_channels": 2, "out_channels": 2, "kernel_size": 1}, weights((2, 2, 1, 1)))
    x = X.copy()
    refused(layer, "MISUSE_Y_OVERLAP", x, x)
    np.testing.assert_array_equal(x, X)


def test_unbatched(layer):
    y = layer(X[0])
    same(y, WANT[0])


def test_empty_batch(layer):
    assert layer(X[:0]).shape == (0, *WANT.shape[1:])


def test_memory_that_cannot_be_had():
    layer = ctconv.Layer(
        "torch.nn.ConvTranspose1d",
        {"in_channels": 1, "out_channels": 1, "kernel_size": 1, "stride": 2**45},
        np.ones((1, 1, 1), "f4"),
    )
    with pytest.raises(ctconv.Error) as caught:
        layer(np.ones((1, 1, 1000), "f4"))
    assert caught.value.name == "CTCONV_ERR_NO_MEMORY"


def test_bfloat16():
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="bfloat16 arrays need ml_dtypes")
    bf = ml_dtypes.bfloat16
    y = ctconv.Layer(TORCH, ARGS, W.astype(bf), B.astype(bf))(X.astype(bf))
    assert y.dtype == bf
    np.testing.assert_array_equal(y.astype("f8"), WANT.astype(bf).astype("f8"))


class TestTorch:
    """torch tensors in, ndarrays out."""

    @pytest.fixture(autouse=True)
    def torch(self):
        self.torch = pytest.importorskip("torch", reason="torch is not installed: its tensors are not tried")

    def test_in(self, layer):
        same(layer(self.torch.from_numpy(X)))
        same(layer(self.torch.from_numpy(X).to(memory_format=self.torch.channels_last)))
        t = self.torch
        same(ctconv.Layer(TORCH, ARGS, t.nn.Parameter(t.from_numpy(W)).detach(), t.from_numpy(B))(t.from_numpy(X)))

    def test_out(self, layer):
        y = self.torch.full(WANT.shape, 99.0)
        assert layer(self.torch.from_numpy(X), out=y) is y
        same(y.numpy())

    def test_bfloat16(self):
        t = self.torch
        x, w, b = (t.from_numpy(a).to(t.bfloat16) for a in (X, W, B))
        y = t.empty(WANT.shape, dtype=t.bfloat16)
        ctconv.Layer(TORCH, ARGS, w, b)(x, out=y)
        np.testing.assert_array_equal(y.double().numpy(), t.from_numpy(WANT).to(t.bfloat16).double().numpy())

    def test_same_numbers_as_torch(self):
        t = self.torch
        theirs = t.nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2)
        ours = ctconv.torch.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2)
        ours.weight, ours.bias = theirs.weight.detach(), theirs.bias.detach()
        x = t.randn(2, 4, 7, 5)
        np.testing.assert_allclose(ours(x), theirs(x).detach().numpy(), rtol=1e-5, atol=1e-6)
