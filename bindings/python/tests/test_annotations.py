# SPDX-License-Identifier: Apache-2.0
"""Public functions and methods say their types; py.typed is there; mypy agrees, where it is installed."""

import importlib
import inspect
import os
import pathlib
import subprocess
import sys

import pytest

import ctconv

FOLDER = pathlib.Path(ctconv.__file__).parent
MODULES = [
    "",
    "pool",
    "torch",
    "mindspore.nn",
    "mindspore.ops",
    "paddle.nn",
    "paddle.nn.functional",
    "megengine.module",
]
INHERITED = (object, tuple, Exception, TypeError, ValueError)


def callables():
    """(name, function) of all that a user calls."""
    for name in MODULES:
        module = importlib.import_module(".".join(filter(None, ["ctconv", name])))
        for key, value in vars(module).items():
            where = getattr(value, "__module__", "")
            if key.startswith("_") or not (where == module.__name__ or key in getattr(module, "__all__", ())):
                continue
            if inspect.isfunction(value):
                yield f"{module.__name__}.{key}", value
            elif inspect.isclass(value):
                for method, function in methods(value):
                    yield f"{module.__name__}.{key}.{method}", function


def methods(cls):
    for base in cls.__mro__:
        for name, value in vars(base).items() if base not in INHERITED else ():
            function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
            if inspect.isfunction(function) and (not name.startswith("_") or name in ("__init__", "__call__")):
                if function.__module__.startswith("ctconv"):
                    yield name, function


def test_every_public_function_says_its_types():
    missing, seen = set(), 0
    for name, function in callables():
        seen += 1
        signature = inspect.signature(function)
        if signature.return_annotation is inspect.Signature.empty:
            missing.add(f"{name}: result")
        for parameter in signature.parameters.values():
            if parameter.annotation is inspect.Parameter.empty and parameter.name not in ("self", "cls"):
                missing.add(f"{name}: {parameter.name}")
    assert not missing and seen > 60


def test_the_marker_is_there():
    assert (FOLDER / "py.typed").is_file()


PROGRAM = """
import numpy as np
import ctconv

args = {"in_channels": 3, "out_channels": 8, "kernel_size": 4}
layer = ctconv.Layer("torch.nn.ConvTranspose2d", args, ctconv.init_weight("torch.nn.ConvTranspose2d", args, seed=0))
y = layer(np.ones((1, 3, 16, 16), "float32"))
shape: tuple[int, ...] = layer.output_shape((1, 3, 16, 16))
up = ctconv.torch.ConvTranspose2d(3, 8, 4, stride=(2, 2)).configure(threads=2)
name: str = up.layer().describe()
ctconv.pool.set_limit(1 << 20)
try:
    ctconv.check("torch.nn.ConvTranspose2d", {})
except ctconv.Error as error:
    print(error.name, error.status + 1)
"""


def test_mypy(tmp_path):
    pytest.importorskip("mypy", reason="mypy is not installed")
    program, wrong = tmp_path / "program.py", tmp_path / "wrong.py"
    program.write_text(PROGRAM)
    wrong.write_text(PROGRAM + "layer.output_shape(3)\nup.forward()\nctconv.pool.set_limit('1')\n")

    def mypy(path):
        command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", str(path)]
        environment = {**os.environ, "MYPYPATH": str(FOLDER.parent)}
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=environment, timeout=300)

    done = mypy(program)
    assert done.returncode == 0, done.stdout
    done = mypy(wrong)
    assert done.returncode == 1 and done.stdout.count("error:") == 3, done.stdout
