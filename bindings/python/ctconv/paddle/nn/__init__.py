# SPDX-License-Identifier: Apache-2.0
"""paddle.nn's transposed convolutions (3.3): same signatures, numpy (or a paddle CPU tensor) in, numpy out."""

from __future__ import annotations

from typing import Any

from ..._module import Module, constructor
from ..._types import Array, Padding, Size
from . import functional  # noqa: F401


class _ConvTranspose(Module):
    def forward(self, x: Array, output_size: Size | None = None, *, out: Array = None) -> Any:
        """x: in the layout of data_format."""
        return self._call(x, output_size, out)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)


class Conv1DTranspose(_ConvTranspose):
    """paddle.nn.Conv1DTranspose; note groups before dilation. weight: (in_channels, out_channels / groups, k)."""

    _dialect = "paddle.nn.Conv1DTranspose"

    @constructor
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Padding = 0,
        output_padding: Size = 0,
        groups: int = 1,
        dilation: Size = 1,
        weight_attr: Any = None,
        bias_attr: Any = None,
        data_format: str = "NCL",
    ) -> None:
        pass


class Conv2DTranspose(_ConvTranspose):
    """paddle.nn.Conv2DTranspose. weight: (in_channels, out_channels / groups, kh, kw)."""

    _dialect = "paddle.nn.Conv2DTranspose"

    @constructor
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Padding = 0,
        output_padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        weight_attr: Any = None,
        bias_attr: Any = None,
        data_format: str = "NCHW",
    ) -> None:
        pass


class Conv3DTranspose(_ConvTranspose):
    """paddle.nn.Conv3DTranspose. weight: (in_channels, out_channels / groups, kd, kh, kw)."""

    _dialect = "paddle.nn.Conv3DTranspose"

    @constructor
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Padding = 0,
        output_padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        weight_attr: Any = None,
        bias_attr: Any = None,
        data_format: str = "NCDHW",
    ) -> None:
        pass
