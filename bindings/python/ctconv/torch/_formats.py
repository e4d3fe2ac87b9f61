# SPDX-License-Identifier: Apache-2.0
"""Memory formats as torch chooses them for a convolution.

In:  shapes and strides.   Out: whether a tensor is channels_last, whether a result is, and dense strides for it.
A result is channels_last (channels_last_3d) where x or the weight is; float64 volumes on the CPU are row-major. So it
is in torch, but for float16 volumes: there torch's choice depends on the processor.
"""

import torch

from .._device import channels_last, dense


def is_channels_last(tensor):
    """torch's suggest_memory_format, for tensors of 4 and 5 axes."""
    return not tensor.is_contiguous() and channels_last(tensor.shape, tensor.stride())


def prefers_channels_last(x, weight):
    if x.dtype == torch.float64 and x.dim() == 5 and x.device.type != "cuda":
        return False
    return is_channels_last(x) or is_channels_last(weight)


def strides_of(shape, last):
    """Dense strides, channels last or first."""
    if not last:
        return tuple(dense(shape))
    batch, channels, *space = shape
    inner = dense((batch, *space, channels))
    return inner[0], inner[-1], *inner[1:-1]
