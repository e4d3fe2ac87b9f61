# SPDX-License-Identifier: Apache-2.0
"""PyTorch's transposed convolutions.

ConvTranspose1d, 2d, 3d   torch.nn's signatures, numpy in and out; torch is not needed (dropin.py). No torch.nn.Module
nn                        torch.nn's own modules, computed here, forward and backward; imports torch when first named
accelerate(model)         a model of torch's, whose transposed convolutions are computed here from then on
restore(model)            the same model, computed by torch again
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .dropin import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d

if TYPE_CHECKING:
    from . import nn as nn
    from ._report import Report as Report

for _public in (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d):
    _public.__module__ = __name__

__all__ = ["ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "accelerate", "restore"]


def accelerate(
    model: Any, example: Any = None, *, frozen: bool = False, rounds: int = 5, only_faster: bool = False
) -> Report:
    """Every torch.nn.ConvTranspose1d, 2d, 3d in `model` is computed by libctconv from now on: subclasses and
    weight-normed ones too, in place. Only the modules' classes change; parameters, hooks and state_dict stay.

    example      an input of the model, or a tuple or dict of its arguments: each layer is then compared with torch
                 and timed, `rounds` times or more by turns, without gradients and in evaluation mode. The smallest
                 times count; the report says where the two do not separate
    frozen       the weights no longer change: each is packed once instead of in every call. A change by an optimiser,
                 load_state_dict or .to() is seen, one through .data is not. Where a gradient is wanted, as ever
    only_faster  a layer that is slower here with the example stays torch's

    Answers a Report. print(report) is a table of the layers; report.undo() takes this call back, restore(model) every
    one. Calls of torch.nn.functional.conv_transpose are no modules and stay torch's."""
    run = importlib.import_module(__name__ + "._accelerate").accelerate
    return run(model, example, frozen=frozen, rounds=rounds, only_faster=only_faster)


def restore(model: Any) -> int:
    """Gives every module of ctconv.torch.nn in `model` back to torch, in place; how many they were."""
    return importlib.import_module(__name__ + "._accelerate").restore(model)


def __getattr__(name: str) -> Any:
    if name == "nn":
        return importlib.import_module(__name__ + ".nn")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
