# SPDX-License-Identifier: Apache-2.0
"""OpenVINO, CPU plugin, latency hint: one (Group)ConvolutionBackpropData with constant weights and a bias.

Input and output are fixed memory. layout last: the pre- and post-processor declares both tensors channels-last, so that
the plugin may keep them so. Uneven padding is its own. Type: model, tensors and the hint of the precision inside are
the run's; what the plugin computes in where the processor has no such kernels is its own matter (`form` says it).
"""

import numpy as np
import openvino as ov
from openvino import opset8 as op
from openvino import preprocess
from openvino.op import Constant

from contenders.base import Contender, Refused, as_first


def start(setting):
    del setting
    return {"openvino": ov.__version__.split("-")[0]}


TYPES = {"f32": ov.Type.f32, "f16": ov.Type.f16, "bf16": ov.Type.bf16}


def tensor(a):
    """The array as a tensor on the same memory; its numpy interface has no bf16."""
    if a.dtype.name == "bfloat16":
        return ov.Tensor(a.view(np.uint8).reshape(-1), ov.Shape(a.shape), ov.Type.bf16)
    return ov.Tensor(a, shared_memory=True)


def constant(a):
    return Constant(tensor(a)) if a.dtype.name == "bfloat16" else op.constant(a)


class OpenVino(Contender):
    def __init__(self, layer, operands, setting):
        super().__init__("openvino")
        self.layer, self.setting, self.operands = layer, setting, operands
        self.last = setting.layout == "last"
        self.x, self.y = operands.x, operands.y

    def model(self):
        layer, w, b = self.layer, self.operands.w, self.operands.b
        if layer.g > 1:
            w = w.reshape(layer.g, layer.cin // layer.g, *w.shape[1:])
        if b is not None:
            b = b.reshape(1, -1, *[1] * layer.rank)
        w, b = (None if a is None else constant(a) for a in (w, b))
        x = op.parameter(layer.x_shape, TYPES[self.setting.dtype], name="x")
        keywords = dict(
            strides=layer.s,
            pads_begin=layer.lo,
            pads_end=layer.hi,
            dilations=layer.d,
            auto_pad="explicit",
            output_padding=layer.op,
        )
        if layer.g == 1:
            y = op.convolution_backprop_data(x, w, **keywords)
        else:
            y = op.group_convolution_backprop_data(x, w, **keywords)
        if b is not None:
            y = op.add(y, b)
        model = ov.Model([y], [x], "layer")
        if self.last:
            axes = "DHW"[3 - layer.rank :]
            steps = preprocess.PrePostProcessor(model)
            for end in (steps.input(), steps.output()):
                end.tensor().set_layout(ov.Layout(f"N{axes}C"))
                end.model().set_layout(ov.Layout(f"NC{axes}"))
            model = steps.build()
        return model

    def setup(self):
        config = {
            "INFERENCE_NUM_THREADS": self.setting.threads,
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": self.setting.dtype,
        }
        try:
            self.compiled = ov.Core().compile_model(self.model(), "CPU", config)
        except RuntimeError as error:
            raise Refused(str(error)) from None
        self.request = self.compiled.create_infer_request()
        self.request.set_input_tensor(tensor(self.x))
        self.request.set_output_tensor(tensor(self.y))

    def facts(self):
        notes = [node.get_rt_info() for node in self.compiled.get_runtime_model().get_ops()]
        found = [n["primitiveType"].astype(str) for n in notes if n["layerType"].astype(str) == "Deconvolution"]
        return {"form": " ".join(found)}

    def once(self):
        self.request.start_async()  # infer() would copy the output into a new array
        self.request.wait()

    def result(self):
        return as_first(self.y) if self.last else self.y

    def close(self):
        self.request = self.compiled = self.operands = self.x = self.y = None


def make(layer, operands, setting):
    return [OpenVino(layer, operands, setting)]
