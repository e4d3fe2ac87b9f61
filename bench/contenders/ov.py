"""OpenVINO, CPU plugin, float32, latency hint: one (Group)ConvolutionBackpropData with constant weights and a bias.

Input and output are fixed memory. layout last: the pre- and post-processor declares both tensors channels-last, so that
the plugin may keep them so. Uneven padding is its own.
"""

import numpy as np
import openvino as ov
from openvino import preprocess
from openvino import opset8 as op

from contenders.base import Contender, Refused, as_first


def start(setting):
    del setting
    return {"openvino": ov.__version__.split("-")[0]}


class OpenVino(Contender):
    def __init__(self, layer, operands, setting):
        super().__init__("openvino")
        self.layer, self.setting, self.operands = layer, setting, operands
        self.last = setting.layout == "last"
        self.x, self.y = operands.x, operands.y

    def model(self):
        layer, w, b = self.layer, self.operands.w, self.operands.b
        x = op.parameter(layer.x_shape, np.float32, name="x")
        keywords = dict(
            strides=layer.s,
            pads_begin=layer.lo,
            pads_end=layer.hi,
            dilations=layer.d,
            auto_pad="explicit",
            output_padding=layer.op,
        )
        if layer.g == 1:
            y = op.convolution_backprop_data(x, op.constant(w), **keywords)
        else:
            grouped = w.reshape(layer.g, layer.cin // layer.g, *w.shape[1:])
            y = op.group_convolution_backprop_data(x, op.constant(grouped), **keywords)
        if b is not None:
            y = op.add(y, op.constant(b.reshape(1, -1, *[1] * layer.rank)))
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
            "INFERENCE_PRECISION_HINT": "f32",
        }
        try:
            self.compiled = ov.Core().compile_model(self.model(), "CPU", config)
        except RuntimeError as error:
            raise Refused(str(error)) from None
        self.request = self.compiled.create_infer_request()
        self.request.set_input_tensor(ov.Tensor(self.x, shared_memory=True))
        self.request.set_output_tensor(ov.Tensor(self.y, shared_memory=True))

    def once(self):
        self.request.start_async()  # infer() would copy the output into a new array
        self.request.wait()

    def result(self):
        return as_first(self.y) if self.last else self.y

    def close(self):
        self.request = self.compiled = self.operands = self.x = self.y = None


def make(layer, operands, setting):
    return [OpenVino(layer, operands, setting)]
