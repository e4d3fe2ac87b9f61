# SPDX-License-Identifier: Apache-2.0
"""Transposed convolution for jax, with its gradients: `import ctconv.jax`.

conv_transpose       torch.nn.functional's conv_transpose1d, 2d, 3d on jax arrays
lax_conv_transpose   jax.lax.conv_transpose with the same arguments
why                  how calls are made: "jax.ffi", or a callback and the reason
Both work under jit, grad and vmap; reverse mode to any order.
"""

from ._ffi import why
from ._lax import lax_conv_transpose
from ._torch import conv_transpose

__all__ = ["conv_transpose", "lax_conv_transpose", "why"]
