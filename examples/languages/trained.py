#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A trained layer as a file for a program in another language.

In:  nothing. Here the weights are drawn; of a PyTorch layer they are layer.weight.detach().numpy() and
     layer.bias.detach().numpy(), and y what the model computes.
Out: trained.bin, float32 one behind the other: weight (3, 8, 4, 4), bias (8), x (1, 3, 16, 16), y (1, 8, 32, 32)
"""

import ctconv
import numpy as np

DIALECT = "torch.nn.ConvTranspose2d"
ARGS = {"in_channels": 3, "out_channels": 8, "kernel_size": 4, "stride": 2, "padding": 1}


def main():
    weight, bias = ctconv.init_weight(DIALECT, ARGS, seed=7), ctconv.init_bias(DIALECT, ARGS, seed=8)
    x = np.random.default_rng(0).standard_normal((1, 3, 16, 16), "float32")
    y = ctconv.Layer(DIALECT, ARGS, weight, bias, reproducible=1)(x)
    np.concatenate([a.ravel() for a in (weight, bias, x, y)]).astype("<f4").tofile("trained.bin")
    print(*(a.shape for a in (weight, bias, x, y)))


if __name__ == "__main__":
    main()
