# SPDX-License-Identifier: Apache-2.0
"""megengine.module's transposed convolutions (1.13): same signatures, numpy in, numpy out.

Grouped weights have the documented six axes: (groups, in_channels / groups, out_channels / groups, k...);
bias is (1, out_channels, 1, ...).
"""

from .._module import Module, constructor


class _ConvTranspose(Module):
    def forward(self, inp, *, out=None):
        """inp: (N, C, ...)."""
        return self._call(inp, out=out)

    def __call__(self, *args, **kwargs):
        return self.forward(*args, **kwargs)


class ConvTranspose2d(_ConvTranspose):
    """megengine.module.ConvTranspose2d."""

    _dialect = "megengine.module.ConvTranspose2d"

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
        bias=True,
    ):
        pass


class ConvTranspose3d(_ConvTranspose):
    """megengine.module.ConvTranspose3d."""

    _dialect = "megengine.module.ConvTranspose3d"

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
        bias=True,
    ):
        pass
