# SPDX-License-Identifier: Apache-2.0
"""MNN: the layer's ONNX model through MNN's own converter, run as a module on the CPU, precision high.

Channels-first; x is a variable made before, dense float32; y is read where the module left it, its own memory, the same
in every call. MNN packs channels and unpacks y inside the call. Uneven padding and output padding are the model's;
1-D is given as 2-D with height 1 (its own 1-D is wrong).
float32 only: on this kind of processor it computes in float32 whatever precision is asked for.
"""

import types

import numpy as np

from contenders.base import Contender, Refused, silent
from contenders.ort import model_of

with silent():  # it greets on the standard output
    import _tools
    import MNN
    from MNN import expr, nn


def start(setting):
    if setting.layout == "last":
        raise RuntimeError("channels-first only")
    if setting.dtype != "f32":
        raise RuntimeError("no 16-bit tensors on this kind of processor")
    return {"mnn": MNN.version()}


def flat(layer, operands):
    """The layer and its operands with a height of 1, where it is 1-D."""
    if layer.rank > 1:
        return layer, operands
    axes = {"k": [1], "s": [1], "d": [1], "lo": [0], "hi": [0], "op": [0]}
    wide = {key: one + list(getattr(layer, key)) for key, one in axes.items()}
    x, y, w = (np.expand_dims(a, 2) for a in (operands.x, operands.y, operands.w))
    return (
        types.SimpleNamespace(rank=2, g=layer.g, bias=layer.bias, **wide),
        types.SimpleNamespace(x=x, y=y, w=w, b=operands.b),
    )


class Mnn(Contender):
    def __init__(self, layer, operands, setting):
        super().__init__("mnn")
        self.layer, self.setting, self.operands = layer, setting, operands

    def setup(self):
        files = [self.setting.scratch / f"mnn.{end}" for end in ("onnx", "mnn")]
        layer, operands = flat(self.layer, self.operands)
        files[0].write_bytes(model_of(layer, operands, self.setting))
        words = ["-f", "ONNX", "--modelFile", str(files[0]), "--MNNModel", str(files[1]), "--bizCode", "bench"]
        try:
            with silent():
                done = _tools.mnnconvert(["mnnconvert", *words])
                if not done or not files[1].exists():
                    raise Refused("its converter refuses the layer")
                self.module = nn.load_module_from_file(
                    str(files[1]), ["x"], ["y"], thread_num=self.setting.threads, precision_mode=expr.PrecisionMode.High
                )
        finally:
            for file in files:
                file.unlink(missing_ok=True)
        self.x = expr.const(operands.x, list(operands.x.shape), expr.NCHW)

    def once(self):
        y = self.module.forward([self.x])
        self.y = (y[0] if isinstance(y, (list, tuple)) else y).read()

    def result(self):
        return np.asarray(self.y).reshape(self.layer.y_shape)

    def close(self):
        self.module = self.x = self.y = self.operands = None


def make(layer, operands, setting):
    return [Mnn(layer, operands, setting)]
