# SPDX-License-Identifier: Apache-2.0
"""Under torch.compile: a call of a drop-in module as one custom operator, ctconv::transposed_convolution,
so that the graph stays whole.

In:  a torch tensor on a CUDA device, the module's number, output_size.
Out: y; for tracing a fake y of its shape and strides.
Imported only where torch is loaded. Modules are known by number, weakly: a graph does not keep its module alive, the
module's user does. No gradient: a tensor that requires one does not come here,
its call breaks the graph and is refused as outside of compile.
"""

import itertools
import weakref
from typing import List, Optional

import torch

from .._device import strides_like
from .._layer import _UNSET

_modules, _numbers = weakref.WeakValueDictionary(), itertools.count()


def number_of(module):
    """The number under which the operator finds a module."""
    number = next(_numbers)
    _modules[number] = module
    return number


@torch.library.custom_op("ctconv::transposed_convolution", mutates_args=())
def transposed_convolution(x: torch.Tensor, module: int, output_size: Optional[List[int]] = None) -> torch.Tensor:
    return _modules[module]._call(x, output_size)


@transposed_convolution.register_fake
def _(x, module, output_size=None):
    shape = tuple(int(extent) for extent in x.shape)
    sizes = _UNSET if output_size is None else [int(extent) for extent in output_size]
    y = _modules[int(module)].layer(shape).output_shape(shape, sizes)
    return x.new_empty_strided(y, strides_like(x, y))
