# SPDX-License-Identifier: Apache-2.0
"""torch.nn's transposed convolutions, computed by libctconv, forward and backward.

In:  torch's own constructor arguments and tensors.   Out: what torch's own modules give.
They are torch's classes: state_dict, parameters(), to(), repr and hooks are torch's own. Only forward differs: it calls
functional.py here. docs/training.md says what the gradients promise.
What torch takes and libctconv does not (a type, a layout, a device) is computed by torch; a warning says why, once.
Refuses: what torch refuses, with torch's own error.
"""

import torch

from ..._errors import refusal
from .._direct import direct
from .._held import NAME as HELD
from .._held import held
from .._serves import left_to_torch
from . import functional

_INT = {int}

__all__ = ["ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "functional"]


def _is_torchs(module, x, weight):
    if module.padding_mode != "zeros" or not isinstance(module.padding, tuple):
        return True  # to refuse
    return left_to_torch(x, weight)


def _direct(module, x, weight, output_size):
    """y where nothing stands between the call and the kernel, else None."""
    if output_size is not None or module.padding_mode != "zeros" or HELD in module.__dict__:
        return None
    padding, groups = module.padding, module.groups
    if type(padding) is not tuple:
        return None
    stride, more, dilation = module.stride, module.output_padding, module.dilation
    if {*map(type, (*stride, *padding, *more, *dilation, groups))} != _INT:
        return None  # for torch to refuse: a True or 2.0 that equals an int
    return direct(x, weight, module.bias, stride, padding, more, groups, dilation)


def _forward(module, rank, run, x, weight, output_size):
    if isinstance(x, torch.fx.Proxy):  # torch.fx: a module call of the graph, as torch's own layers are
        path = x.tracer.path_of_module(module)
        more = {} if output_size is None else {"output_size": output_size}
        return x.tracer.create_proxy("call_module", path, (x,), more)
    y = held(module, x, weight) if output_size is None else None
    if y is not None:
        return y
    output_padding = module._output_padding(
        x, output_size, module.stride, module.padding, module.kernel_size, rank, module.dilation
    )
    return run(x, weight, module.bias, module.stride, module.padding, output_padding, module.groups, module.dilation)


class ConvTranspose1d(torch.nn.ConvTranspose1d):
    def forward(self, input, output_size=None):  # noqa: A002
        weight = self.weight  # once: a parametrization computes it
        y = _direct(self, input, weight, output_size)
        if y is not None:
            return y
        if _is_torchs(self, input, weight):
            return super().forward(input, output_size)
        return _forward(self, 1, functional.conv_transpose1d, input, weight, output_size)


class ConvTranspose2d(torch.nn.ConvTranspose2d):
    def forward(self, input, output_size=None):  # noqa: A002
        weight = self.weight
        y = _direct(self, input, weight, output_size)
        if y is not None:
            return y
        if _is_torchs(self, input, weight):
            return super().forward(input, output_size)
        return _forward(self, 2, functional.conv_transpose2d, input, weight, output_size)


class ConvTranspose3d(torch.nn.ConvTranspose3d):
    def forward(self, input, output_size=None):  # noqa: A002
        weight = self.weight
        y = _direct(self, input, weight, output_size)
        if y is not None:
            return y
        if _is_torchs(self, input, weight):
            return super().forward(input, output_size)
        return _forward(self, 3, functional.conv_transpose3d, input, weight, output_size)


def _no_script(module):
    """torch.jit.script asks this first, of every module inside a model too."""
    raise refusal(
        "UNSUPPORTED_ENGINE",
        f"torch.jit.script cannot compile {type(module).__name__} of ctconv.torch.nn: libctconv computes it. "
        "torch.jit.trace, torch.compile and torch.export take it. Or call ctconv.torch.restore(model) first, "
        "which gives it back to torch",
    )


for _own in (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d):
    _own.__prepare_scriptable__ = _no_script
    _own.__doc__ = f"torch.nn.{_own.__name__}, computed by libctconv. As PyTorch documents it:\n\n" + (
        _own.__base__.__doc__ or ""
    )
