# SPDX-License-Identifier: Apache-2.0
"""mindspore.nn's transposed convolutions (2.10): same signatures, numpy in, numpy out.
dtype: a name, numpy's or mindspore's."""

from .._module import Module, constructor


class _ConvTranspose(Module):
    def construct(self, x, *, out=None):
        """x: (N, C, ...)."""
        return self._call(x, out=out)

    def __call__(self, *args, **kwargs):
        return self.construct(*args, **kwargs)


class Conv1dTranspose(_ConvTranspose):
    """mindspore.nn.Conv1dTranspose. weight: (in_channels, out_channels / group, 1, k)."""

    _dialect = "mindspore.nn.Conv1dTranspose"

    @constructor
    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        pad_mode="same",
        padding=0,
        dilation=1,
        group=1,
        has_bias=False,
        weight_init=None,
        bias_init=None,
        dtype="float32",
    ):
        pass


class Conv2dTranspose(_ConvTranspose):
    """mindspore.nn.Conv2dTranspose. weight: (in_channels, out_channels / group, kh, kw)."""

    _dialect = "mindspore.nn.Conv2dTranspose"

    @constructor
    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        pad_mode="same",
        padding=0,
        output_padding=0,
        dilation=1,
        group=1,
        has_bias=False,
        weight_init=None,
        bias_init=None,
        dtype="float32",
    ):
        pass


class Conv3dTranspose(_ConvTranspose):
    """mindspore.nn.Conv3dTranspose. weight: (in_channels, out_channels / group, kd, kh, kw)."""

    _dialect = "mindspore.nn.Conv3dTranspose"

    @constructor
    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        pad_mode="same",
        padding=0,
        dilation=1,
        group=1,
        output_padding=0,
        has_bias=False,
        weight_init=None,
        bias_init=None,
        data_format="NCDHW",
        dtype="float32",
    ):
        pass
