"""onnxruntime answers the cases of differential.py for onnx.ConvTranspose."""
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
    node = helper.make_node("ConvTranspose", list(feed), ["y"], **args)
    inputs = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), [None] * a.ndim) for n, a in feed.items()]
    output = helper.make_tensor_value_info("y", inputs[0].type.tensor_type.elem_type, None)
    model = helper.make_model(helper.make_graph([node], "g", inputs, [output]), opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return wire.answer(np.asarray(session.run(None, feed)[0]), w.shape)


assert onnx.__version__
wire.serve(handle)
