# SPDX-License-Identifier: Apache-2.0
"""Keras's transposed convolutions.

layers                           keras.layers' signatures, numpy in and out; keras is not needed
Conv1DTranspose, 2D, 3D          Keras 3's own layers, computed here on its backends torch and jax, gradients too
accelerate(model)                a copy of a model whose transposed convolutions are these
The second and third import keras when first named.
"""

import importlib

from . import layers  # noqa: F401

_BACKED = ("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose", "accelerate")
__all__ = ["layers"]


def __getattr__(name):
    if name in _BACKED:
        return getattr(importlib.import_module(__name__ + "._layers"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
