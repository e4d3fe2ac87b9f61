# SPDX-License-Identifier: Apache-2.0
"""ctconv: transposed convolution in 1, 2 and 3 dimensions, in the words of six frameworks.

    args = {"in_channels": 16, "out_channels": 8, "kernel_size": 3, "stride": 2}
    layer = ctconv.Layer("torch.nn.ConvTranspose3d", args, weight, bias)
    y = layer(x)                                   # numpy, DLPack or buffer object in, ndarray out

    layer = ctconv.torch.ConvTranspose3d(16, 8, 3, stride=2)     # or with the original's own constructor
    y = layer(x)

Errors are ctconv.Error and also the TypeError or ValueError the original documents. The shared library is the one
inside this package, or the one CTCONV_LIBRARY names. `from ctconv import *` leaves out the submodules named like other
packages.
"""

from . import _abi
from ._desc import (
    Argument,
    bias_shape,
    build_info,
    check,
    dialect_arguments,
    dialects,
    engines,
    init_bias,
    init_weight,
    weight_shape,
)
from ._errors import ArgumentTypeError, ArgumentValueError, Error, ForgottenBias, ShapeError
from ._layer import Layer
from ._module import seed
from ._options import Runner
from ._stream import Stream
from ._threads import get_num_threads, set_num_threads
from . import keras, megengine, mindspore, paddle, pool, torch  # noqa: F401

version = __version__ = _abi.lib.ctconv_version_string().decode()

for _public in (Layer, Runner, Stream):
    _public.__module__ = __name__

# Without keras, megengine, mindspore, paddle and torch: a star import must not hide the packages of these names.
__all__ = [
    "Argument",
    "ArgumentTypeError",
    "ArgumentValueError",
    "Error",
    "ForgottenBias",
    "Layer",
    "Runner",
    "ShapeError",
    "Stream",
    "bias_shape",
    "build_info",
    "check",
    "dialect_arguments",
    "dialects",
    "engines",
    "get_num_threads",
    "init_bias",
    "init_weight",
    "pool",
    "seed",
    "set_num_threads",
    "version",
    "weight_shape",
]
