# SPDX-License-Identifier: Apache-2.0
"""ConvTranspose nodes as ctconv.Layer's arguments.

In:  a NodeProto, AttributeProtos, or a dict of values; initializers as protos, a graph, a model or a dict of arrays.
Out: arguments(): plain Python values for the dialect onnx.ConvTranspose (bytes become str, arrays become lists);
     layer(): a ctconv.Layer.
Nothing is judged here but what cannot be read: the dialect refuses the rest, by its own names.
"""

import numpy as np

from .._errors import refusal
from .._layer import Layer
from ._needs import need

DIALECT = "onnx.ConvTranspose"
# AttributeProto.AttributeType, by number: the field that holds the value.
_FIELDS = {1: "f", 2: "i", 3: "s", 6: "floats", 7: "ints", 8: "strings"}
_LISTS, _TENSOR = (6, 7, 8), 4


def _is_attribute(value):
    return hasattr(value, "type") and hasattr(value, "ints") and hasattr(value, "strings")


def plain(value):
    """An attribute's value in Python's own types."""
    if _is_attribute(value):
        if value.type == _TENSOR:
            return plain(to_array(value.t))
        if value.type not in _FIELDS:
            text = f"the attribute {value.name} is of AttributeProto type {value.type}, which has no plain value"
            raise refusal("TYPE_ARGUMENT_NAME", text, value.name, value.type)
        held = getattr(value, _FIELDS[value.type])
        return plain(list(held) if value.type in _LISTS else held)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return value
    return tuple(plain(one) for one in value) if isinstance(value, tuple) else [plain(one) for one in value]


def arguments(attributes):
    """{name: value} from a NodeProto, an iterable of AttributeProtos, or a mapping of names to values of any form."""
    if hasattr(attributes, "op_type"):
        attributes = attributes.attribute
    if hasattr(attributes, "items"):
        return {name: plain(value) for name, value in attributes.items()}
    return {one.name: plain(one) for one in attributes}


def to_array(tensor):
    """An ndarray of a TensorProto; other arrays as they are."""
    if hasattr(tensor, "data_type") and hasattr(tensor, "dims"):
        return need("onnx.numpy_helper", "reading a model's weights").to_array(tensor)
    return tensor


def by_name(initializers):
    """{name: TensorProto or array} of whatever holds initializers."""
    if initializers is None:
        return {}
    if hasattr(initializers, "graph"):
        initializers = initializers.graph
    if hasattr(initializers, "initializer"):
        return {**_constants(initializers), **by_name(initializers.initializer)}
    if hasattr(initializers, "items"):
        return dict(initializers.items())
    return {one.name: one for one in initializers}


def _constants(graph):
    """What Constant nodes hold: exporters write weights so too."""
    nodes = [node for node in graph.node if node.op_type == "Constant"]
    return {node.output[0]: a.t for node in nodes for a in node.attribute if a.name == "value"}


def weights_of(node, initializers):
    """(W, B) as arrays; None for one that is absent or no initializer."""
    held = by_name(initializers)
    names = [*node.input[1:3], "", ""][:2]
    return tuple(to_array(held[name]) if name in held else None for name in names)


def layer(node, initializers=None, **options):
    """A ctconv.Layer that computes `node`, with W and B from `initializers` where they are there; else they come with
    each call: layer(x, weight=w, bias=b).

    node           an onnx NodeProto of type ConvTranspose
    initializers   a model, a graph, TensorProtos, or a dict of TensorProtos or arrays by name
    options        ctconv.Layer's: threads, engine, reproducible, ..."""
    if getattr(node, "op_type", None) != "ConvTranspose":
        text = f"node is {getattr(node, 'op_type', type(node).__name__)}; a ConvTranspose node is needed"
        raise refusal("TYPE_ARGUMENT_NAME", text, "node")
    w, b = weights_of(node, initializers)
    # A bias is judged by its weight: without one it comes with the call too.
    return Layer(DIALECT, arguments(node), w, None if w is None else b, **options)
