# SPDX-License-Identifier: Apache-2.0
"""megengine.module's transposed convolutions (1.13): same signatures, numpy in, numpy out.

Grouped weights have the documented six axes: (groups, in_channels / groups, out_channels / groups, k...);
bias is (1, out_channels, 1, ...).
"""

from __future__ import annotations

from typing import Any

from .._module import Module, constructor
from .._types import Array, Size


class _ConvTranspose(Module):
    def forward(self, inp: Array, *, out: Array = None) -> Any:
        """inp: (N, C, ...)."""
        return self._call(inp, out=out)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)


class ConvTranspose2d(_ConvTranspose):
    """megengine.module.ConvTranspose2d."""

    _dialect = "megengine.module.ConvTranspose2d"

    @constructor
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        pass


class ConvTranspose3d(_ConvTranspose):
    """megengine.module.ConvTranspose3d."""

    _dialect = "megengine.module.ConvTranspose3d"

    @constructor
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        pass
