# SPDX-License-Identifier: Apache-2.0
"""The drop-in classes: original signatures, initialised parameters, the same numbers as a Layer."""

import copy
import inspect
import pickle

import numpy as np
import pytest

import ctconv
from problems import integers, scatter

nn = ctconv.mindspore.nn
CLASSES = [
    ctconv.torch.ConvTranspose1d,
    ctconv.torch.ConvTranspose2d,
    ctconv.torch.ConvTranspose3d,
    nn.Conv1dTranspose,
    nn.Conv2dTranspose,
    nn.Conv3dTranspose,
    ctconv.mindspore.ops.Conv3DTranspose,
    ctconv.paddle.nn.Conv1DTranspose,
    ctconv.paddle.nn.Conv2DTranspose,
    ctconv.paddle.nn.Conv3DTranspose,
    ctconv.megengine.ConvTranspose3d,
    ctconv.megengine.module.ConvTranspose2d,
    ctconv.megengine.module.ConvTranspose3d,
    ctconv.keras.layers.Conv2DTranspose,
    ctconv.keras.layers.Conv3DTranspose,
]
FUNCTIONS = [getattr(ctconv.paddle.nn.functional, f"conv{n}d_transpose") for n in (1, 2, 3)]
# Written down from the packages' own inspect.signature.
SIGNATURES = {
    "torch.nn.ConvTranspose3d": (
        "(in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True, "
        "dilation=1, padding_mode='zeros', device=None, dtype=None)"
    ),
    "mindspore.nn.Conv1dTranspose": (
        "(in_channels, out_channels, kernel_size, stride=1, pad_mode='same', padding=0, dilation=1, group=1, "
        "has_bias=False, weight_init=None, bias_init=None, dtype='float32')"
    ),
    "mindspore.nn.Conv2dTranspose": (
        "(in_channels, out_channels, kernel_size, stride=1, pad_mode='same', padding=0, output_padding=0, "
        "dilation=1, group=1, has_bias=False, weight_init=None, bias_init=None, dtype='float32')"
    ),
    "mindspore.nn.Conv3dTranspose": (
        "(in_channels, out_channels, kernel_size, stride=1, pad_mode='same', padding=0, dilation=1, group=1, "
        "output_padding=0, has_bias=False, weight_init=None, bias_init=None, data_format='NCDHW', "
        "dtype='float32')"
    ),
    "mindspore.ops.Conv3DTranspose": (
        "(in_channel, out_channel, kernel_size, mode=1, pad_mode='valid', pad=0, stride=1, dilation=1, "
        "group=1, output_padding=0, data_format='NCDHW')"
    ),
    "paddle.nn.Conv1DTranspose": (
        "(in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, dilation=1, "
        "weight_attr=None, bias_attr=None, data_format='NCL')"
    ),
    "paddle.nn.Conv2DTranspose": (
        "(in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, dilation=1, groups=1, "
        "weight_attr=None, bias_attr=None, data_format='NCHW')"
    ),
    "paddle.nn.Conv3DTranspose": (
        "(in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, dilation=1, groups=1, "
        "weight_attr=None, bias_attr=None, data_format='NCDHW')"
    ),
    "megengine.module.ConvTranspose3d": (
        "(in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, dilation=1, groups=1, "
        "bias=True)"
    ),
}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c._dialect)
def test_signature_is_the_original(cls):
    signature = inspect.signature(cls)
    plain = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    signature = signature.replace(parameters=plain, return_annotation=signature.empty)
    if cls._dialect in SIGNATURES:
        assert str(signature) == SIGNATURES[cls._dialect]
    parameters = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    table = {a.name: a for a in ctconv.dialect_arguments(cls._dialect)}
    named = [p.name for p in parameters if p.name in table]
    assert named == sorted(table, key=lambda name: table[name].position)
    for p in parameters:
        if p.name in table and p.default is not p.empty:
            documented = table[p.name].default.removeprefix("mindspore.").strip("'")
            assert repr(p.default).strip("'") == documented, (p.name, table[p.name])
        elif p.name in table:
            assert table[p.name].required


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_functional_signature(function):
    table = [a.name for a in ctconv.dialect_arguments("paddle.nn.functional." + function.__name__)]
    mine = list(inspect.signature(function).parameters)
    assert mine[:3] == ["x", "weight", "bias"]
    assert [n for n in mine if n in table] == [n for n in table if n in mine]


def build(cls, **more):
    rank = int(next(c for c in cls.__name__ if c.isdigit()))
    names = {"keras": ("filters", "kernel_size")}.get(
        cls._dialect.split(".")[0], ("in_channels", "out_channels", "kernel_size")
    )
    values = {"in_channels": 4, "out_channels": 6, "filters": 6, "kernel_size": 3}
    layer = cls(*[values[n] for n in names], **more)
    x = integers((2, *([5] * rank), 4) if "keras" in cls._dialect else (2, 4, *([5] * rank)))
    return layer, x


LAYERS = [c for c in CLASSES if "ops" not in c._dialect]


@pytest.mark.parametrize("cls", LAYERS, ids=lambda c: c._dialect)
def test_makes_its_parameters_and_computes(cls):
    layer, x = build(cls)
    y = layer(x)
    assert type(y) is np.ndarray and y.dtype == "float32" and np.abs(y).max() > 0
    assert np.array_equal(y, ctconv.Layer(cls._dialect, layer._args, layer.weight, layer.bias)(x))
    assert layer.weight.shape == ctconv.weight_shape(cls._dialect, layer._args, x.shape)
    out = np.empty_like(y)
    assert layer(x, out=out) is out and np.array_equal(out, y)


@pytest.mark.parametrize("cls", LAYERS, ids=lambda c: c._dialect)
def test_seed(cls):
    def fresh():
        layer, x = build(cls)
        layer(x)
        return layer.weight

    ctconv.seed(5)
    first, second = fresh(), fresh()
    ctconv.seed(5)
    assert np.array_equal(fresh(), first)
    assert not np.array_equal(first, second)
    ctconv.seed(6)
    assert not np.array_equal(fresh(), first)
    layer, x = build(cls)
    layer.reset_parameters(seed=1, x_shape=x.shape)
    once = layer.weight
    layer.reset_parameters(seed=1, x_shape=x.shape)
    assert np.array_equal(layer.weight, once)


@pytest.mark.parametrize("cls", LAYERS, ids=lambda c: c._dialect)
def test_weight_is_assigned_not_edited(cls):
    layer, x = build(cls)
    y = layer(x)
    with pytest.raises(ValueError):
        layer.weight[...] = 0
    w = 2 * layer.weight
    layer.weight = w
    if layer.bias is not None:
        layer.bias = 2 * layer.bias
    np.testing.assert_array_equal(layer(x), 2 * y)
    w[...] = 0
    np.testing.assert_array_equal(layer(x), 2 * y)
    layer.weight = np.zeros((1, 2, 3), "float32")
    with pytest.raises(ValueError):
        layer(x)


@pytest.mark.parametrize("cls", LAYERS, ids=lambda c: c._dialect)
def test_copies(cls):
    layer, x = build(cls)
    y = layer(x)
    for twin in (copy.copy(layer), copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(twin(x), y)
        assert repr(twin) == repr(layer)


@pytest.mark.parametrize("cls", LAYERS, ids=lambda c: c._dialect)
def test_configure(cls):
    layer, x = build(cls)
    y = layer(x)
    np.testing.assert_array_equal(layer.configure(activation="relu", engine="reference")(x), np.maximum(y, 0))
    assert layer.layer().describe(x.shape).startswith("engine: reference")


@pytest.mark.parametrize("cls", LAYERS, ids=lambda c: c._dialect)
def test_faults_at_construction(cls):
    with pytest.raises(ValueError) as caught:
        build(cls, **{"strides" if "keras" in cls._dialect else "stride": 0})
    assert caught.value.name == "CTCONV_ERR_VALUE_STRIDE"
    with pytest.raises(TypeError):
        cls(4)
    with pytest.raises(TypeError):
        build(cls, colour=1)


def test_arguments_are_attributes():
    layer = ctconv.torch.ConvTranspose2d(4, 6, 3, 2, 1)
    assert (layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding, layer.groups) == (
        4,
        6,
        3,
        2,
        1,
        1,
    )
    assert layer.bias.shape == (6,)
    with pytest.raises(AttributeError):
        layer.colour
    assert repr(layer) == "ConvTranspose2d(in_channels=4, out_channels=6, kernel_size=3, stride=2, padding=1)"


def test_what_a_torch_module_would_have():
    up = ctconv.torch.ConvTranspose2d(4, 6, 3)
    for name in ("parameters", "state_dict", "load_state_dict", "eval", "train", "register_forward_hook"):
        assert not hasattr(up, name)
        with pytest.raises(AttributeError, match=r"no torch\.nn\.Module.*Take ctconv\.torch\.nn\.ConvTranspose2d"):
            getattr(up, name)


def test_torch_details():
    layer = ctconv.torch.ConvTranspose2d(4, 6, 3, stride=2, bias=False, dtype="float64")
    assert layer.bias is None and layer.weight.dtype == "float64"
    assert layer(integers((2, 4, 5, 5), dtype="float64"), output_size=[12, 12]).shape == (2, 6, 12, 12)
    assert layer.forward(integers((4, 5, 5), dtype="float64")).shape == (6, 11, 11)

    class Mine(ctconv.torch.ConvTranspose2d):
        def __init__(self):
            super().__init__(4, 6, 3)

    assert Mine()(integers((1, 4, 5, 5))).shape == (1, 6, 7, 7)


def test_mindspore_details():
    layer = ctconv.mindspore.nn.Conv2dTranspose(
        4, 6, 3, has_bias=True, weight_init="ones", bias_init=0.5, dtype=np.float16
    )
    assert layer.weight.dtype == "float16" and (layer.weight == 1).all() and (layer.bias == 0.5).all()
    op = ctconv.mindspore.ops.Conv3DTranspose(4, 6, 3)
    x, w = integers((1, 4, 5, 5, 5)), integers((4, 6, 3, 3, 3))
    np.testing.assert_array_equal(op(x, w), scatter(x, w))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(op)).configure(engine="reference")(x, w), scatter(x, w))
    with pytest.raises(ValueError) as caught:
        op(x, w, np.zeros(6, "float32"))
    assert caught.value.name == "CTCONV_ERR_VALUE_BIAS_NOT_NONE"
    with pytest.raises(TypeError):
        ctconv.mindspore.ops.Conv3DTranspose(4, 6, [3, 3, 3])


def test_paddle_functional():
    F = ctconv.paddle.nn.functional
    x, w, b = integers((1, 4, 5, 6)), integers((4, 3, 3, 3)), integers((6,))
    for _ in range(2):
        np.testing.assert_array_equal(
            F.conv2d_transpose(x, w, b, stride=2, groups=2), scatter(x, w, b, stride=2, groups=2)
        )
        assert F.conv2d_transpose(x, w, b, 2, groups=2, output_size=[12, 14]).shape == (1, 6, 12, 14)
        with pytest.raises(ValueError) as caught:
            F.conv2d_transpose(x, w, b, 2, groups=2, output_size=12, output_padding=1)
        assert caught.value.name == "CTCONV_ERR_VALUE_OUTPUT_SIZE_AND_OUTPUT_PADDING"
    with pytest.raises(ValueError):
        F.conv2d_transpose(x, w, b, stride={2: 2}, groups=2)


def test_megengine_grouped_weight():
    layer = ctconv.megengine.ConvTranspose3d(4, 6, 3, groups=2)
    assert layer.weight.shape == (2, 2, 3, 3, 3, 3) and layer.bias.shape == (1, 6, 1, 1, 1)


def test_keras_details():
    layer = ctconv.keras.layers.Conv2DTranspose(
        6, 3, strides=2, padding="same", activation="relu", name="up", kernel_constraint=None
    )
    assert layer.weight is None
    layer.build((None, 5, 5, 4))
    assert layer.kernel.shape == (3, 3, 6, 4) and [w.shape for w in layer.get_weights()] == [(3, 3, 6, 4), (6,)]
    y = layer(integers((2, 5, 5, 4)))
    assert y.shape == (2, 10, 10, 6) and y.min() == 0
    layer.set_weights([np.zeros((3, 3, 6, 4), "float32"), np.ones(6, "float32")])
    assert (layer(integers((2, 5, 5, 4))) == 1).all()
    assert (
        ctconv.keras.layers.Conv3DTranspose(2, 2, dtype="float64")
        .call(integers((1, 3, 3, 3, 2), dtype="float64"))
        .dtype
        == "float64"
    )


OVERRIDES = [(c, {"mindspore": "construct", "keras": "call"}.get(c._dialect.split(".")[0], "forward")) for c in LAYERS]


@pytest.mark.parametrize("cls,name", OVERRIDES, ids=lambda v: getattr(v, "_dialect", None))
def test_an_overridden_forward_runs(cls, name):
    calls = []

    def shifted(self, *args, **kwargs):
        calls.append(args)
        return getattr(super(mine, self), name)(*args, **kwargs) + 1

    mine = type(cls.__name__, (cls,), {name: shifted})
    layer, x = build(mine)
    y = layer(x)
    assert len(calls) == 1
    np.testing.assert_array_equal(y, getattr(layer, name)(x))
    np.testing.assert_array_equal(y, getattr(cls, name)(layer, x) + 1)


def test_an_overridden_build_runs():
    class Mine(ctconv.keras.layers.Conv2DTranspose):
        def build(self, input_shape):
            super().build(input_shape)
            self.built_for = input_shape

    layer = Mine(6, 3)
    layer(integers((2, 5, 5, 4)))
    assert layer.built_for == (2, 5, 5, 4)


def test_a_runner_among_the_options():
    layer, x = build(ctconv.torch.ConvTranspose2d)
    y = layer(x)
    layer.configure(runner=ctconv.Runner(in_turn, workers=2))
    for twin in (copy.copy(layer), copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(twin(x), y)


def in_turn(count, task):
    for i in range(count):
        task(i, 0)
