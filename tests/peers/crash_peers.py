# SPDX-License-Identifier: Apache-2.0
"""One package answers the cases of crash_cases.py, each in a forked child; run by crash_table.py in the package's own
environment.

In:   the package's name
Out:  a line {"version": ...}, then one line a case {"name", "outcome", "message"}: "result", "error", "none" (the
      package has no such argument), "signal N", "hang"
Rule: a child has 20 s, 4 GiB more address space than it began with, and no core dump.
Usage: crash_peers.py PACKAGE
"""

import json
import os
import resource
import select
import signal
import sys
import tempfile

import crash_cases
import numpy as np

SECONDS, SPACE = 20, 4 << 30


class NotThere(Exception):
    """The package's operator has no such argument."""


def operands(case, last=False):
    bias = None if case["bias"] is None else np.ones(case["bias"], np.float32)
    return np.ones(case["x"], np.float32), np.ones(case["w"], np.float32), bias


def has_no(case, *fields):
    """NotThere where one of the fields is not as in a whole layer."""
    good = crash_cases.whole(case["rank"])
    if any(case[field] != good[field] for field in fields):
        raise NotThere


def torch():
    import torch

    def run(case):
        x, w, b = (None if a is None else torch.from_numpy(a) for a in operands(case))
        words = {name: case[name] for name in ("stride", "padding", "output_padding", "groups", "dilation")}
        if case["output_size"] is None:
            return getattr(torch.nn.functional, f"conv_transpose{case['rank']}d")(x, w, b, **words)
        layer = getattr(torch.nn, f"ConvTranspose{case['rank']}d")(2, 2, 3, bias=False, **words)
        return layer(x, output_size=case["output_size"])

    return torch.__version__, run


def paddle():
    import paddle

    def run(case):
        x, w, b = (None if a is None else paddle.to_tensor(a) for a in operands(case))
        names = ("stride", "padding", "output_padding", "groups", "dilation", "output_size")
        words = {name: case[name] for name in names}
        if case["output_size"] is not None:
            del words["output_padding"]
        return getattr(paddle.nn.functional, f"conv{case['rank']}d_transpose")(x, w, b, **words).numpy()

    return paddle.__version__, run


def onnx_model(case):
    from onnx import TensorProto, helper, numpy_helper

    x, w, b = operands(case)
    held = [numpy_helper.from_array(a, name) for a, name in ((w, "w"), (b, "b")) if a is not None]
    words = {"strides": case["stride"], "dilations": case["dilation"], "group": case["groups"]}
    words |= {"output_padding": case["output_padding"]}
    if case["output_size"] is None:
        words["pads"] = case["padding"] * 2
    else:
        if case["output_size"][0] == 1:
            raise NotThere  # legal here: the pads follow from output_shape
        words["output_shape"] = case["output_size"]
    node = helper.make_node("ConvTranspose", ["x", *(t.name for t in held)], ["y"], **words)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, s) for name, s in (("x", x.shape), ("y", None))]
    graph = helper.make_graph([node], "layer", ends[:1], ends[1:], held)
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString(), x


def onnxruntime():
    import onnxruntime
    import onnx  # noqa: F401

    def run(case):
        model, x = onnx_model(case)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        runner = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return runner.run(None, {"x": x})

    return onnxruntime.__version__, run


def mindspore():
    os.environ["GLOG_v"] = "4"
    import mindspore
    from mindspore import Tensor

    mindspore.set_context(mode=mindspore.PYNATIVE_MODE, device_target="CPU")

    def run(case):
        if case["output_size"] is not None or case["bias"] is not None:
            raise NotThere
        rank = case["rank"]
        has_no(case, *(["output_padding"] if rank < 3 else []))
        x, w, _ = operands(case)
        one = (lambda v: v[0]) if rank == 1 else tuple
        words = {name: one(case[name]) for name in ("stride", "dilation")}
        twice = tuple(v for v in case["padding"] for _ in range(2))
        words["padding"] = case["padding"][0] if rank == 1 else twice
        if rank == 3:
            words["output_padding"] = tuple(case["output_padding"])
        net = getattr(mindspore.nn, f"Conv{rank}dTranspose")(2, 2, 3, pad_mode="pad", group=case["groups"], **words)
        if list(net.weight.shape) != case["w"]:
            if len(net.weight.shape) == len(case["w"]):
                net.weight.set_data(Tensor(w), slice_shape=True)
            else:
                net.weight = mindspore.Parameter(Tensor(w), name="weight")
        return net(Tensor(x)).asnumpy()

    return mindspore.__version__, run


def openvino():
    import openvino as ov
    from openvino import opset8 as op

    def run(case):
        has_no(case, "groups", "bias")
        x, w, _ = operands(case)
        p = op.parameter(case["x"], ov.Type.f32, name="x")
        words = dict(strides=case["stride"], pads_begin=case["padding"], pads_end=case["padding"])
        words |= dict(dilations=case["dilation"], auto_pad="explicit", output_padding=case["output_padding"])
        size = [] if case["output_size"] is None else [op.constant(np.array(case["output_size"], np.int64))]
        y = op.convolution_backprop_data(p, op.constant(w), *size, **words)
        compiled = ov.Core().compile_model(ov.Model([y], [p], "layer"), "CPU", {"INFERENCE_NUM_THREADS": 1})
        return np.array(compiled([x])[0])

    return ov.__version__.split("-")[0], run


def litert():
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../bench"))
    import ai_edge_litert
    from ai_edge_litert import interpreter as lite
    from ai_edge_litert import schema_py_generated as schema
    from contenders import litert as bench

    def model(case):
        x, w, _ = operands(case)
        rank = case["rank"]
        build = bench._Model()
        last = [case["x"][0], *case["x"][2:], case["x"][1]]
        taps = np.moveaxis(w, (0, 1), (-1, -2) if rank == 3 else (-1, 0))
        natural = [(i - 1) * s + k for i, s, k in zip(case["x"][2:], case["stride"], case["w"][2:])]
        out = [case["x"][0], *(case["output_size"] or natural), 2]
        if max(out) >= 2**31 or max(case["stride"]) >= 2**31 or min(out + case["stride"]) < -(2**31):
            raise NotThere  # the file has no room for the number
        inputs = [build.integers("shape", out), build.tensor("w", taps.shape, taps), build.tensor("x", last)]
        y = build.tensor("y", [max(n, 1) if n < 2**20 else 1 for n in out])
        three = rank == 3
        options = schema.Conv3DOptionsT() if three else schema.TransposeConvOptionsT()
        options.padding = schema.Padding.VALID
        options.strideH, options.strideW = case["stride"][-2:]
        if three:
            options.strideD = case["stride"][0]
            options.dilationDFactor = options.dilationHFactor = options.dilationWFactor = 1
        operator, kinds = schema.BuiltinOperator, schema.BuiltinOptions
        code = operator.CONV_3D_TRANSPOSE if three else operator.TRANSPOSE_CONV
        build.operator(code, 1, kinds.Conv3DOptions if three else kinds.TransposeConvOptions, options, inputs, y)
        return build.packed([inputs[2]], [y])

    def run(case):
        if case["rank"] == 1 or len(case["stride"]) != case["rank"]:
            raise NotThere
        has_no(case, "padding", "dilation", "output_padding", "groups", "bias")
        runner = lite.Interpreter(model_content=model(case), num_threads=1)
        runner.allocate_tensors()
        runner.invoke()
        return runner.get_tensor(runner.get_output_details()[0]["index"])

    return ai_edge_litert.__version__, run


def ncnn():
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../bench"))
    import ncnn
    from contenders import ncnn as bench

    def run(case):
        rank = case["rank"]
        if case["output_size"] is not None or len(case["w"]) != rank + 2 or len(case["x"]) != rank + 2:
            raise NotThere
        if any(len(case[name]) != rank for name in ("stride", "padding", "dilation", "output_padding")):
            raise NotThere
        has_no(case, "bias")
        x, w, _ = operands(case)
        kind = bench.NAMES[rank].format("DepthWise" if case["groups"] != 1 else "")
        numbers = {0: case["w"][1], 5: 0, 6: w.size, 7: case["groups"]}
        fields = (bench.KERNEL, case["w"][2:]), (bench.DILATION, case["dilation"]), (bench.STRIDE, case["stride"])
        pads = (bench.BEFORE, case["padding"]), (bench.AFTER, case["padding"]), (bench.EXTRA, case["output_padding"])
        for keys, entries in (*fields, *pads):
            numbers |= dict(zip(keys, reversed(entries)))
        if max(abs(n) for n in numbers.values()) >= 2**31:
            raise NotThere  # its parameters are 32-bit numbers
        words = " ".join(f"{key}={value}" for key, value in sorted(numbers.items()))
        with tempfile.TemporaryDirectory() as folder:
            param, weights = os.path.join(folder, "p"), os.path.join(folder, "w")
            with open(param, "w") as f:
                f.write(f"7767517\n2 2\nInput in 0 1 x\n{kind} layer 1 1 x y {words}\n")
            with open(weights, "wb") as f:
                f.write(bytes(4) + w.swapaxes(0, 1).tobytes())
            net = ncnn.Net()
            net.opt.num_threads, net.opt.use_vulkan_compute = 1, False
            if net.load_param(param) or net.load_model(weights):
                raise RuntimeError("load: a status other than 0")
            runner = net.create_extractor()
            runner.input("x", ncnn.Mat(x[0]))
            status, y = runner.extract("y")
        if status:
            raise RuntimeError(f"extract: status {status}")
        return np.array(y)

    return ncnn.__version__, run


def mnn():
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../bench"))
    import _tools
    import MNN
    import onnx  # noqa: F401
    from MNN import expr, nn

    def run(case):
        if case["rank"] == 1:
            raise NotThere
        model, x = onnx_model(case)
        with tempfile.TemporaryDirectory() as folder:
            files = [os.path.join(folder, name) for name in ("a.onnx", "a.mnn")]
            with open(files[0], "wb") as f:
                f.write(model)
            words = ["mnnconvert", "-f", "ONNX", "--modelFile", files[0], "--MNNModel", files[1], "--bizCode", "x"]
            if not _tools.mnnconvert(words) or not os.path.exists(files[1]):
                raise RuntimeError("its converter gave no model")
            module = nn.load_module_from_file(files[1], ["x"], ["y"], thread_num=1)
            y = module.forward([expr.const(x, list(x.shape), expr.NCHW)])
            return np.array((y[0] if isinstance(y, (list, tuple)) else y).read())

    return MNN.version(), run


def ctconv():
    import ctconv

    def run(case):
        x, w, b = operands(case)
        words = {name: tuple(case[name]) for name in ("stride", "padding", "dilation", "output_padding")}
        words |= {"in_channels": 2, "out_channels": 2, "kernel_size": (3,) * case["rank"], "groups": case["groups"]}
        layer = ctconv.Layer(f"torch.nn.ConvTranspose{case['rank']}d", words | {"bias": b is not None}, w, b)
        more = {} if case["output_size"] is None else {"output_size": tuple(case["output_size"])}
        return layer(x, **more)

    return ctconv.__version__, run


PACKAGES = {f.__name__: f for f in (ctconv, torch, paddle, onnxruntime, mindspore, openvino, litert, ncnn, mnn)}


def in_child(run, case):
    """What became of one case."""
    reader, writer = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with open("/proc/self/statm") as f:
            space = int(f.read().split()[0]) * resource.getpagesize() + SPACE
        resource.setrlimit(resource.RLIMIT_AS, (space, space))
        try:
            y = run(case)
            answer = {"outcome": "result", "message": str(getattr(y, "shape", ""))}
        except NotThere:
            answer = {"outcome": "none", "message": ""}
        except BaseException as error:
            answer = {"outcome": "error", "message": f"{type(error).__name__}: {error}"[:2000]}
        os.write(writer, json.dumps(answer).encode())
        os._exit(0)
    os.close(writer)
    ready, _, _ = select.select([reader], [], [], SECONDS)
    text = os.read(reader, 65536) if ready else b""
    if not ready:
        os.kill(child, signal.SIGKILL)
    os.close(reader)
    status = os.waitpid(child, 0)[1]
    if not ready:
        return {"outcome": "hang", "message": f"{SECONDS} s"}
    if not text:
        word = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}"
        return {"outcome": word, "message": ""}
    return json.loads(text)


def main():
    version, run = PACKAGES[sys.argv[1]]()
    print(json.dumps({"version": version}), flush=True)
    good = in_child(run, crash_cases.whole(2) | {"name": "whole"})
    print(json.dumps({"name": "whole", **good}), flush=True)
    for case in crash_cases.cases():
        print(json.dumps({"name": case["name"], **in_child(run, case)}), flush=True)


if __name__ == "__main__":
    main()
