# SPDX-License-Identifier: Apache-2.0
"""Weights that are packed once: of modules whose weights no longer change (accelerate(model, frozen=True)).

In:  a module, its input and weight.   Out: y; or None: let the operator compute, which packs the weight in each call.
The packed weight is made anew when address, version, type or layout of weight or bias differ, or torch's threads and
determinism. What changes a weight behind torch's back (`.data`, numpy) is not seen.
Only where nothing is lost: no gradient wanted, no transform, mode, autocast or compiler at work; f16, f32, f64 on the
CPU.
Copies and pickles of a module begin with nothing packed.
"""

import torch

from .._errors import Error
from .._layer import Layer
from .._torch_results import new_strided
from ._formats import prefers_channels_last, strides_of
from ._team import own_threads

_TYPES = (torch.float16, torch.float32, torch.float64)
NAME = "_ctconv_held"  # in a frozen module's __dict__


def _plain(x, weight, bias):
    if type(weight) not in (torch.Tensor, torch.nn.Parameter):
        return False
    if type(x) is not torch.Tensor or x.device.type != "cpu" or x.dtype not in _TYPES or x.dtype != weight.dtype:
        return False
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (x, weight, bias)):
        return False
    if torch._C._are_functorch_transforms_active():
        return False
    return not (torch._C._len_torch_dispatch_stack() or torch.is_autocast_enabled("cpu"))


def _state(tensor):
    if tensor is None:
        return None
    version = None if tensor.is_inference() else tensor._version
    return tensor.data_ptr(), version, tensor.dtype, tensor.shape, tensor.stride()


class Held:
    def __init__(self):
        self._packed = None, None, {}  # key, layer, {shape of x: shape of y}

    def __reduce__(self):
        return Held, ()

    def __deepcopy__(self, memo):
        return Held()

    def _pack(self, module, weight, options):
        args = {name: getattr(module, name) for name in ("in_channels", "out_channels", "kernel_size", "stride")}
        args |= {name: getattr(module, name) for name in ("padding", "output_padding", "groups", "dilation")}
        bias = None if module.bias is None else module.bias.detach()
        dialect = f"torch.nn.ConvTranspose{weight.dim() - 2}d"
        return Layer(dialect, {**args, "bias": bias is not None}, weight.detach(), bias, **options)

    def __call__(self, module, x, weight):
        if not _plain(x, weight, module.bias):
            return None
        exact = int(torch.are_deterministic_algorithms_enabled())
        options = dict((own_threads(), ("reproducible", exact)))
        key = _state(weight), _state(module.bias), *options.values()
        try:
            if key != self._packed[0]:
                self._packed = key, self._pack(module, weight, options), {}
            _, layer, shapes = self._packed
            shape = shapes.get(x.shape)
            if shape is None:
                shape = shapes[x.shape] = layer.output_shape(x.shape)
            last = x.dim() == weight.dim() and prefers_channels_last(x, weight)
            return layer(x.detach(), out=new_strided(x, shape, strides_of(shape, last)))
        except Error:
            return None  # for torch to refuse in its own words


def freeze(module):
    vars(module)[NAME] = Held()


def thaw(module):
    vars(module).pop(NAME, None)


def held(module, x, weight):
    """y where `module` is frozen and the call is a plain one, else None."""
    if torch.compiler.is_compiling():
        return None
    own = vars(module).get(NAME)
    return None if own is None else own(module, x, weight)
