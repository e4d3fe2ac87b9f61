# SPDX-License-Identifier: Apache-2.0
"""Each ConvTranspose node of a model, computed by ONNX Runtime's own operator and by ctconv's: agreement and time.

In:  a model and one set of inputs.
Out: compare(): a Row per node; measure(): two sessions against each other on the same inputs.
How: the model runs once, and what flows into each node is kept. Each node then stands in a model of its own, once as it
     is and once as ctconv's, and both sessions take turns. Times are medians of the turns.
Nodes inside If, Loop and Scan are listed, not run: what flows into them is not seen from outside.
"""

import pathlib
import statistics
import tempfile
import time
from typing import NamedTuple, Optional

import numpy as np

from .._errors import Error
from ._convert import _LARGEST, DOMAIN, convert, find, save
from ._library import register
from ._needs import need
from ._nodes import layer, to_array

_BATCH, _EXTENT = 1, 64  # of an axis whose length the model leaves open: the first, and the others
_SECONDS, _MOST_TURNS, _LEAST_TURNS = 0.5, 200, 5


class Row(NamedTuple):
    """One node: shapes, milliseconds (None: not run), the largest difference and the largest value of ONNX Runtime's
    answer, and why it cannot or should not be changed ("" where it can)."""

    label: str
    output: str
    x_shape: tuple
    w_shape: tuple
    runtime_ms: Optional[float]
    ctconv_ms: Optional[float]
    difference: Optional[float]
    largest: Optional[float]
    same_bits: bool
    refusal: str

    @property
    def agrees(self):
        """Within what reordered sums differ by."""
        return self.difference is not None and self.difference <= _tolerance(self.largest)


def _tolerance(largest):
    return 1e-3 * max(largest, 1e-30) if largest is not None else 0.0


def session(model, threads=0, ours=None, **settings):
    """An onnxruntime.InferenceSession on the CPU for a ModelProto or a path.
    ours: whether ctconv's operator is registered, with `settings` as in register(); None: where the model names it."""
    runtime = need("onnxruntime", "running a model")
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    named = hasattr(model, "opset_import") and any(one.domain == DOMAIN for one in model.opset_import)
    if named if ours is None else ours:
        register(options, **settings)
    if isinstance(model, (str, pathlib.Path)):
        return runtime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    if model.ByteSize() < _LARGEST:
        return runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "model.onnx")
        save(model, path)
        return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def sample_inputs(model, shapes=None, given=None, seed=0):
    """{name: array} for every input of a ModelProto: `given` as it is, the others made up.
    Reals are normally distributed, integers 0 and 1. shapes: {name: shape} where the model leaves axes open;
    otherwise the first open axis is 1 long where it is the batch, every other one 64."""
    helper, rng = need("onnx.helper", "ctconv.onnx"), np.random.default_rng(seed)
    out, shapes = dict(given or {}), shapes or {}
    constant = {tensor.name for tensor in model.graph.initializer}
    for value in model.graph.input:
        if value.name in out or value.name in constant:
            continue
        kind = value.type.tensor_type
        shape = shapes.get(value.name)
        if shape is None:
            axes = enumerate(kind.shape.dim)
            shape = [one.dim_value or (_BATCH if axis == 0 else _EXTENT) for axis, one in axes]
        dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type)
        real = np.dtype(dtype).kind in "fV"
        out[value.name] = (rng.standard_normal(shape) if real else rng.integers(0, 2, shape)).astype(dtype)
    return out


def _inputs_of_nodes(model, nodes, inputs, threads):
    """{name: array} of all that flows into the nodes, from one run of the model."""
    onnx = need("onnx", "ctconv.onnx.compare")
    wanted = []
    for found in nodes:
        wanted += [name for name in found.node.input if name and name not in found.initializers]
    wanted = [name for name in dict.fromkeys(wanted) if name not in inputs]
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    there = {value.name for value in whole.graph.output}
    whole.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in wanted if name not in there)
    values = session(whole, threads).run(wanted, inputs) if wanted else []
    return {**inputs, **dict(zip(wanted, values))}


def alone(found, model, values):
    """A model of this node alone and its inputs: constants stay constants."""
    onnx = need("onnx", "ctconv.onnx.compare")
    feed = {name: values[name] for name in found.node.input if name and name not in found.initializers}
    held = []
    for name in found.node.input:
        if name in found.initializers:
            held.append(onnx.numpy_helper.from_array(np.asarray(to_array(found.initializers[name])), name))

    def info(name, array):
        return onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)

    inputs = [info(name, array) for name, array in feed.items()]
    output = onnx.helper.make_tensor_value_info(found.node.output[0], inputs[0].type.tensor_type.elem_type, None)
    graph = onnx.helper.make_graph([found.node], "one", inputs, [output], held)
    return onnx.helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version), feed


def measure(first, second, feed):
    """Both sessions in turn on the same inputs: (milliseconds of each, their outputs)."""
    sessions, times = (first, second), ([], [])
    outputs = [one.run(None, feed) for one in sessions]
    until = time.perf_counter() + 2 * _SECONDS
    while len(times[0]) < _LEAST_TURNS or (time.perf_counter() < until and len(times[0]) < _MOST_TURNS):
        for one, taken in zip(sessions, times):
            start = time.perf_counter()
            one.run(None, feed)
            taken.append(1e3 * (time.perf_counter() - start))
    return [statistics.median(taken) for taken in times], outputs


def difference(a, b):
    """(largest difference, largest |a|) in float64; NaNs at the same places are equal."""
    a, b = np.asarray(a).astype("f8"), np.asarray(b).astype("f8")
    if a.size == 0:
        return 0.0, 0.0
    gap = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    largest = np.abs(a[np.isfinite(a)]).max(initial=0.0)
    return float(np.where(np.isnan(gap), np.inf, gap).max()), float(largest)


def _row(found, model, values, threads):
    x_shape = tuple(values[found.node.input[0]].shape)
    weight = values.get(found.node.input[1])
    weight = to_array(found.initializers[found.node.input[1]]) if weight is None else weight
    start = found.label, found.node.output[0], x_shape, tuple(weight.shape)
    one, feed = alone(found, model, values)
    theirs = session(one, threads)
    theirs.run(None, feed)  # what ONNX Runtime refuses is no row: it is raised
    try:
        layer(found.node, found.initializers, threads=threads)
        times, ((a,), (b,)) = measure(theirs, session(convert(one), threads), feed)
    except Exception as error:  # the runtime has a class for each of its codes
        if "ctconv: " not in str(error) and not isinstance(error, Error):
            raise
        return Row(*start, None, None, None, None, False, str(error))
    same = a.shape == b.shape and a.tobytes() == b.tobytes()
    if a.shape != b.shape:
        return Row(*start, *times, None, None, False, f"ONNX Runtime's shape is {a.shape}, ctconv's {b.shape}")
    return Row(*start, *times, *difference(a, b), same, "")


def compare(model, inputs=None, threads=0, shapes=None, seed=0):
    """A Row for each ConvTranspose node of `model`, a ModelProto.
    inputs: {name: array}; those that are missing are made up (sample_inputs).   threads: of both; 0: ONNX Runtime's
    own choice."""
    nodes = find(model)
    values = sample_inputs(model, shapes, inputs, seed)
    seen = [found for found in nodes if not found.inner]
    if seen:
        values = _inputs_of_nodes(model, seen, values, threads)
    rows = []
    for found in nodes:
        if found.inner:
            text = "it lies in an If, Loop or Scan"
            rows.append(Row(found.label, found.node.output[0], (), (), None, None, None, None, False, text))
        else:
            rows.append(_row(found, model, values, threads))
    return rows
