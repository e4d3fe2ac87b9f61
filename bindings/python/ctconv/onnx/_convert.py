# SPDX-License-Identifier: Apache-2.0
"""A model whose ConvTranspose nodes call libctconv.

In:  an onnx ModelProto; which nodes.
Out: find(): the nodes with their graph; convert(): a copy of the model, in which they are ctconv::ConvTranspose,
     version 1, with the same inputs, outputs and attributes. Everything else stays as it is.
What shape inference knows of their outputs is written into the copy, since it does not know the new operator.
Nodes inside functions of the model are left alone.
"""

from typing import NamedTuple

from ._needs import need
from ._nodes import by_name

DOMAIN, VERSION = "ctconv", 1
_GRAPH, _GRAPHS = 5, 10  # AttributeProto.AttributeType
_LARGEST = 2**31 - 2**20  # bytes a protobuf file may have


class Found(NamedTuple):
    """One ConvTranspose node. `label` is its name, or its output's; `inner`: it lies in an If, Loop or Scan."""

    label: str
    node: object
    graph: object
    initializers: dict
    inner: bool


def is_ours(node):
    return node.op_type == "ConvTranspose" and node.domain == DOMAIN


def _subgraphs(node):
    for attribute in node.attribute:
        if attribute.type == _GRAPH:
            yield attribute.g
        elif attribute.type == _GRAPHS:
            yield from attribute.graphs


def _walk(graph, outer, inner):
    # An initializer that is an input too may be given anew at each run.
    held = {**outer, **by_name(graph)}
    for name in (value.name for value in graph.input):
        held.pop(name, None)
    for node in graph.node:
        if node.op_type == "ConvTranspose" and node.domain in ("", "ai.onnx"):
            yield Found(node.name or node.output[0], node, graph, held, inner)
        for below in _subgraphs(node):
            yield from _walk(below, held, True)


def find(model):
    """Every ConvTranspose node of the model, in the graph's order."""
    return list(_walk(model.graph, {}, False))


def _known_shapes(model):
    """value_info by name, as far as shape inference comes."""
    onnx = need("onnx", "ctconv.onnx.convert")
    try:
        graph = onnx.shape_inference.infer_shapes(model).graph
    except Exception:  # too large, or not inferable: the shapes stay unknown, which costs nothing but hints
        graph = model.graph
    return {value.name: value for value in graph.value_info}


def convert(model, only=None):
    """A copy of `model` whose ConvTranspose nodes are ctconv's. only: the names of the nodes to change, or of their
    outputs; None: all.
    The copy runs in sessions made with ctconv.onnx.register or register_custom_ops_library(ctconv.onnx.library())."""
    onnx = need("onnx", "ctconv.onnx.convert")
    out = onnx.ModelProto()
    out.CopyFrom(model)
    shapes, changed = _known_shapes(model), 0
    for found in find(out):
        node = found.node
        if only is not None and not {found.label, node.output[0]} & set(only):
            continue
        changed += 1
        node.domain = DOMAIN
        while node.input and not node.input[-1]:
            del node.input[-1]
        named = {value.name for value in (*found.graph.value_info, *found.graph.output)}
        if node.output[0] in shapes and node.output[0] not in named:
            found.graph.value_info.append(shapes[node.output[0]])
    if changed and all(one.domain != DOMAIN for one in out.opset_import):
        out.opset_import.append(onnx.helper.make_opsetid(DOMAIN, VERSION))
    return out


def save(model, path):
    """Writes the model; weights beyond what one file may hold go to a file beside it."""
    onnx = need("onnx", "ctconv.onnx")
    onnx.save(model, path, save_as_external_data=model.ByteSize() > _LARGEST)
