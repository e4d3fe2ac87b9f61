# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime, CPU provider: one ConvTranspose node with constant weights, input and output bound to fixed memory.

It knows channels-first only: for layout last a Transpose before and after belongs to the graph and to the time.
Uneven padding is its own. f16 tensors are cast to float32 and back by the runtime, inside the call; bf16 it refuses.
"""

import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from contenders.base import CONVERTING, Contender, Refused, as_first


def start(setting):
    del setting
    return {"onnxruntime": onnxruntime.__version__}


def model_of(layer, operands, setting):
    """The bytes of the ONNX model: x, y and the constants in the run's layout and type."""
    last, constants = (setting.layout == "last", [numpy_helper.from_array(operands.w, "w")])
    inputs = ["a" if last else "x", "w"]
    if layer.bias:
        constants.append(numpy_helper.from_array(operands.b, "b"))
        inputs.append("b")
    nodes = [
        helper.make_node(
            "ConvTranspose",
            inputs,
            ["z" if last else "y"],
            kernel_shape=layer.k,
            strides=layer.s,
            dilations=layer.d,
            pads=[*layer.lo, *layer.hi],
            output_padding=layer.op,
            group=layer.g,
        )
    ]
    if last:
        axes = range(2, layer.rank + 2)
        nodes.insert(
            0, helper.make_node("Transpose", ["x"], ["a"], perm=[0, layer.rank + 1, *range(1, layer.rank + 1)])
        )
        nodes.append(helper.make_node("Transpose", ["z"], ["y"], perm=[0, *axes, 1]))
    kind = TensorProto.FLOAT16 if setting.dtype == "f16" else TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "layer",
        [helper.make_tensor_value_info("x", kind, operands.x.shape)],
        [helper.make_tensor_value_info("y", kind, operands.y.shape)],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


class Ort(Contender):
    def __init__(self, layer, operands, setting):
        super().__init__("onnxruntime")
        self.layer, self.setting, self.operands = layer, setting, operands
        self.last = setting.layout == "last"
        self.x, self.y = operands.x, operands.y
        self.note = CONVERTING if self.last or setting.dtype == "f16" else ""

    def setup(self):
        if self.setting.dtype == "bf16":
            raise Refused("the CPU provider has no ConvTranspose of bf16 and adds no casts")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = (self.setting.threads, 1)
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        try:
            self.runner = onnxruntime.InferenceSession(
                model_of(self.layer, self.operands, self.setting), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its own exception types differ between releases
            raise Refused(str(error)) from None
        self.binding = self.runner.io_binding()
        self.held = [onnxruntime.OrtValue.ortvalue_from_numpy(a) for a in (self.x,)]
        self.binding.bind_ortvalue_input("x", self.held[0])
        self.binding.bind_output("y", "cpu", 0, self.y.dtype, self.y.shape, self.y.__array_interface__["data"][0])

    def once(self):
        self.runner.run_with_iobinding(self.binding)

    def result(self):
        return as_first(self.y) if self.last else self.y

    def close(self):
        self.runner = self.binding = self.held = self.operands = self.x = self.y = None


def make(layer, operands, setting):
    return [Ort(layer, operands, setting)]
