# SPDX-License-Identifier: Apache-2.0
"""ctconv.jax.conv_transpose: torch.nn.functional's transposed convolutions on jax arrays.

In:  arrays in torch's axis order; the arguments of conv_transpose1d, 2d, 3d.   Out: y.
Refuses: what the dialect torch.nn.ConvTranspose1d, 2d, 3d refuses, in its words.
"""

import jax.numpy as jnp
import numpy as np

from ._operations import apply, options_of


def conv_transpose(
    x,
    w,
    bias=None,
    stride=1,
    padding=0,
    output_padding=0,
    groups=1,
    dilation=1,
    *,
    threads=0,
    reproducible=0,
    engine=None,
):
    """y, the transposed convolution of x with w in 1, 2 or 3 dimensions, as torch.nn.functional.conv_transpose1d/2d/3d.

    x       (N, in_channels, spatial...) or (in_channels, spatial...)
    w       (in_channels, out_channels / groups, kernel...): its rank chooses the dimensions
    bias    (out_channels,) or None
    stride, padding, output_padding, dilation   an int or a tuple, one per axis; static under jit, as groups is
    threads, reproducible, engine   ctconv.Layer's
    A refusal is a ctconv.Error; it calls x `input` and w `weight`, as torch does.

    float16, bfloat16, float32, and float64 where jax_enable_x64 is on; x, w and bias are of one type.
    Works under jit, grad, vjp and vmap; reverse mode to any order. Gradients are the same bits for any number of
    threads. Under vmap one call runs for the whole batch (a larger N where w is not mapped)."""
    x, w = jnp.asarray(x), jnp.asarray(w)
    b = None if bias is None else jnp.asarray(bias)
    rank = min(max(w.ndim - 2, 1), 3)
    outs = w.shape[1] if w.ndim > 1 else 1
    args = {
        "in_channels": w.shape[0] if w.ndim else 1,
        "out_channels": outs * groups if isinstance(groups, (int, np.integer)) else outs,
        "kernel_size": tuple(w.shape[2 : 2 + rank]) if w.ndim > 2 else 1,
        "bias": b is not None,
        "stride": stride,
        "padding": padding,
        "output_padding": output_padding,
        "groups": groups,
        "dilation": dilation,
    }
    return apply(f"torch.nn.ConvTranspose{rank}d", args, x, w, b, options_of(threads, reproducible, engine))
