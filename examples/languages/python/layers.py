"""The three layers of examples/languages in Python: prints dialect, y's shape and the FNV-1a of y's bytes."""

import ctconv
import numpy as np

LAYERS = (
    (
        "torch.nn.ConvTranspose1d",
        {"in_channels": 32, "out_channels": 16, "kernel_size": 16, "stride": 8, "padding": 4},
        (1, 32, 200),
    ),
    (
        "mindspore.nn.Conv2dTranspose",
        {
            "in_channels": 24,
            "out_channels": 12,
            "kernel_size": 3,
            "stride": 2,
            "pad_mode": "same",
            "has_bias": True,
        },
        (2, 24, 30, 40),
    ),
    (
        "torch.nn.ConvTranspose3d",
        {
            "in_channels": 16,
            "out_channels": 33,
            "kernel_size": (3, 5, 2),
            "stride": (2, 1, 1),
            "padding": (0, 4, 2),
        },
        (2, 16, 10, 50, 100),
    ),
)


def fnv1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


def run(dialect, args, x_shape):
    """Weight by seed 1, bias by seed 2, x[i] = (i * 37 % 101 - 50) / 64, the reference's bits."""
    x = ((np.arange(np.prod(x_shape)) * 37 % 101 - 50) / 64).astype("float32").reshape(x_shape)
    weight = ctconv.init_weight(dialect, args, seed=1)
    bias = ctconv.init_bias(dialect, args, seed=2)
    y = ctconv.Layer(dialect, args, weight, bias, reproducible=1)(x)
    print(dialect, "x".join(map(str, y.shape)), f"{fnv1a(y.tobytes()):016x}")


for layer in LAYERS:
    run(*layer)
