# SPDX-License-Identifier: Apache-2.0
"""onnxruntime answers the cases of differential.py for onnx.ConvTranspose.

A typed graph declares its inputs' shapes, so that shape inference judges the attributes too;
an untyped one declares nothing but the element type.
"""

import numpy as np
import onnx
import onnxruntime
from onnx import helper

import wire


def handle(case):
    args = wire.decode_all(case["args"])
    args = {name: list(v) if isinstance(v, tuple) else v for name, v in args.items()}
    x, w = wire.make_x(case["x_shape"], case["x_dtype"]), wire.make_weight(case["w_shape"], case["w_dtype"])
    feed = {"x": x, "w": w}
    if case["bias"]:
        feed["b"] = wire.make_bias([case["bias"]], case["w_dtype"])
    node = helper.make_node("ConvTranspose", list(feed), ["y"])
    for name, value in args.items():  # an empty list has no type of its own
        node.attribute.append(
            helper.make_attribute(name, value, attr_type=onnx.AttributeProto.INTS if value == [] else None)
        )
    inputs = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape if case["typed"] else None)
        for n, a in feed.items()
    ]
    output = helper.make_tensor_value_info("y", inputs[0].type.tensor_type.elem_type, None)
    model = helper.make_model(
        helper.make_graph([node], "g", inputs, [output]), opset_imports=[helper.make_opsetid("", 11)], ir_version=8
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return wire.answer(np.asarray(session.run(None, feed)[0]), w.shape)


assert onnx.__version__
wire.serve(handle)
