# SPDX-License-Identifier: Apache-2.0
"""Keras 3's transposed convolutions, computed by libctconv on the backends torch and jax, gradients too.

In:  keras.layers' own arguments; tensors of the backend.   Out: what keras.layers gives, to rounding.
Each class is a subclass of Keras's: variables, initialisers, regularizers, config and saving are Keras's own.
Per axis with stride s and keff = (k - 1) * dilation + 1 the full extent is cut at begin and end, or grows at its end:
    valid   begin 0, end 0, and max(s - keff, 0), or output_padding where given, appended
    same    output_padding None: keff - s cut, half of it (rounded down) at the begin; a negative number is appended
            given: 2 * floor(keff / 2) - output_padding cut likewise
That is what Keras computes on TensorFlow and jax. On torch Keras's own layer differs in some cases, and warns of it.
Refuses: another backend, when a layer is made.
"""

import keras

from .._errors import refusal


def cuts(kernel_size, strides, dilation_rate, padding, output_padding):
    """(begin, end, appended), a tuple per axis each."""
    out = []
    given = output_padding if isinstance(output_padding, (tuple, list)) else (output_padding,) * len(kernel_size)
    for k, s, d, extra in zip(kernel_size, strides, dilation_rate, given):
        extent = (k - 1) * d + 1
        if padding == "same":
            cut = extent - s if extra is None else extent - extent % 2 - extra
        else:
            cut = min(extent - s, 0) if extra is None else -extra
        out.append((cut // 2, cut - cut // 2, 0) if cut > 0 else (0, 0, -cut))
    return tuple(zip(*out))


def _on_torch(layer, x, kernel, bias, cut):
    from ..torch.nn import functional

    rank, first = layer.rank, layer.data_format == "channels_first"
    if not first:
        x = x.movedim(-1, 1)
    w = kernel.permute(rank + 1, rank, *range(rank))
    begin, end, appended = cut
    both = tuple(map(min, begin, end))  # torch cuts as much at the end as at the begin
    run = getattr(functional, f"conv_transpose{rank}d")
    y = run(x, w, bias, layer.strides, both, appended, 1, layer.dilation_rate)
    for axis in range(rank):
        more = begin[axis] - both[axis], end[axis] - both[axis]
        y = y.narrow(2 + axis, more[0], y.shape[2 + axis] - sum(more)) if any(more) else y
    return y if first else y.movedim(1, -1)


def _on_jax(layer, x, kernel, bias, cut):
    from ..jax._operations import apply

    rank, (begin, end, appended) = layer.rank, cut
    w = kernel.transpose(rank + 1, rank, *range(rank))
    args = {
        "in_channels": w.shape[0],
        "out_channels": w.shape[1],
        "kernel_size": tuple(w.shape[2:]),
        "stride": tuple(layer.strides),
        "dilation": tuple(layer.dilation_rate),
        "pad_begin": begin,
        "pad_end": end,
        "output_padding": appended,
        "data_format": layer.data_format,
        "bias": bias is not None,
    }
    return apply("ctconv", args, x, w, bias, channels_last=layer.data_format == "channels_last")


_BACKENDS = {"torch": _on_torch, "jax": _on_jax}


class _Computed:
    """In front of a Keras class: its `call`, and the question which backend there is."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if keras.backend.backend() not in _BACKENDS:
            text = f"ctconv.keras.{type(self).__name__} needs Keras's backend torch or jax, not "
            raise refusal("UNSUPPORTED_ENGINE", text + keras.backend.backend(), "backend", keras.backend.backend())

    def call(self, inputs):
        cut = cuts(self.kernel_size, self.strides, self.dilation_rate, self.padding, self.output_padding)
        kernel, bias = (None if one is None else keras.ops.convert_to_tensor(one) for one in (self.kernel, self.bias))
        y = _BACKENDS[keras.backend.backend()](self, keras.ops.convert_to_tensor(inputs), kernel, bias, cut)
        return y if self.activation is None else self.activation(y)


@keras.saving.register_keras_serializable(package="ctconv")
class Conv1DTranspose(_Computed, keras.layers.Conv1DTranspose):
    """keras.layers.Conv1DTranspose, computed by libctconv."""


@keras.saving.register_keras_serializable(package="ctconv")
class Conv2DTranspose(_Computed, keras.layers.Conv2DTranspose):
    """keras.layers.Conv2DTranspose, computed by libctconv."""


@keras.saving.register_keras_serializable(package="ctconv")
class Conv3DTranspose(_Computed, keras.layers.Conv3DTranspose):
    """keras.layers.Conv3DTranspose, computed by libctconv."""


_OURS = {one.__mro__[2]: one for one in (Conv1DTranspose, Conv2DTranspose, Conv3DTranspose)}


def accelerate(model):
    """A copy of a Sequential or functional model, weights included, whose transposed convolutions are ctconv's.
    Subclasses of Keras's classes are left alone."""

    def twin(layer):
        return _OURS.get(type(layer), type(layer)).from_config(layer.get_config())

    out = keras.models.clone_model(model, clone_function=twin)
    out.set_weights(model.get_weights())
    return out
