"""JAX on its CPU backend (XLA): jax.lax.conv_general_dilated with lhs_dilation = stride, jitted, compiled before.

Both layouts by dimension numbers; uneven padding is its own; groups are feature groups. The weight is turned (input and
output channels, direction of the taps) before. Every type is given to XLA as it is. A new y in every call, so it is set
against `ctconv.alloc`. XLA takes its number of threads when it starts.
"""

import os

import jax
import numpy as np

from contenders.base import Contender, Refused, as_first


def start(setting):
    os.environ["NPROC"] = str(setting.threads)
    os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + (
        " --xla_cpu_multi_thread_eigen=false" if setting.threads == 1 else ""
    )
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    return {"jax": jax.__version__}


def turned(layer, w):
    """The weight of the convolution over the spread input: (cout, cin/g, k..), taps reversed."""
    parts = w.reshape(layer.g, layer.cin // layer.g, layer.cout // layer.g, *layer.k).swapaxes(1, 2)
    parts = parts[(..., *[slice(None, None, -1)] * layer.rank)]
    return np.ascontiguousarray(parts).reshape(layer.cout, layer.cin // layer.g, *layer.k)


class Jax(Contender):
    pays_for_y = "alloc"

    def __init__(self, layer, operands, setting):
        super().__init__("jax")
        self.layer, self.last, self.operands = layer, setting.layout == "last", operands

    def setup(self):
        layer, axes = self.layer, "DHW"[3 - self.layer.rank :]
        spread = [
            (d * (k - 1) - lo, d * (k - 1) - hi + op)
            for d, k, lo, hi, op in zip(layer.d, layer.k, layer.lo, layer.hi, layer.op)
        ]
        w, both = (turned(layer, self.operands.w), ("N" + axes + "C") if self.last else ("NC" + axes))
        if self.last:
            w = np.ascontiguousarray(np.moveaxis(w, (0, 1), (-1, -2)))
        b = self.operands.b
        if b is not None:
            b = jax.device_put(b.reshape([1] * (layer.rank + 1) + [-1] if self.last else [1, -1] + [1] * layer.rank))

        def layer_of(x, w, b):
            y = jax.lax.conv_general_dilated(
                x,
                w,
                window_strides=[1] * layer.rank,
                padding=spread,
                lhs_dilation=layer.s,
                rhs_dilation=layer.d,
                dimension_numbers=(both, axes + "IO" if self.last else "OI" + axes, both),
                feature_group_count=layer.g,
            )
            return y if b is None else y + b

        self.arguments = (jax.device_put(self.operands.x), jax.device_put(w), b)
        try:
            self.compiled = jax.jit(layer_of).lower(*self.arguments).compile()
        except jax.errors.JaxRuntimeError as error:
            raise Refused(str(error)) from None

    def once(self):
        self.y = None
        self.y = self.compiled(*self.arguments).block_until_ready()

    def result(self):
        y = np.asarray(self.y)
        return as_first(y) if self.last else y

    def close(self):
        self.compiled = self.arguments = self.y = self.operands = None


def make(layer, operands, setting):
    return [Jax(layer, operands, setting)]
