# SPDX-License-Identifier: Apache-2.0
"""paddle.nn.functional's transposed convolutions (3.3): weight and bias per call, numpy out.

The op of each combination of arguments is kept (the last 64 of them), since descriptors are judged anew otherwise.
"""

from __future__ import annotations

import functools
import inspect
import threading
from typing import Any, Callable, TypeVar

from ..._layer import Layer
from ..._module import arguments_of, given
from ..._types import Array, Padding, Size

_OPS_HELD = 64
_ops, _lock = {}, threading.Lock()


def _frozen(value):
    """A key that tells apart what a dialect tells apart: 1, True and 1.0; tuples and lists."""
    if isinstance(value, (tuple, list)):
        return type(value), tuple(_frozen(v) for v in value)
    return type(value), value


def _layer_of(dialect, args):
    key = dialect, tuple((name, _frozen(value)) for name, value in args.items())
    try:
        layer = _ops.get(key)
    except TypeError:  # an argument that cannot be hashed is judged, not kept
        return Layer(dialect, args, None)
    if layer is None:
        layer = Layer(dialect, args, None)
        with _lock:
            if len(_ops) >= _OPS_HELD:
                _ops.pop(next(iter(_ops)))  # the oldest
            _ops[key] = layer
    return layer


_Function = TypeVar("_Function", bound=Callable[..., Any])


def _functional(function: _Function) -> _Function:
    """Decorates an empty function of the original's signature."""
    signature, dialect = inspect.signature(function), f"paddle.nn.functional.{function.__name__}"

    @functools.wraps(function)
    def call(*args, **kwargs):
        scope = arguments_of(signature, args, kwargs)
        x, weight, bias = (scope.pop(name) for name in ("x", "weight", "bias"))
        args = given(signature, scope)
        args.pop("name", None)  # a label for the original's graph
        return _layer_of(dialect, args)(x, weight=weight, bias=bias)

    return call  # type: ignore[return-value]


@_functional
def conv1d_transpose(
    x: Array,
    weight: Array,
    bias: Array = None,
    stride: Size = 1,
    padding: Padding = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
    output_size: Any = None,
    data_format: str = "NCL",
    name: str | None = None,
) -> Any:
    """paddle.nn.functional.conv1d_transpose."""


@_functional
def conv2d_transpose(
    x: Array,
    weight: Array,
    bias: Array = None,
    stride: Size = 1,
    padding: Padding = 0,
    output_padding: Size = 0,
    dilation: Size = 1,
    groups: int = 1,
    output_size: Any = None,
    data_format: str = "NCHW",
    name: str | None = None,
) -> Any:
    """paddle.nn.functional.conv2d_transpose; note dilation before groups."""


@_functional
def conv3d_transpose(
    x: Array,
    weight: Array,
    bias: Array = None,
    stride: Size = 1,
    padding: Padding = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
    output_size: Any = None,
    data_format: str = "NCDHW",
    name: str | None = None,
) -> Any:
    """paddle.nn.functional.conv3d_transpose."""
