# SPDX-License-Identifier: Apache-2.0
"""Questions that need no op: check, weight_shape, initialisers, and what the library says of itself."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import ctconv

TORCH = "torch.nn.ConvTranspose2d"
ARGS = {"in_channels": 4, "out_channels": 6, "kernel_size": (3, 5), "groups": 2}


def test_check_says_nothing_of_legal_arguments():
    assert ctconv.check(TORCH, ARGS) is None


def test_check_names_the_fault():
    with pytest.raises(ValueError) as caught:
        ctconv.check(TORCH, {**ARGS, "stride": (1, 0)})
    error = caught.value
    assert isinstance(error, ctconv.Error) and not isinstance(error, TypeError)
    assert (error.name, error.kind, error.argument) == ("CTCONV_ERR_VALUE_STRIDE", 2, "stride")
    assert error.status // 1000 == 2 and error.value and error.range and len(str(error)) > 10


def test_weight_and_bias_shape():
    assert ctconv.weight_shape(TORCH, ARGS) == (4, 3, 3, 5)
    assert ctconv.bias_shape(TORCH, ARGS) == (6,)
    assert ctconv.bias_shape(TORCH, {**ARGS, "bias": False}) is None


def test_weight_shape_derived_from_the_input():
    args = {"num_filters": 6, "output_size": 11}
    assert ctconv.weight_shape("paddle.static.nn.conv2d_transpose", args, x_shape=(1, 4, 5, 7)) == (4, 6, 7, 5)
    with pytest.raises(ctconv.Error) as caught:
        ctconv.weight_shape("paddle.static.nn.conv2d_transpose", args)
    assert caught.value.name == "CTCONV_ERR_MISUSE_NULL"


def test_weight_shape_that_does_not_follow():
    with pytest.raises(ctconv.Error) as caught:
        ctconv.weight_shape("onnx.ConvTranspose", {})
    assert caught.value.name == "CTCONV_ERR_UNSUPPORTED_WEIGHT_SPEC"
    assert not isinstance(caught.value, (TypeError, ValueError))


@pytest.mark.parametrize("dtype", [None, "float32", "float64", "float16"])
def test_initialisers_repeat_and_stay_in_range(dtype):
    w = ctconv.init_weight(TORCH, ARGS, 7, dtype=dtype)
    assert w.shape == (4, 3, 3, 5) and w.dtype == np.dtype(dtype or "float32")
    assert np.array_equal(w, ctconv.init_weight(TORCH, ARGS, 7, dtype=dtype))
    assert not np.array_equal(w, ctconv.init_weight(TORCH, ARGS, 8, dtype=dtype))
    bound = 1 / np.sqrt(3 * 3 * 5)  # fan_in of a transposed weight is shape[1] * taps
    assert 0.5 * bound < np.abs(w).max() <= bound * 1.001
    b = ctconv.init_bias(TORCH, ARGS, 7, dtype=dtype)
    assert b.shape == (6,) and 0 < np.abs(b).max() <= bound * 1.001
    assert ctconv.init_bias(TORCH, {**ARGS, "bias": False}, 7) is None


def test_initialiser_from_a_tensor():
    value = np.arange(4 * 6 * 3 * 3, dtype="float32").reshape(4, 6, 3, 3)
    args = {"in_channels": 4, "out_channels": 6, "kernel_size": 3, "weight_init": value}
    assert np.array_equal(ctconv.init_weight("mindspore.nn.Conv2dTranspose", args, 0), value)
    with pytest.raises(ValueError) as caught:
        ctconv.init_weight("mindspore.nn.Conv2dTranspose", {**args, "weight_init": value[:2]}, 0)
    assert caught.value.name == "CTCONV_ERR_VALUE_WEIGHT_INIT"


def test_lists():
    names = ctconv.dialects()
    assert TORCH in names and "ctconv" in names and len(names) == len(set(names)) >= 20
    for name in names:
        arguments = ctconv.dialect_arguments(name)
        assert arguments and all(a.name for a in arguments)
        positions = [a.position for a in arguments if a.position >= 0]
        assert positions == sorted(set(positions))
        assert all(a.default == "" for a in arguments if a.required)
    first = ctconv.dialect_arguments(TORCH)[0]
    assert first == ctconv.Argument("in_channels", "", 0, True)
    assert "reference" in ctconv.engines() and "native" in ctconv.engines()


def test_unknown_dialect():
    for ask in (ctconv.dialect_arguments, lambda n: ctconv.check(n, {}), lambda n: ctconv.Layer(n, {}, None)):
        with pytest.raises(ctconv.Error) as caught:
            ask("torch.nn.Linear")
        assert caught.value.name == "CTCONV_ERR_MISUSE_DIALECT" and TORCH in str(caught.value)


def test_version_and_build():
    assert ctconv.version == ctconv.__version__ and ctconv.version.count(".") == 2
    assert "compiler" in ctconv.build_info()


def test_every_public_name_exists():
    for name in ctconv.__all__:
        assert hasattr(ctconv, name)


def test_a_star_import_hides_no_package():
    scope = {name: name for name in ("torch", "keras", "paddle", "mindspore", "megengine")}
    before = dict(scope)
    exec("from ctconv import *", scope)  # noqa: S102
    assert {name: scope[name] for name in before} == before
    assert scope["Layer"] is ctconv.Layer


def test_public_classes_say_where_they_are_found():
    for name in ("Argument", "ArgumentTypeError", "ArgumentValueError", "Error", "Layer", "Runner", "ShapeError"):
        cls = getattr(ctconv, name)
        assert f"{cls.__module__}.{cls.__qualname__}" == f"ctconv.{name}"


def in_a_copy(tmp_path, *files, by_name=False):
    """What engines() and build_info() say of a copy of the library with `files` beside it.
    by_name: the loader finds it."""
    library = shutil.copy(os.path.realpath(ctconv._abi.lib._name), tmp_path / "libctconv.so")
    for name in files:
        (tmp_path / name).write_bytes(b"")
    inherited = {k: v for k, v in os.environ.items() if k not in ("CTCONV_CUDA_MODULE", "LD_LIBRARY_PATH")}
    by_name = {"CTCONV_LIBRARY": "libctconv.so", "LD_LIBRARY_PATH": str(tmp_path)} if by_name else {}
    code = "import ctconv; print(ctconv.engines()); print(ctconv.build_info())"
    out = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        text=True,
        stdout=subprocess.PIPE,
        env={**inherited, "CTCONV_LIBRARY": library, **by_name},
    ).stdout
    return out.splitlines()[0], next(line for line in out.splitlines() if line.startswith("cuda: "))


def test_engines_are_those_that_are_there(tmp_path):
    names, line = in_a_copy(tmp_path)
    assert "cudnn" not in names and "cuda" not in names and "native" in names
    assert "opened on first use" not in line
    for by_name in (False, True):
        names, line = in_a_copy(tmp_path, "libctconv_cuda.so", by_name=by_name)
        assert "cudnn" in names or "cuda" in names
        assert "libctconv_cuda.so" in line
