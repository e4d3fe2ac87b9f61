# SPDX-License-Identifier: Apache-2.0
"""PyTorch: torch.nn.functional.conv_transposeNd under inference_mode; gradients: aten.convolution_backward, which its
autograd calls, with the mask of what the pass wants.

layout first: contiguous tensors. layout last: channels_last / channels_last_3d tensors, weights too; 1-D as 2-D with
height 1, which is how channels-last is had there; where the answer comes back in another layout, the conversion is part
of the call. f16 and bf16 tensors are given as they are (oneDNN's kernels, or its own). Uneven padding does not exist
there: the larger output is computed and sliced; the view counts as the answer. Its gradient fills dy up with zeros, as
autograd does, inside the call.
It makes a new output in every call (there is no out=), so it is compared with `ctconv.alloc`.
"""

import re

import numpy as np
import torch
import torch.nn.functional as F

from contenders.base import Contender, element


PASSES = ("fwd", "dgrad", "wgrad")


def start(setting):
    torch.set_num_threads(setting.threads)
    inside = re.search(r"MKL-DNN v(\S+)|oneDNN v(\S+)", torch.__config__.show())
    return {"torch": torch.__version__, "torch.onednn": next((g for g in inside.groups() if g), "") if inside else ""}


def tensor(a):
    """The array as a tensor on the same memory; torch knows no numpy type of bf16."""
    return (
        torch.from_numpy(a.view(np.int16)).view(torch.bfloat16) if a.dtype.name == "bfloat16" else torch.from_numpy(a)
    )


def array(t):
    """The tensor as an array on the same memory."""
    return t.view(torch.int16).numpy().view(element("bf16")) if t.dtype == torch.bfloat16 else t.numpy()


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
        self.keep = keep
        self.window = (slice(None), slice(None), *(slice(first, first + o) for first, o in keep))
        self.note = "uneven padding: larger output, sliced" if self.uneven else ""
        self.y = None

    def once(self):
        self.y = None
        with torch.inference_mode():
            y = self.function(*self.arguments).contiguous(memory_format=self.memory)
            self.y = y[self.window] if self.uneven else y

    def result(self):
        return array(self.y.squeeze(2) if self.flat else self.y)

    def close(self):
        self.arguments = self.y = None


class TorchGradients(Torch):
    """dx, or dw and db."""

    def __init__(self, layer, operands, setting):
        super().__init__(layer, operands, setting)
        x, w, b, s, p, op, g, d = self.arguments
        self.data = setting.which_pass == "dgrad"
        dy = tensor(operands.dy_first)
        if self.flat:
            dy = dy.unsqueeze(2)
        self.dy = dy.contiguous(memory_format=self.memory)
        whole = [
            (i - 1) * s_ - 2 * p_ + d_ * (k - 1) + 1 + op_
            for i, s_, p_, d_, k, op_ in zip(x.shape[2:], s, p, d, w.shape[2:], op)
        ]
        self.fill = [v for (first, o), size in zip(self.keep[::-1], whole[::-1]) for v in (first, size - first - o)]
        self.note = "uneven padding: dy filled up with zeros" if self.uneven else ""
        sizes, mask = (None if b is None else [layer.cout]), [self.data, not self.data, not self.data and b is not None]
        self.arguments = (x, w, sizes, s, p, d, True, op, g, mask)

    def once(self):
        self.y = None
        with torch.inference_mode():
            dy = F.pad(self.dy, self.fill) if self.uneven else self.dy
            dx, dw, db = torch.ops.aten.convolution_backward(dy, *self.arguments)
            self.y = dx.contiguous(memory_format=self.memory) if self.data else (dw, db)

    def results(self):
        dx, dw, db = (self.y, None, None) if self.data else (None, *self.y)
        found = [t.squeeze(2) if self.flat else t for t in (dx, dw) if t is not None]
        return [array(t) for t in (*found, *([] if db is None else [db]))]

    def close(self):
        super().close()
        self.dy = None


def made(layer, operands, setting):
    return (Torch if setting.which_pass == "fwd" else TorchGradients)(layer, operands, setting)


def make(layer, operands, setting):
    return [made(layer, operands, setting)]
