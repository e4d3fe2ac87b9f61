# SPDX-License-Identifier: Apache-2.0
"""JAX on its CPU backend (XLA): jax.lax.conv_general_dilated with lhs_dilation = stride, jitted, compiled before.

Both layouts by dimension numbers; uneven padding is its own; groups are feature groups. The weight is turned (input and
output channels, direction of the taps) before. Gradients: the transpose of that by x or by the weight, as jax.grad
makes it; dw lies as JAX's weight does. Every type is given to XLA as it is. A new y in every call, so it is set
against `ctconv.alloc`. XLA takes its number of threads when it starts.
"""

import os

import jax
import numpy as np

from contenders.base import Contender, Refused, as_first


PASSES = ("fwd", "dgrad", "wgrad")


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


def unturned(layer, dw, last):
    """dw of the turned weight, as the layer's weight lies."""
    if last:
        dw = np.moveaxis(dw, (-1, -2), (0, 1))
    parts = dw.reshape(layer.g, layer.cout // layer.g, layer.cin // layer.g, *layer.k).swapaxes(1, 2)
    return parts[(..., *[slice(None, None, -1)] * layer.rank)].reshape(layer.cin, layer.cout // layer.g, *layer.k)


class Jax(Contender):
    pays_for_y = "alloc"

    def __init__(self, layer, operands, setting):
        super().__init__("jax")
        self.layer, self.last, self.operands = layer, setting.layout == "last", operands
        self.which_pass = setting.which_pass

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

        def layer_of(x, w, b=None):
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

        def data(dy, w):
            return jax.linear_transpose(lambda x: layer_of(x, w), self.operands.x)(dy)

        def weight(x, dy):
            dw = jax.linear_transpose(lambda given: layer_of(x, given), w)(dy)
            return dw if b is None else (*dw, dy.sum([a for a in range(dy.ndim) if a != channels]))

        channels = layer.rank + 1 if self.last else 1
        function, given = {
            "fwd": lambda: (layer_of, (self.operands.x, w, b)),
            "dgrad": lambda: (data, (self.operands.dy, w)),
            "wgrad": lambda: (weight, (self.operands.x, self.operands.dy)),
        }[self.which_pass]()
        self.arguments = tuple(None if a is None else jax.device_put(a) for a in given)
        try:
            self.compiled = jax.jit(function).lower(*self.arguments).compile()
        except jax.errors.JaxRuntimeError as error:
            raise Refused(str(error)) from None

    def once(self):
        self.y = None
        self.y = jax.block_until_ready(self.compiled(*self.arguments))

    def result(self):
        y = np.asarray(self.y)
        return as_first(y) if self.last else y

    def results(self):
        if self.which_pass == "fwd":
            return [self.result()]
        found = [np.asarray(a) for a in self.y]
        if self.which_pass == "dgrad":
            return [as_first(found[0]) if self.last else found[0]]
        return [unturned(self.layer, found[0], self.last), *found[1:]]

    def close(self):
        self.compiled = self.arguments = self.y = self.operands = None


def make(layer, operands, setting):
    return [Jax(layer, operands, setting)]
