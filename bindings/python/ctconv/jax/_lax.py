# SPDX-License-Identifier: Apache-2.0
"""ctconv.jax.lax_conv_transpose: jax.lax.conv_transpose, computed by libctconv.

In:  jax.lax.conv_transpose's arguments.   Out: its result, to rounding.
Per axis with extent i, kernel k, keff = (k - 1) * dilation + 1 and padding (a, b) of the fractionally strided input,
    y = the transposed convolution with the kernel's taps turned round,
        keff - 1 - a positions cut at its begin and keff - 1 - b at its end; a negative cut at the end appends zeros
    "SAME"   a + b = keff + s - 2, a = keff - 1 where s > keff - 1, else the half of it, rounded up: y has i * s
    "VALID"  a = keff - 1, a + b = keff + s - 2 + max(keff - s, 0): y has i * s + max(keff - s, 0)
use_consistent_padding: pairs are the positions to cut. transpose_kernel swaps the kernel's channels and leaves the taps
as they are. Computed under the dialect `ctconv`.
Refuses: what the dialect refuses; padding that would put zeros in front of y; preferred_element_type of another type.
"""

import jax
import jax.numpy as jnp

from .._errors import refusal
from ._operations import apply, options_of

_LAYOUTS = {3: ("NHC", "HIO", "NHC"), 4: ("NHWC", "HWIO", "NHWC"), 5: ("NHWDC", "HWDIO", "NHWDC")}


def _cuts(extent, stride, padding, consistent):
    """(begin, end) of positions to cut; `extent` is the dilated kernel's."""
    if consistent and not isinstance(padding, str):
        return tuple(padding)
    if padding == "SAME":
        total = extent + stride - 2
        a = extent - 1 if stride > extent - 1 else -(-total // 2)
        pair = a, total - a
    elif padding == "VALID":
        pair = extent - 1, stride - 1 + max(extent - stride, 0)
    else:
        pair = padding
    return extent - 1 - pair[0], extent - 1 - pair[1]


def _numbers(value, rank, name):
    out = (1,) * rank if value is None else tuple(value)
    if len(out) != rank:
        raise refusal("VALUE_STRIDE_LENGTH", f"{name} is {value!r}; {rank} entries are needed", name, value)
    return out


def _orders(dimension_numbers, ndim):
    """Permutations of lhs to channels last, of rhs to (in, out, taps...), and of y back."""
    if dimension_numbers is None:
        dimension_numbers = _LAYOUTS[ndim]
    shapes = (1,) * ndim, (1,) * ndim
    numbers = jax.lax.conv_dimension_numbers(*shapes, dimension_numbers)
    lhs, rhs, out = numbers.lhs_spec, numbers.rhs_spec, numbers.out_spec  # (N, C, spatial...), (O, I, taps...)
    x = (lhs[0], *lhs[2:], lhs[1])
    w = (rhs[1], rhs[0], *rhs[2:])
    back = [0] * ndim
    for at, axis in zip((out[0], *out[2:], out[1]), range(ndim)):
        back[at] = axis
    return x, w, tuple(back)


def lax_conv_transpose(
    lhs,
    rhs,
    strides,
    padding,
    rhs_dilation=None,
    dimension_numbers=None,
    transpose_kernel=False,
    precision=None,
    preferred_element_type=None,
    use_consistent_padding=False,
    *,
    threads=0,
    reproducible=0,
    engine=None,
):
    """jax.lax.conv_transpose in 1, 2 or 3 dimensions. precision is taken and not needed: sums are of full precision."""
    lhs, rhs = jnp.asarray(lhs), jnp.asarray(rhs)
    rank = lhs.ndim - 2
    if not 1 <= rank <= 3 or rhs.ndim != lhs.ndim:
        text = f"lhs has {lhs.ndim} axes and rhs {rhs.ndim}; 3 to 5, the same number of both, are needed"
        raise refusal("SHAPE_INPUT_RANK", text, "lhs", lhs.shape)
    if preferred_element_type not in (None, lhs.dtype):
        text = f"preferred_element_type is {preferred_element_type}; y has the type of lhs, {lhs.dtype}"
        raise refusal("TYPE_DTYPE_MISMATCH", text, "preferred_element_type", preferred_element_type)
    x_order, w_order, y_order = _orders(dimension_numbers, lhs.ndim)
    w = rhs.transpose(w_order)
    w = w.swapaxes(0, 1) if transpose_kernel else jnp.flip(w, tuple(range(2, w.ndim)))
    strides, dilation = _numbers(strides, rank, "strides"), _numbers(rhs_dilation, rank, "rhs_dilation")
    extents = [(k - 1) * d + 1 for k, d in zip(w.shape[2:], dilation)]
    each = (padding.upper(),) * rank if isinstance(padding, str) else tuple(padding)
    if isinstance(padding, str) and padding.upper() not in ("SAME", "VALID"):
        raise refusal("VALUE_PADDING_STRING", f"padding is '{padding}'; 'SAME', 'VALID' or pairs", "padding", padding)
    cuts = [_cuts(*one, use_consistent_padding) for one in zip(extents, strides, each)]
    if any(begin < 0 for begin, _ in cuts):
        text = f"padding {padding!r} puts zeros in front of y; at most the dilated kernel less 1 is computed here"
        raise refusal("VALUE_PADDING_STRING", text, "padding", padding)
    args = {
        "in_channels": w.shape[0],
        "out_channels": w.shape[1],
        "kernel_size": w.shape[2:],
        "stride": strides,
        "dilation": dilation,
        "pad_begin": tuple(begin for begin, _ in cuts),
        "pad_end": tuple(max(end, 0) for _, end in cuts),
        "output_padding": tuple(max(-end, 0) for _, end in cuts),
        "data_format": "channels_last",
        "bias": False,
    }
    options = options_of(threads, reproducible, engine)
    return apply("ctconv", args, lhs.transpose(x_order), w, None, options, channels_last=True).transpose(y_order)
