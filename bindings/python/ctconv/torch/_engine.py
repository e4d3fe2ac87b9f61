# SPDX-License-Identifier: Apache-2.0
"""libctconv's calls on torch tensors, without a copy.

In:  batched tensors, geometry = (stride, padding, output_padding, groups, dilation).   Out: new tensors.
An op is kept per configuration, and records per layout (a slot): a further call sets addresses and makes one C call.
A slot belongs to one running call; threads take them off a list. Weights come with every call: they change every step.
Threads are torch's own, torch.get_num_threads() of them (_team.py). Under torch.use_deterministic_algorithms() results
have the reference's bits, which no number of threads changes. On a CUDA device TF32 is torch's choice too, and the
stream is torch's current one.
"""

import ctypes
import functools
from math import prod

import torch

from .. import _abi
from .._abi import lib
from .._device import current_stream, workspace
from .._errors import WORKSPACE_SIZE
from .._layer import Layer
from .._torch_results import new_strided
from .._workspace import HELD, take_workspace, workspaces
from ..pool import SMALLEST
from ._formats import prefers_channels_last, strides_of
from ._team import options_of

_ELEMENTS = {
    torch.float16: (_abi.FLOAT, 16),
    torch.bfloat16: (_abi.BFLOAT, 16),
    torch.float32: (_abi.FLOAT, 32),
    torch.float64: (_abi.FLOAT, 64),
    torch.complex64: (_abi.COMPLEX, 64),
    torch.complex128: (_abi.COMPLEX, 128),
    torch.bool: (_abi.BOOL, 8),
    torch.uint8: (_abi.UINT, 8),
    torch.int8: (_abi.INT, 8),
    torch.int16: (_abi.INT, 16),
    torch.int32: (_abi.INT, 32),
    torch.int64: (_abi.INT, 64),
}
_SLOTS_HELD = 1024  # layouts whose records are kept
_slots = {}


@functools.lru_cache(maxsize=256)
def _layer(weight_shape, geometry, bias, options):
    """A Layer without weights. geometry is flat: stride, padding, output_padding, dilation, groups."""
    rank, groups = len(weight_shape) - 2, geometry[-1]
    stride, padding, output_padding, dilation = (geometry[i * rank : (i + 1) * rank] for i in range(4))
    args = {
        "in_channels": weight_shape[0],
        "out_channels": weight_shape[1] * groups,
        "kernel_size": weight_shape[2:],
        "stride": stride,
        "padding": padding,
        "output_padding": output_padding,
        "groups": groups,
        "bias": bias,
        "dilation": dilation,
    }
    return Layer(f"torch.nn.ConvTranspose{rank}d", args, None, **dict(options))


def _flat(geometry):
    stride, padding, output_padding, groups, dilation = geometry
    return *stride, *padding, *output_padding, *dilation, groups


@functools.lru_cache(maxsize=None)
def _host_options(threads, exact):
    return options_of(threads), ("reproducible", int(exact))


def _options(x):
    """What torch's own switches say, as a Layer's options."""
    exact = torch.are_deterministic_algorithms_enabled()
    if x.is_cuda:
        tf32 = torch.backends.cudnn.allow_tf32
        return ("device", f"cuda:{x.device.index}"), ("reproducible", int(exact)), ("allow_tf32", tf32)
    return _host_options(torch.get_num_threads(), exact)


def _kind(tensor):
    """All of a tensor that a plan depends on."""
    return tensor.shape, tensor.stride(), tensor.dtype, tensor.device


class _Record:
    """A ctconv_tensor of a tensor's layout; the address is set anew for each call."""

    __slots__ = ("record", "pointer", "arrays")

    def __init__(self, shape, strides, dtype, device):
        n = len(shape)
        code, bits = _ELEMENTS.get(dtype, (3, 8))  # 3: opaque, refused
        self.arrays = (ctypes.c_int64 * max(2 * n, 1))(*shape, *strides)
        extents = ctypes.cast(self.arrays, ctypes.POINTER(ctypes.c_int64))
        steps = ctypes.cast(ctypes.addressof(self.arrays) + 8 * n, ctypes.POINTER(ctypes.c_int64))
        kind, index = (_abi.CUDA, device.index) if device.type == "cuda" else (_abi.CPU, 0)
        self.record = _abi.Tensor(None, kind, index, n, code, bits, 1, extents, steps, 0)
        self.pointer = ctypes.pointer(self.record)


class _Slot:
    """The records of one running call: ctconv_call or ctconv_grads, each tensor under its field's name."""

    def __init__(self, layer, call, prepare, execute, kinds):
        self.layer, self.call, self.error = layer, call, _abi.ErrorRecord()
        self.records = {name: _Record(*kind) for name, kind in kinds.items()}
        for name, one in self.records.items():
            setattr(call, name, one.pointer)
        self.execute = execute
        self.arguments = layer._op.handle, ctypes.byref(call), ctypes.byref(self.error)
        self._prepare, self.workspace_bytes = prepare, None

    def prepare(self):
        needed = ctypes.c_size_t()
        handle, call, error = self.arguments
        self.layer._done(self._prepare(handle, call, ctypes.byref(needed), error), self.error)
        self.workspace_bytes = needed.value
        return self

    def run(self, **tensors):
        for name, tensor in tensors.items():
            self.records[name].record.data = tensor.data_ptr()
        self.execute_on(next(iter(tensors.values())))

    def execute_on(self, one):
        """The addresses are set; `one` of the tensors says where."""
        room = self._workspace(one)
        status = self.execute(*self.arguments)
        if status == WORKSPACE_SIZE and self.workspace_bytes:  # the plan was dropped and made anew with another need
            self.workspace_bytes, self.call.workspace, self.call.workspace_bytes = 0, None, 0
            status = self.execute(*self.arguments)
        if room is not None and not one.is_cuda and room.bytes <= HELD:
            workspaces.append(room)
        if status:
            self.layer._done(status, self.error)

    def _workspace(self, one):
        call = self.call
        if one.is_cuda:
            call.stream = current_stream(one)
        call.workspace, call.workspace_bytes = None, 0
        if not self.workspace_bytes:
            return None
        if one.is_cuda:
            room = workspace(one, self.workspace_bytes)
            call.workspace, call.workspace_bytes = room.data_ptr(), self.workspace_bytes
        else:
            room = take_workspace(self.workspace_bytes)
            call.workspace, call.workspace_bytes = room.address, room.bytes
        return room


def _held(key):
    """A slot of this key that no other call uses, or None."""
    try:
        return _slots[key].pop()
    except (KeyError, IndexError):
        return None


def _hold(key, slot):
    held = _slots.get(key)
    if held is None:
        while len(_slots) >= _SLOTS_HELD:
            try:
                _slots.pop(next(iter(_slots)), None)
            except (StopIteration, RuntimeError):  # another thread changed the dict meanwhile
                break
        held = _slots.setdefault(key, [])
    held.append(slot)


def _spec(layer, call, error):
    spec = _abi.Spec()
    layer._done(lib.ctconv_output_spec(layer._op.handle, call, spec, error), error)
    return tuple(spec.shape[: spec.ndim])


def _new_forward(x, weight, bias, flat, options):
    layer = _layer(tuple(weight.shape), flat, bias is not None, options)
    kinds = {"x": _kind(x), "weight": _kind(weight)}
    if bias is not None:
        kinds["bias"] = _kind(bias)
    asked = _Slot(layer, _abi.Call(), lib.ctconv_prepare, lib.ctconv_execute, kinds)
    shape = _spec(layer, asked.call, asked.error)
    strides = strides_of(shape, prefers_channels_last(x, weight))
    kinds["y"] = shape, strides, x.dtype, x.device
    slot = _Slot(layer, _abi.Call(), lib.ctconv_prepare, lib.ctconv_execute, kinds).prepare()
    slot.y, slot.large = (shape, strides), x.element_size() * prod(shape) >= SMALLEST
    return slot


def forward(x, weight, bias, geometry):
    flat, options = _flat(geometry), _options(x)
    kinds = x.shape, x.stride(), x.dtype, x.device, weight.shape, weight.stride(), weight.dtype, weight.device
    key = kinds, None if bias is None else _kind(bias), flat, options
    slot = _held(key)
    if slot is None:
        slot = _new_forward(x, weight, bias, flat, options)
    y = new_strided(x, *slot.y) if slot.large else x.new_empty_strided(*slot.y)
    records = slot.records
    records["x"].record.data, records["weight"].record.data = x.data_ptr(), weight.data_ptr()
    records["y"].record.data = y.data_ptr()
    if bias is not None:
        records["bias"].record.data = bias.data_ptr()
    slot.execute_on(x)
    _hold(key, slot)
    return y


def _new_backward(weight_shape, flat, bias, options, kinds):
    layer = _layer(tuple(weight_shape), flat, bias, options)
    return _Slot(layer, _abi.Grads(), lib.ctconv_backward_prepare, lib.ctconv_backward, kinds).prepare()


def grad_input(g, weight, size, channels_last, geometry):
    """dx of shape `size`."""
    flat, options, strides = _flat(geometry), _options(g), strides_of(size, channels_last)
    dx = new_strided(g, size, strides)
    kinds = {"dy": _kind(g), "weight": _kind(weight), "dx": _kind(dx)}
    key = "dx", *kinds.values(), flat, options
    slot = _held(key) or _new_backward(weight.shape, flat, False, options, kinds)
    slot.run(dy=g, weight=weight, dx=dx)
    _hold(key, slot)
    return dx


def grad_weight(g, x, size, channels_last, want_weight, want_bias, geometry):
    """dw of shape `size` and db; what is not wanted is a tensor of no elements."""
    flat, options = _flat(geometry), _options(g)
    dw = new_strided(g, size, strides_of(size, channels_last)) if want_weight else g.new_empty(0)
    db = g.new_empty(g.shape[1] if want_bias else 0)
    given = {"dy": g, "x": x}
    if want_weight:
        given["dw"] = dw
    if want_bias:
        given["db"] = db
    if len(given) > 2:
        kinds = {name: _kind(tensor) for name, tensor in given.items()}
        key = *kinds, *kinds.values(), tuple(size), flat, options
        slot = _held(key) or _new_backward(size, flat, want_bias, options, kinds)
        slot.run(**given)
        _hold(key, slot)
    return dw, db


def _new_grads(g, x, weight, formats, want_bias, flat, options):
    results = {
        "dx": (x.shape, strides_of(x.shape, formats[0])),
        "dw": (weight.shape, strides_of(weight.shape, formats[1])),
    }
    if want_bias:
        results["db"] = (g.shape[1],), (1,)
    kinds = {"dy": _kind(g), "x": _kind(x), "weight": _kind(weight)}
    kinds |= {name: (*layout, g.dtype, g.device) for name, layout in results.items()}
    slot = _new_backward(weight.shape, flat, want_bias, options, kinds)
    slot.y = results
    return slot


def grads(g, x, weight, formats, want_bias, geometry):
    """dx, dw and, where it is wanted, db, of one call: a third less is spent around it than by one for each."""
    flat, options = _flat(geometry), _options(g)
    kinds = g.shape, g.stride(), x.shape, x.stride(), weight.shape, weight.stride(), g.dtype, x.dtype, weight.dtype
    key = "grads", kinds, g.device, formats, want_bias, flat, options
    slot = _held(key)
    if slot is None:
        slot = _new_grads(g, x, weight, formats, want_bias, flat, options)
    records, results = slot.records, []
    for name, layout in slot.y.items():
        results.append(new_strided(g, *layout))
        records[name].record.data = results[-1].data_ptr()
    records["dy"].record.data, records["x"].record.data = g.data_ptr(), x.data_ptr()
    records["weight"].record.data = weight.data_ptr()
    slot.execute_on(g)
    _hold(key, slot)
    return results
