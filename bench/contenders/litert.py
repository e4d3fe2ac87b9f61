# SPDX-License-Identifier: Apache-2.0
"""LiteRT (TensorFlow Lite) with its XNNPACK delegate: a model of one TRANSPOSE_CONV, written as a flatbuffer here.

It knows channels-last only, 2-D (1-D as height 1) and 3-D (CONV_3D_TRANSPOSE, which XNNPACK has not; LiteRT's own
kernel runs it), no groups, no dilation, float32. Padding is VALID or SAME: what the layer crops otherwise is a SLICE of
the larger output inside the model; output padding that no larger output holds is refused. x is written into the
interpreter's memory before, y is read there.
"""

import math

import ai_edge_litert
import flatbuffers
import numpy as np
from ai_edge_litert import interpreter as lite
from ai_edge_litert import schema_py_generated as schema

from contenders.base import Contender, Refused, as_first


def start(setting):
    if setting.layout == "first":
        raise RuntimeError("channels-last only")
    if setting.dtype != "f32":
        raise RuntimeError("no 16-bit tensors on this kind of processor")
    return {"litert": ai_edge_litert.__version__}


class _Model:
    """A model under construction: tensors, their data, operators."""

    def __init__(self):
        self.graph, self.model = schema.SubGraphT(), schema.ModelT()
        self.graph.tensors, self.graph.operators = [], []
        self.model.version, self.model.subgraphs, self.model.operatorCodes = (3, [self.graph], [])
        self.model.buffers = [schema.BufferT()]

    def tensor(self, name, shape, data=None):
        made = schema.TensorT()
        made.name, made.shape, made.buffer = name, list(shape), 0
        made.type = schema.TensorType.FLOAT32 if data is None else schema.TensorType.INT32
        if data is not None:
            if data.dtype == np.float32:
                made.type = schema.TensorType.FLOAT32
            held = schema.BufferT()
            held.data = np.ascontiguousarray(data).view(np.uint8).reshape(-1)
            made.buffer = len(self.model.buffers)
            self.model.buffers.append(held)
        self.graph.tensors.append(made)
        return len(self.graph.tensors) - 1

    def integers(self, name, values):
        return self.tensor(name, [len(values)], np.array(values, np.int32))

    def operator(self, code, version, kind, options, inputs, output):
        entry = schema.OperatorCodeT()
        entry.builtinCode, entry.deprecatedBuiltinCode, entry.version = (code, min(code, 127), version)
        self.model.operatorCodes.append(entry)
        made = schema.OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = (len(self.model.operatorCodes) - 1, inputs, [output])
        made.builtinOptionsType, made.builtinOptions = kind, options
        self.graph.operators.append(made)

    def packed(self, inputs, outputs):
        self.graph.inputs, self.graph.outputs = inputs, outputs
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def crop(layer):
    """(padding, shape of the operator's y, first position kept), each over the axes of the layer.
    SAME crops (k - s) // 2 before where out = in * s, as the model's own layers are converted."""
    full = [(i - 1) * s + k for i, s, k in zip(layer.i, layer.s, layer.k)]
    total = [whole - o for whole, o in zip(full, layer.o)]
    if not any(total):
        return "VALID", full, [0] * layer.rank
    same = all(o == i * s and k >= s for o, i, s, k in zip(layer.o, layer.i, layer.s, layer.k))
    if same and all(lo == t // 2 for lo, t in zip(layer.lo, total)):
        return "SAME", layer.o, [0] * layer.rank
    if any(lo + o > whole for lo, o, whole in zip(layer.lo, layer.o, full)):
        raise Refused("output padding beyond the last tap")
    return "VALID", full, layer.lo


def model_of(layer, w, b):
    """The bytes of the model."""
    if layer.g > 1 or any(d > 1 for d in layer.d):
        raise Refused("groups" if layer.g > 1 else "dilation")
    padding, shape, first = crop(layer)
    high, build = [1] * (2 - layer.rank), _Model()
    taps = np.moveaxis(w, (0, 1), (-1, -2) if layer.rank == 3 else (-1, 0))  # (k.., cout, cin) or (cout, k.., cin)
    if layer.rank == 1:
        taps = taps[:, None]
    whole, out = ([layer.n, *high, *shape, layer.cout], [layer.n, *high, *layer.o, layer.cout])
    x = build.tensor("x", [layer.n, *high, *layer.i, layer.cin])
    inputs = [build.integers("shape", whole), build.tensor("w", taps.shape, taps), x]
    y = whole_y = build.tensor("y", whole)
    if b is not None:
        inputs.append(build.tensor("b", b.shape, b))
    options = schema.Conv3DOptionsT() if layer.rank == 3 else schema.TransposeConvOptionsT()
    options.padding = schema.Padding.SAME if padding == "SAME" else schema.Padding.VALID
    options.strideH, options.strideW = ([1] + layer.s)[-2:]
    if layer.rank == 3:
        options.strideD = layer.s[0]
        options.dilationDFactor = options.dilationHFactor = options.dilationWFactor = 1
    code, kind = (
        (schema.BuiltinOperator.CONV_3D_TRANSPOSE, schema.BuiltinOptions.Conv3DOptions)
        if layer.rank == 3
        else (schema.BuiltinOperator.TRANSPOSE_CONV, schema.BuiltinOptions.TransposeConvOptions)
    )
    build.operator(code, 1 if layer.rank == 3 or b is None else 3, kind, options, inputs, whole_y)
    if whole != out:
        y = build.tensor("z", out)
        begin = build.integers("begin", [0, *[0] * len(high), *first, 0])
        size = build.integers("size", out)
        build.operator(
            schema.BuiltinOperator.SLICE,
            1,
            schema.BuiltinOptions.SliceOptions,
            schema.SliceOptionsT(),
            [whole_y, begin, size],
            y,
        )
    return build.packed([x], [y])


class LiteRt(Contender):
    def __init__(self, layer, operands, setting):
        super().__init__("litert")
        self.layer, self.setting, self.operands = layer, setting, operands
        self.note = "CONV_3D_TRANSPOSE, without XNNPACK" if layer.rank == 3 else ""

    def setup(self):
        try:
            self.runner = lite.Interpreter(
                model_content=model_of(self.layer, self.operands.w, self.operands.b), num_threads=self.setting.threads
            )
            self.runner.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise Refused(str(error)) from None
        x = self.runner.get_input_details()[0]["index"]
        self.runner.set_tensor(x, self.operands.x.reshape(self.runner.get_input_details()[0]["shape"]))
        self.out = self.runner.get_output_details()[0]["index"]

    def once(self):
        self.runner.invoke()

    def result(self):
        y = self.runner.get_tensor(self.out)
        assert y.size == math.prod(self.layer.y_shape)
        return as_first(y.reshape(self.layer.n, *self.layer.o, self.layer.cout))

    def facts(self):
        padding, shape, _ = crop(self.layer)
        return {"form": padding + (" and SLICE" if shape != self.layer.o else "")}

    def close(self):
        self.runner = self.operands = None


def make(layer, operands, setting):
    return [LiteRt(layer, operands, setting)]
