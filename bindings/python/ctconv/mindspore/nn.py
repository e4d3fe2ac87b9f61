# SPDX-License-Identifier: Apache-2.0
"""mindspore.nn's transposed convolutions (2.10): same signatures, numpy in, numpy out.
dtype: a name, numpy's or mindspore's."""

from __future__ import annotations

from typing import Any

from .._module import Module, constructor
from .._types import Array, Size


class _ConvTranspose(Module):
    def construct(self, x: Array, *, out: Array = None) -> Any:
        """x: (N, C, ...)."""
        return self._call(x, out=out)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.construct(*args, **kwargs)


class Conv1dTranspose(_ConvTranspose):
    """mindspore.nn.Conv1dTranspose. weight: (in_channels, out_channels / group, 1, k)."""

    _dialect = "mindspore.nn.Conv1dTranspose"

    @constructor
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        pad_mode: str = "same",
        padding: Size = 0,
        dilation: Size = 1,
        group: int = 1,
        has_bias: bool = False,
        weight_init: Any = None,
        bias_init: Any = None,
        dtype: Any = "float32",
    ) -> None:
        pass


class Conv2dTranspose(_ConvTranspose):
    """mindspore.nn.Conv2dTranspose. weight: (in_channels, out_channels / group, kh, kw)."""

    _dialect = "mindspore.nn.Conv2dTranspose"

    @constructor
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        pad_mode: str = "same",
        padding: Size = 0,
        output_padding: Size = 0,
        dilation: Size = 1,
        group: int = 1,
        has_bias: bool = False,
        weight_init: Any = None,
        bias_init: Any = None,
        dtype: Any = "float32",
    ) -> None:
        pass


class Conv3dTranspose(_ConvTranspose):
    """mindspore.nn.Conv3dTranspose. weight: (in_channels, out_channels / group, kd, kh, kw)."""

    _dialect = "mindspore.nn.Conv3dTranspose"

    @constructor
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        pad_mode: str = "same",
        padding: Size = 0,
        dilation: Size = 1,
        group: int = 1,
        output_padding: Size = 0,
        has_bias: bool = False,
        weight_init: Any = None,
        bias_init: Any = None,
        data_format: str = "NCDHW",
        dtype: Any = "float32",
    ) -> None:
        pass
