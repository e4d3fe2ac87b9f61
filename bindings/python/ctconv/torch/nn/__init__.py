# SPDX-License-Identifier: Apache-2.0
"""torch.nn's transposed convolutions, computed by libctconv, forward and backward.

In:  torch's own constructor arguments and tensors.   Out: what torch's own modules give.
They are torch's classes: state_dict, parameters(), to(), repr and hooks are torch's own. Only forward differs: it calls
functional.py here. docs/training.md says what the gradients promise.
Refuses: what torch refuses, with torch's own error; what torch takes and libctconv does not, with ctconv's.
"""

import torch

from . import functional

__all__ = ["ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "accelerate", "functional"]


def _forward(module, rank, run, input, output_size):  # noqa: A002
    output_padding = module._output_padding(
        input, output_size, module.stride, module.padding, module.kernel_size, rank, module.dilation
    )
    geometry = module.stride, module.padding, output_padding, module.groups, module.dilation
    return run(input, module.weight, module.bias, *geometry)


def _is_torchs_to_refuse(module):
    return module.padding_mode != "zeros" or not isinstance(module.padding, tuple)


class ConvTranspose1d(torch.nn.ConvTranspose1d):
    def forward(self, input, output_size=None):  # noqa: A002
        if _is_torchs_to_refuse(self):
            return super().forward(input, output_size)
        return _forward(self, 1, functional.conv_transpose1d, input, output_size)


class ConvTranspose2d(torch.nn.ConvTranspose2d):
    def forward(self, input, output_size=None):  # noqa: A002
        if _is_torchs_to_refuse(self):
            return super().forward(input, output_size)
        return _forward(self, 2, functional.conv_transpose2d, input, output_size)


class ConvTranspose3d(torch.nn.ConvTranspose3d):
    def forward(self, input, output_size=None):  # noqa: A002
        if _is_torchs_to_refuse(self):
            return super().forward(input, output_size)
        return _forward(self, 3, functional.conv_transpose3d, input, output_size)


_OURS = {getattr(torch.nn, own.__name__): own for own in (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)}

for _original, _own in _OURS.items():
    _own.__doc__ = f"torch.nn.{_original.__name__}, computed by libctconv. As PyTorch documents it:\n\n" + (
        _original.__doc__ or ""
    )


def accelerate(model):
    """See ctconv.torch.accelerate."""
    for module in model.modules():
        if type(module) in _OURS:
            module.__class__ = _OURS[type(module)]
    return model
