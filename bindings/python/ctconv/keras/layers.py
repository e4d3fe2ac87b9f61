# SPDX-License-Identifier: Apache-2.0
"""keras.layers' transposed convolutions (3.15): same signatures, numpy in, numpy out;
channels_last unless said otherwise.

The kernel (k..., filters, channels) is made at the first call, or by build(input_shape). Regularizers and constraints
act in training only: they are accepted and ignored; so are the keywords name and trainable. dtype:
the parameters' element type.
"""

from .._errors import refusal
from .._module import Module, constructor, dtype_name

_TRAINING = (
    "kernel_regularizer",
    "bias_regularizer",
    "activity_regularizer",
    "kernel_constraint",
    "bias_constraint",
    "trainable",
    "name",
)


class _ConvTranspose(Module):
    _needs_input = True

    def _setup(self, arguments, signature):
        self._dtype = dtype_name(arguments.pop("dtype", None))
        super()._setup({name: value for name, value in arguments.items() if name not in _TRAINING}, signature)

    def build(self, input_shape):
        """Makes kernel and bias for inputs of this shape; the first call does it by itself."""
        # None stands for an extent not known yet; the kernel depends on the channels alone.
        self.reset_parameters(x_shape=tuple(1 if n is None else n for n in input_shape))

    def call(self, inputs, *, out=None):
        return self._call(inputs, out=out)

    def __call__(self, *args, **kwargs):
        inputs = args[0] if args else kwargs.get("inputs")
        if self._weight is None and hasattr(inputs, "shape"):
            self.build(tuple(inputs.shape))
        return self.call(*args, **kwargs)

    def _parameter_dtype(self):
        return self._dtype

    @property
    def kernel(self):
        return self.weight

    @kernel.setter
    def kernel(self, value):
        self.weight = value

    def get_weights(self):
        """[kernel, bias], or [kernel]."""
        return [array for array in (self.weight, self.bias) if array is not None]

    def set_weights(self, weights):
        if not 1 <= len(weights) <= 2:
            raise refusal(
                "VALUE_WEIGHT_SHAPE",
                f"set_weights takes [kernel] or [kernel, bias], not {len(weights)} arrays",
                "weights",
            )
        self.weight, self.bias = weights[0], weights[1] if len(weights) == 2 else None


class Conv2DTranspose(_ConvTranspose):
    """keras.layers.Conv2DTranspose."""

    _dialect = "keras.layers.Conv2DTranspose"

    @constructor
    def __init__(
        self,
        filters,
        kernel_size,
        strides=(1, 1),
        padding="valid",
        output_padding=None,
        data_format=None,
        dilation_rate=(1, 1),
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        pass


class Conv3DTranspose(_ConvTranspose):
    """keras.layers.Conv3DTranspose; note data_format before output_padding."""

    _dialect = "keras.layers.Conv3DTranspose"

    @constructor
    def __init__(
        self,
        filters,
        kernel_size,
        strides=(1, 1, 1),
        padding="valid",
        data_format=None,
        output_padding=None,
        dilation_rate=(1, 1, 1),
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        pass
