# SPDX-License-Identifier: Apache-2.0
"""How far a result is from the sums in float64.

In:  a layer and its operands, as everyone gets them (rounded to the run's type).
Out: exact(): y, dx or dw in float64, channels-first, by PyTorch's double;
     errors(): largest and root mean square difference.
Layers of more than LARGEST bytes, and runs without PyTorch, have none.
"""

import types

import numpy as np

from contenders.base import Setting

LARGEST = 2**28


def exact(layer, operands):
    """The pass's first result in float64, or None."""
    if layer.bytes > LARGEST:
        return None
    try:
        from contenders.pytorch import made as maker
    except ImportError:
        return None
    wide = types.SimpleNamespace(
        **{
            k: None if a is None else a.astype(np.float64)
            for k, a in vars(operands).items()
            if k in ("x_first", "w", "b", "dy_first")
        }
    )
    peer = maker(layer, wide, Setting("first", 0, None, None, which_pass=layer.which_pass))
    peer.once()
    return peer.results()[0]


def errors(y, wanted):
    """[largest, root mean square] of the differences, image by image."""
    largest = total = 0.0
    for image, other in zip(y, wanted):
        gap = np.abs(image.astype(np.float64) - other)
        largest, total = max(largest, float(gap.max(initial=0))), total + float(np.square(gap).sum())
    return [largest, (total / max(1, wanted.size)) ** 0.5]
