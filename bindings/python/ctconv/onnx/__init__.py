# SPDX-License-Identifier: Apache-2.0
"""ONNX models on libctconv: `import ctconv.onnx`, or `python -m ctconv.onnx model.onnx -o fast.onnx`.

layer(node, initializers)   a ctconv.Layer that computes one ConvTranspose node
arguments(node)             its attributes as plain values: AttributeProto, bytes and arrays are read
find(model)                 every ConvTranspose node of a model
compare(model, ...)         each node here and in ONNX Runtime: agreement and time
convert(model, only=None)   a copy whose nodes call libctconv inside ONNX Runtime
register(options)           session options that know the operator; library() is its path
The packages onnx and onnxruntime are imported by what needs them.
"""

from ._compare import compare, sample_inputs, session
from ._convert import convert, find, save
from ._library import library, register
from ._nodes import arguments, layer

__all__ = [
    "arguments",
    "compare",
    "convert",
    "find",
    "layer",
    "library",
    "register",
    "sample_inputs",
    "save",
    "session",
]
