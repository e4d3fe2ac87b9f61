# SPDX-License-Identifier: Apache-2.0
"""PyTorch's own OpInfo samples of conv_transpose1d, 2d and 3d, answered by libctconv and compared with PyTorch.

In:  a python with torch and numpy; ctconv on the path.
Out: per function and element type "N of M"; samples outside a module's arguments are said.
The functional's arguments become those of torch.nn.ConvTransposeNd: channels and kernel from the weight.
"""

import sys

import numpy as np
import torch
from torch.testing._internal.common_methods_invocations import op_db

import ctconv

NAMES = ("stride", "padding", "output_padding", "groups", "dilation")
TOLERANCE = {torch.float16: 1e-2, torch.bfloat16: 5e-2, torch.float32: 1e-5, torch.float64: 1e-12}


def answer(sample, rank):
    weight, bias, *rest = [*sample.args, None][: max(2, len(sample.args))]
    call = dict(zip(NAMES, rest), **sample.kwargs)
    bias = call.pop("bias", bias)
    groups = call.get("groups", 1)
    args = {
        "in_channels": weight.shape[0],
        "out_channels": weight.shape[1] * groups,
        "kernel_size": tuple(weight.shape[2:]),
        "bias": bias is not None,
        **call,
    }
    layer = ctconv.Layer(f"torch.nn.ConvTranspose{rank}d", args, weight, bias)
    y = torch.empty(layer.output_shape(tuple(sample.input.shape)), dtype=sample.input.dtype)
    layer(sample.input, out=y)
    return y


def main():
    bad = 0
    for rank in (1, 2, 3):
        op = next(o for o in op_db if o.name == f"nn.functional.conv_transpose{rank}d")
        for dtype, tolerance in TOLERANCE.items():
            good = total = 0
            for sample in op.sample_inputs("cpu", dtype, requires_grad=False):
                total += 1
                want = op(sample.input, *sample.args, **sample.kwargs)
                try:
                    y = answer(sample, rank)
                except ctconv.Error as error:
                    print(f"conv_transpose{rank}d {dtype}: {error}")
                    continue
                scale = max(1.0, float(want.abs().max())) if want.numel() else 1.0
                same = y.shape == want.shape and np.allclose(
                    y.double().numpy(), want.double().numpy(), rtol=0, atol=tolerance * scale
                )
                good += same
                if not same:
                    print(f"conv_transpose{rank}d {dtype} DIFFERENT: {sample.summary()[:300]}")
            print(f"OpInfo samples of conv_transpose{rank}d, {dtype}: {good} of {total}")
            bad += good != total or total == 0
    sys.exit(1 if bad else 0)


main()
