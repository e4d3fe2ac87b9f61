# SPDX-License-Identifier: Apache-2.0
"""paddle.nn's transposed convolutions (3.3): same signatures, numpy (or a paddle CPU tensor) in, numpy out."""

from ..._module import Module, constructor
from . import functional  # noqa: F401


class _ConvTranspose(Module):
    def forward(self, x, output_size=None, *, out=None):
        """x: in the layout of data_format."""
        return self._call(x, output_size, out)

    def __call__(self, *args, **kwargs):
        return self.forward(*args, **kwargs)


class Conv1DTranspose(_ConvTranspose):
    """paddle.nn.Conv1DTranspose; note groups before dilation. weight: (in_channels, out_channels / groups, k)."""

    _dialect = "paddle.nn.Conv1DTranspose"

    @constructor
    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        output_padding=0,
        groups=1,
        dilation=1,
        weight_attr=None,
        bias_attr=None,
        data_format="NCL",
    ):
        pass


class Conv2DTranspose(_ConvTranspose):
    """paddle.nn.Conv2DTranspose. weight: (in_channels, out_channels / groups, kh, kw)."""

    _dialect = "paddle.nn.Conv2DTranspose"

    @constructor
    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        output_padding=0,
        dilation=1,
        groups=1,
        weight_attr=None,
        bias_attr=None,
        data_format="NCHW",
    ):
        pass


class Conv3DTranspose(_ConvTranspose):
    """paddle.nn.Conv3DTranspose. weight: (in_channels, out_channels / groups, kd, kh, kw)."""

    _dialect = "paddle.nn.Conv3DTranspose"

    @constructor
    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        output_padding=0,
        dilation=1,
        groups=1,
        weight_attr=None,
        bias_attr=None,
        data_format="NCDHW",
    ):
        pass
