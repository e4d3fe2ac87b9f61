# SPDX-License-Identifier: Apache-2.0
"""PyTorch's transposed convolutions.

ConvTranspose1d, 2d, 3d   torch.nn's signatures, numpy in and out; torch is not needed (dropin.py)
nn                        torch.nn's own modules, computed here, forward and backward; imports torch when first named
accelerate(model)         a model of torch's, whose transposed convolutions are computed here from then on
"""

import importlib

from .dropin import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d

for _public in (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d):
    _public.__module__ = __name__

__all__ = ["ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "accelerate"]


def accelerate(model):
    """Turns every torch.nn.ConvTranspose1d, 2d, 3d in `model` into ctconv.torch.nn's, in place; returns the model.
    Parameters, hooks and state_dict stay what they are. Subclasses of these classes are left alone."""
    return importlib.import_module(__name__ + ".nn").accelerate(model)


def __getattr__(name):
    if name == "nn":
        return importlib.import_module(__name__ + ".nn")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
