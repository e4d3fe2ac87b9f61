# SPDX-License-Identifier: Apache-2.0
"""Layer.backward: the gradients of a loss by x, weight and bias, from its gradient by y.

In:  a layer, dy, and what the wanted gradients are made of;   out: a dict of ndarrays, or of the caller's own arrays
On a CUDA device dy is a torch tensor: the gradients are new ones beside it, computed on the stream torch works on.
Refuses: a name that is no gradient; a shape that cannot be known; what ctconv_backward refuses.
"""

import ctypes

import numpy as np

from . import _abi, _device, _region
from ._abi import lib
from ._desc import bias_shape
from ._errors import Error, refusal, shown
from ._kept import Kept
from ._options import flag_of
from ._questions import _UNSET
from ._tensors import dtype_of, element_of, view
from ._values import pointer_to

NAMES = ("dx", "dw", "db")


def _view_of(own):
    return own.view if isinstance(own, Kept) else own


class _Shapes:
    """What each gradient looks like, as far as it is known."""

    def __init__(self, layer, dy, x, weight):
        self.layer, self.dy, self.x = layer, dy, x
        self.window = None  # of a region: the extents of its window of x
        self.weight = weight or _view_of(layer._weights[0])
        self.bias = _view_of(layer._weights[1])

    def of(self, name):
        if name == "db" and self.bias is None:
            return self.bias_shape(), self.dy
        like = {"dx": self.x, "dw": self.weight, "db": self.bias}[name]
        if like is None:
            needs = {"dx": "x", "dw": "weight"}[name]
            text = f"{name} has the shape of {needs}: give {needs}=, or out={{{name!r}: array}}"
            raise refusal("MISUSE_NULL", text, needs)
        return (self.window if name == "dx" and self.window else like.shape), like

    def bias_shape(self):
        """Of the bias that the arguments speak of; None: they say that there is none, for any x."""
        if self.bias is not None:
            return self.bias.shape
        if self.layer._biasless:
            return None
        known = self.x and self.x.shape
        shape = bias_shape(self.layer.dialect, self.layer.args, known, dtype_of(self.dy.element))
        self.layer._biasless = shape is None
        return shape


def _target(name, shapes, dy):
    shape, like = shapes.of(name)
    if _device.on_cuda(dy):
        return dy.new_empty(tuple(shape))
    dtype = like.dtype if like.dtype is not None and element_of(like.dtype) == like.element else dtype_of(like.element)
    return np.empty(shape, dtype)


def _native(array, name):
    """Refuses a byte-swapped array: DLPack has no number for its type, so that the library could not name it."""
    dtype = getattr(array, "dtype", None)
    if not isinstance(dtype, np.dtype) or dtype.isnative:
        return
    status = "TYPE_INPUT_DTYPE" if name in ("x", "weight") else "MISUSE_Y_DTYPE"
    native = dtype.newbyteorder("=")
    text = f"{name} holds byte-swapped {native} ({dtype.str}); pass {name}.astype({str(native)!r})"
    raise refusal(status, text, name, dtype.str, str(native))


def _check_made_of(layer, names, x, y):
    """What each gradient is made of, in the words of this call."""
    if not names:
        raise refusal("MISUSE_NULL", "want and out name no gradient", "want", "", ", ".join(NAMES))
    if "dw" in names and x is None:
        raise refusal("MISUSE_NULL", "dw is made of x: give the forward call's input as x=", "x")
    if "dx" not in names and x is None:
        raise refusal("MISUSE_NULL", "x is needed for its shape: give the forward call's input as x=", "x")
    if layer._options["activation"] and y is None:
        text = "the layer has an activation, whose slope follows from y: give the forward call's result as y="
        raise refusal("MISUSE_NULL", text, "y")


def _wanted(want, out):
    if not isinstance(out, dict):
        raise refusal("MISUSE_OPTION", f"out is a {type(out).__name__}; a dict of arrays is needed", "out", out)
    if not isinstance(want, (str, tuple, list, set)):
        raise refusal("MISUSE_OPTION", f"want is {shown(want)}; a name or a tuple of names is needed", "want", want)
    names = [want] if isinstance(want, str) else list(want)
    for name in [*names, *out]:
        if name not in NAMES:
            raise refusal("MISUSE_OPTION", f"want names {name!r}; gradients are {', '.join(NAMES)}", "want", name)
    return [name for name in NAMES if name in names or name in out]


def _without_db(names, shapes, asked, out):
    """What is left where a layer without a bias is asked for db: by default the rest, else a refusal."""
    if "db" not in names or "db" in out or shapes.bias_shape() is not None:
        return names
    if asked:
        text = "want names 'db', and the layer's arguments say that it has no bias; its gradients are dx, dw"
        raise refusal("MISUSE_OPTION", text, "want", "db", "dx, dw")
    return [name for name in names if name != "db"]


def _window_of(layer, record, x, weight, counts):
    """The shape of the window of x that the record's region reads."""
    call = _abi.Call()
    for name in ("output_size", "begin", "end", "x_begin", "x_shape"):
        setattr(call, name, getattr(record, name))
    call.x, call.weight = x.pointer, weight and weight.pointer
    first, last = _region.window(layer._op.handle, call, _abi.ErrorRecord(), counts)
    shape, at = list(x.shape), len(x.shape) - len(first) - int(layer.channels_last)
    shape[at : at + len(first)] = [e - b for b, e in zip(first, last)]
    return tuple(shape)


def record_of(layer, dy, x, want, tensors, output_size, out, accumulate, box=(None, None, None)):
    """The Grads record, what must outlive it, and the arrays that are written. box: region, x_begin, x_shape."""
    record, keep = _abi.Grads(), []
    record.accumulate = flag_of("accumulate", accumulate)
    asked = want is not _UNSET
    names = _wanted(want if asked else NAMES, out)
    _check_made_of(layer, names, x, tensors["y"])
    seen, stream = {}, _device.current_stream(dy) if _device.on_cuda(dy) else None
    record.stream = stream or None
    for name, array in (("dy", dy), ("x", x), *tensors.items()):
        if array is not None or name == "dy":
            _native(array, name)
            seen[name] = view(array, name, stream=stream)
    shapes = _Shapes(layer, seen["dy"], seen.get("x"), seen.get("weight"))
    names = _without_db(names, shapes, asked, out)
    if output_size is not None:
        record.output_size = pointer_to(output_size[0], keep)
    if box[0] is not None and x is None:
        raise refusal("MISUSE_NULL", "the gradients of a region need x, for its shape at least: give x=", "x")
    record.x = seen["x"].pointer if x is not None else None
    counts = _region.fill(record, keep, *box)
    if counts is not None:
        shapes.window = _window_of(layer, record, seen["x"], seen.get("weight"), counts)
    written = {}
    for name in names:
        if name not in out and record.accumulate:
            text = f"accumulate adds to arrays that are given: {name} is wanted and not in out={{{name!r}: array}}"
            raise refusal("MISUSE_OPTION", text, "accumulate", accumulate, f"False, or {name} in out")
        written[name] = out[name] if name in out else _target(name, shapes, dy)
        _native(written[name], name)
        seen[name] = view(written[name], name, writable=True, stream=stream)
    for name, one in seen.items():
        setattr(record, name, one.pointer)
        keep.append(one)
    return record, keep, written


def _done(layer, status, record):
    """Raises what a call refused; a field of the C record is called as the argument here is."""
    try:
        layer._done(status, record)
    except Error as error:
        if not error.argument.startswith("grads."):
            raise
        error.argument = error.argument[len("grads.") :]
        error.args = (error.args[0].replace("grads.", ""),)
        raise


def run(layer, record, dy):
    """Prepares, then computes in a workspace of numpy's, on a device of torch's; else the library keeps one itself."""
    error, needed = _abi.ErrorRecord(), ctypes.c_size_t()
    _done(layer, lib.ctconv_backward_prepare(layer._op.handle, record, needed, error), error)
    room = None  # held until the call is enqueued
    if needed.value and layer._host:
        room = np.empty(needed.value, np.uint8)
        record.workspace, record.workspace_bytes = room.ctypes.data, needed.value
    elif needed.value and _device.on_cuda(dy):
        room = _device.workspace(dy, needed.value)
        record.workspace, record.workspace_bytes = room.data_ptr(), needed.value
    _done(layer, lib.ctconv_backward(layer._op.handle, record, error), error)


def describe(layer, record):
    error, needed = _abi.ErrorRecord(), ctypes.c_size_t()
    _done(layer, lib.ctconv_backward_describe(layer._op.handle, record, None, 0, needed, error), error)
    text = ctypes.create_string_buffer(needed.value)
    _done(layer, lib.ctconv_backward_describe(layer._op.handle, record, text, needed.value, needed, error), error)
    return text.value.decode("utf-8", "replace")
