"""torch.nn's transposed convolutions: same signatures, numpy (or a torch CPU tensor) in, numpy out.

dtype chooses the element type of the parameters; device is accepted and ignored (configure(device=...) chooses).
"""
from ._module import Module, constructor


class _ConvTranspose(Module):
    def forward(self, input, output_size=None, *, out=None):  # noqa: A002
        """input: (N, C, ...) or (C, ...)."""
        return self._call(input, output_size, out)

    def __call__(self, *args, **kwargs):
        return self.forward(*args, **kwargs)


class ConvTranspose1d(_ConvTranspose):
    """torch.nn.ConvTranspose1d. weight: (in_channels, out_channels / groups, k)."""

    _dialect = "torch.nn.ConvTranspose1d"

    @constructor
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True,
                 dilation=1, padding_mode="zeros", device=None, dtype=None):
        pass


class ConvTranspose2d(_ConvTranspose):
    """torch.nn.ConvTranspose2d. weight: (in_channels, out_channels / groups, kh, kw)."""

    _dialect = "torch.nn.ConvTranspose2d"

    @constructor
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True,
                 dilation=1, padding_mode="zeros", device=None, dtype=None):
        pass


class ConvTranspose3d(_ConvTranspose):
    """torch.nn.ConvTranspose3d. weight: (in_channels, out_channels / groups, kd, kh, kw)."""

    _dialect = "torch.nn.ConvTranspose3d"

    @constructor
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True,
                 dilation=1, padding_mode="zeros", device=None, dtype=None):
        pass
