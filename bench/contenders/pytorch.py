"""PyTorch: torch.nn.functional.conv_transposeNd under inference_mode.

layout first: contiguous tensors. layout last: channels_last / channels_last_3d tensors, weights too; 1-D as 2-D with
height 1, which is how channels-last is had there; where the answer comes back in another layout, the conversion is part
of the call. f16 and bf16 tensors are given as they are (oneDNN's kernels, or its own). Uneven padding does not exist
there: the larger output is computed and sliced; the view counts as the answer.
It makes a new output in every call (there is no out=), so it is compared with `ctconv.alloc`.
"""

import re

import numpy as np
import torch
import torch.nn.functional as F

from contenders.base import Contender, element


def start(setting):
    torch.set_num_threads(setting.threads)
    inside = re.search(r"MKL-DNN v(\S+)|oneDNN v(\S+)", torch.__config__.show())
    return {"torch": torch.__version__, "torch.onednn": next((g for g in inside.groups() if g), "") if inside else ""}


def tensor(a):
    """The array as a tensor on the same memory; torch knows no numpy type of bf16."""
    return (
        torch.from_numpy(a.view(np.int16)).view(torch.bfloat16) if a.dtype.name == "bfloat16" else torch.from_numpy(a)
    )


class Torch(Contender):
    pays_for_y = "alloc"

    def __init__(self, layer, operands, setting):
        super().__init__("torch")
        x, w, b = (None if a is None else tensor(a) for a in (operands.x_first, operands.w, operands.b))
        rank, s, d, op = (layer.rank, list(layer.s), list(layer.d), list(layer.op))
        p = [min(lo, hi) for lo, hi in zip(layer.lo, layer.hi)]
        keep = [(lo - even, o) for lo, even, o in zip(layer.lo, p, layer.o)]
        self.uneven = list(layer.lo) != list(layer.hi)
        self.flat = rank == 1 and setting.layout == "last"
        if self.flat:
            x, w, rank = x.unsqueeze(2), w.unsqueeze(2), 2
            s, d, op, p, keep = [1] + s, [1] + d, [0] + op, [0] + p, [(0, 1)] + keep
        self.memory = torch.contiguous_format
        if setting.layout == "last":
            self.memory = torch.channels_last if rank == 2 else torch.channels_last_3d
            x, w = (x.contiguous(memory_format=self.memory), w.contiguous(memory_format=self.memory))
        self.function = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}[rank]
        self.arguments = (x, w, b, s, p, op, layer.g, d)
        self.window = (slice(None), slice(None), *(slice(first, first + o) for first, o in keep))
        self.note = "uneven padding: larger output, sliced" if self.uneven else ""
        self.y = None

    def once(self):
        self.y = None
        with torch.inference_mode():
            y = self.function(*self.arguments).contiguous(memory_format=self.memory)
            self.y = y[self.window] if self.uneven else y

    def result(self):
        y = self.y.squeeze(2) if self.flat else self.y
        return y.view(torch.int16).numpy().view(element("bf16")) if y.dtype == torch.bfloat16 else y.numpy()

    def close(self):
        self.arguments = self.y = None


def make(layer, operands, setting):
    return [Torch(layer, operands, setting)]
