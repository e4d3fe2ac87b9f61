"""ctconv: transposed convolution in 1, 2 and 3 dimensions, in the words of five frameworks.

    layer = ctconv.Layer("torch.nn.ConvTranspose3d", {"in_channels": 16, "out_channels": 8, "kernel_size": 3, "stride": 2}, weight, bias)
    y = layer(x)                                   # numpy, DLPack or buffer object in, ndarray out

    layer = ctconv.torch.ConvTranspose3d(16, 8, 3, stride=2)     # or with the original's own constructor
    y = layer(x)

Errors are ctconv.Error and also the TypeError or ValueError the original documents. The shared library is the one inside this
package, or the one CTCONV_LIBRARY names.
"""
from . import _abi
from ._desc import (Argument, bias_shape, build_info, check, dialect_arguments, dialects, engines, init_bias, init_weight,
                    weight_shape)
from ._errors import ArgumentTypeError, ArgumentValueError, Error, ShapeError
from ._layer import Layer
from ._module import seed
from ._options import Runner
from . import keras, megengine, mindspore, paddle, torch

version = __version__ = _abi.lib.ctconv_version_string().decode()

__all__ = [
    "Argument", "ArgumentTypeError", "ArgumentValueError", "Error", "Layer", "Runner", "ShapeError", "bias_shape", "build_info",
    "check", "dialect_arguments", "dialects", "engines", "init_bias", "init_weight", "keras", "megengine", "mindspore", "paddle",
    "seed", "torch", "version", "weight_shape",
]
