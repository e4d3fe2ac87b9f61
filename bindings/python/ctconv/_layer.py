"""Layer: an op with its weight, called like a function.

In:  a dialect, its arguments, weight and bias; then x per call.   Out: y, a new ndarray, or the caller's `out`.
What depends only on the shapes (output shape, records, plan) is kept per shape in a slot, so that a further call of a known
shape is two pointers and one C call. A slot and a workspace belong to one running call: threads take them off a list.
"""
import ctypes
from math import prod

import numpy as np

from . import _abi
from ._abi import lib
from ._desc import Descriptor, shape_of
from ._errors import raised, refusal
from ._options import record_of
from ._tensors import dtype_of, element_of, quick, shape_record, view
from ._values import pointer_to

_UNSET = type("_Unset", (), {"__repr__": lambda self: "<not given>"})()
_SHAPES_HELD = 64               # shapes whose slots are kept per layer
_WORKSPACE_HELD = 256 * 2**20   # larger workspaces go back to the system after the call
_HOST = (_abi.CPU, _abi.CUDA_HOST)
_FLOAT32 = (_abi.FLOAT, 32)
_WORKSPACE_SIZE, _MISUSE_RUNNER = 5002, 7010

_workspaces = []  # free (buffer, bytes, address) of all layers, one per call that ran at the same time

_empty, _ndarray, _uint8, _execute = np.empty, np.ndarray, np.dtype(np.uint8), lib.ctconv_execute
_LARGE = 1 << 18  # bytes


class _Op:
    """Owns a ctconv_op and what must outlive it."""

    def __init__(self, handle, keep):
        self.handle, self.keep = handle, keep

    def __del__(self):
        if lib is not None:  # None late in the interpreter's shutdown
            lib.ctconv_destroy(self.handle)


class _Slot:
    """The records of one running call."""

    __slots__ = ("call", "error", "arguments", "x", "y", "shape", "dtype", "workspace_bytes", "keep", "misaligned")

    def __init__(self, handle):
        self.call, self.error, self.keep = _abi.Call(), _abi.ErrorRecord(), []
        self.arguments = (handle, ctypes.byref(self.call), ctypes.byref(self.error))


def _take_workspace(needed):
    """A (buffer, bytes, address) of at least `needed` bytes."""
    try:
        held = _workspaces.pop()
        if held[1] >= needed:
            return held
    except IndexError:
        pass
    buffer = _allocate((needed,), np.dtype(np.uint8))
    return buffer, needed, buffer.__array_interface__["data"][0]


def _new(shape, dtype):
    """An array as numpy makes it; a large one begins with a cache line, which numpy's own do not: whole lines can then be written past the cache."""
    size = dtype.itemsize * prod(shape)
    if size < _LARGE:
        return _empty(shape, dtype)
    memory = _empty(size + 64, _uint8)
    at = -memory.__array_interface__["data"][0] % 64
    return memory[at:at + size].view(dtype).reshape(shape)


def _allocate(shape, dtype):
    try:
        return _new(shape, dtype)
    except (MemoryError, ValueError):  # ValueError: numpy's own limit on bytes
        raise refusal("NO_MEMORY", f"an array of shape {shape} and type {dtype} cannot be allocated", "y", shape) from None


class Layer:
    """One documented operator with its weight.

    dialect      e.g. "torch.nn.ConvTranspose3d" (ctconv.dialects())
    args         its arguments by their own names, e.g. {"in_channels": 16, "out_channels": 8, "kernel_size": (3, 3, 3)}
    weight       numpy, DLPack or buffer object, in the dialect's layout (ctconv.weight_shape); None: given with every call
    bias         the same; None: none is added, unless given with the call
    engine       None or "auto", or one of ctconv.engines(): that engine or an error
    threads      0: all cores the process may use       device   None or "cpu", "cuda", "cuda:0", ...
    activation   None, "relu", "leaky_relu" (slope activation_alpha), "tanh", "sigmoid", "clip" (activation_alpha to activation_beta)
    reproducible only engines that give the reference's bits on every machine and thread count
    tuning       None, or "measure": time the engines when a shape is first seen
    workspace_limit, plan_limit   bytes a call may need (0: no limit); shapes planned at once (0: 32)
    allow_tf32   CUDA may round float32 operands to TF32
    borrow_weights   use weight and bias in place, uncopied; they must then stay unchanged
    runner       a ctconv.Runner: the caller's threads instead of the library's
    A layer may be called from any number of threads at once; the interpreter lock is released while it computes.
    """

    def __init__(self, dialect, args, weight, bias=None, *, engine=None, threads=0, device=None, activation=None,
                 activation_alpha=0.0, activation_beta=0.0, reproducible=False, tuning=None, workspace_limit=0, plan_limit=0,
                 allow_tf32=False, borrow_weights=False, runner=None):
        self.dialect, self.args = dialect, dict(args)
        options = record_of(engine, threads, device, activation, activation_alpha, activation_beta, reproducible, tuning,
                            workspace_limit, plan_limit, allow_tf32, borrow_weights, runner)
        desc = Descriptor(dialect, args)
        w = None if weight is None else view(weight, "weight")
        b = None if bias is None else view(bias, "bias")
        handle, self._runner = ctypes.c_void_p(), runner
        self._done(lib.ctconv_create(desc.handle, w and w.pointer, b and b.pointer, options, handle, desc.error), desc.error)
        self._op = _Op(handle, (w, b, runner) if borrow_weights else (runner,))
        self._element, self._slots = None if w is None else w.element, {}
        self._host = not (device or "cpu").startswith("cuda")

    def __repr__(self):
        inside = ", ".join(f"{name}={value!r}" for name, value in self.args.items())
        return f"ctconv.Layer({self.dialect!r}, {inside})"

    def __call__(self, x, output_size=_UNSET, *, weight=None, bias=None, out=None, stream=None):
        """y = layer(x). output_size: where the dialect's call has one. weight, bias: of a layer made without them.
        out: the array to write (any strided, writable view of y's shape and type), returned instead of a new ndarray;
        needed for device tensors without `new_empty`. stream: CUDA only, the stream's address as an int."""
        if type(x) is not _ndarray:
            x = quick(x)
        if (type(x) is not _ndarray or output_size is not _UNSET or weight is not None or bias is not None or stream is not None
                or (out is not None and type(out) is not _ndarray)):
            slot, y = self._prepare_call(x, output_size, weight, bias, out, stream)
            self._run(slot)
            return y
        key = (x.shape, x.strides, x.dtype) if out is None else (x.shape, x.strides, x.dtype, out.shape, out.strides, out.dtype)
        try:
            slot = self._slots[key].pop()
        except (KeyError, IndexError):
            slot, y = self._prepare_call(x, output_size, None, None, out, None)
        else:
            address = x.__array_interface__["data"][0]
            if address & slot.misaligned:
                return self(np.array(x), out=out)
            if out is None:
                y = _new(slot.shape, slot.dtype)
            elif out.flags.writeable:
                y = out
            else:
                raise refusal("MISUSE_TENSOR", "out is read-only", "out")
            slot.x.data = address
            slot.y.data = y.__array_interface__["data"][0]
        self._run(slot)
        if slot.keep is not None:
            if slot.keep[0].owner is not x:
                return y  # x had to be copied: the records describe the copy
            slot.keep = None  # x and out are the caller's again; the next call sets their addresses anew
        held = self._slots.get(key)
        if held is None:
            if len(self._slots) >= _SHAPES_HELD:
                self._slots.clear()
            held = self._slots.setdefault(key, [])
        held.append(slot)
        return y

    def _run(self, slot):
        workspace = None
        if slot.workspace_bytes:
            workspace = _take_workspace(slot.workspace_bytes)
            slot.call.workspace_bytes, slot.call.workspace = workspace[1:]
        status = _execute(*slot.arguments)
        if status == _WORKSPACE_SIZE and workspace is not None:  # the plan was dropped and made anew with another need
            slot.workspace_bytes, slot.call.workspace, slot.call.workspace_bytes = 0, None, 0
            status = _execute(*slot.arguments)
        if workspace is not None and workspace[1] <= _WORKSPACE_HELD:
            _workspaces.append(workspace)
        self._done(status, slot.error)

    def _prepare_call(self, x, output_size, weight, bias, out, stream):
        """A new slot, everything judged and the plan built; and y."""
        slot = _Slot(self._op.handle)
        call, seen = slot.call, view(x, "x", stream=stream)
        call.x, slot.x, slot.keep = seen.pointer, seen.record, [seen]
        call.stream = stream
        self._fill_call(call, slot.keep, output_size, weight, bias)
        if out is None:
            slot.shape, element = self._output(slot)
            if seen.record.device_type in _HOST:
                slot.dtype = seen.dtype if seen.dtype is not None and element_of(seen.dtype) == element else dtype_of(element)
                y = _allocate(slot.shape, slot.dtype)
            elif hasattr(x, "new_empty"):
                y = x.new_empty(slot.shape)
            else:
                raise refusal("MISUSE_NULL", "out= is needed: x lies on a device and its type has no new_empty", "out")
        else:
            y = out
        target = view(y, "out", writable=True, stream=stream)
        call.y, slot.y = target.pointer, target.record
        slot.keep.append(target)
        # A misaligned x would have been copied by view(); this mask finds it when the slot is used again.
        slot.misaligned = max(seen.record.dtype_bits // 8, 1) - 1 if seen.record.dtype_bits in (16, 32, 64) else 0
        slot.workspace_bytes = self._workspace_bytes(call, slot.error) if self._host else 0
        return slot, y

    def _fill_call(self, call, keep, output_size, weight, bias):
        if output_size is not _UNSET:
            call.output_size = pointer_to(output_size, keep)
        for name, array in (("weight", weight), ("bias", bias)):
            if array is not None:
                keep.append(view(array, name))
                setattr(call, name, keep[-1].pointer)

    def _output(self, slot):
        spec = _abi.Spec()
        self._done(lib.ctconv_output_spec(self._op.handle, slot.call, spec, slot.error), slot.error)
        return shape_of(spec), (spec.dtype_code, spec.dtype_bits)

    def _workspace_bytes(self, call, error):
        needed = ctypes.c_size_t()
        self._done(lib.ctconv_prepare(self._op.handle, call, needed, error), error)
        return needed.value

    def _done(self, status, record):
        if status == _MISUSE_RUNNER and self._runner is not None:
            raise raised(status, record) from self._runner.take_error()
        if status:
            raise raised(status, record)

    def _shape_call(self, x_shape, output_size, weight, bias):
        """A call record for a question about shapes; x in the weight's element type."""
        slot = _Slot(self._op.handle)
        self._fill_call(slot.call, slot.keep, output_size, weight, bias)
        given = slot.call.weight
        element = self._element or ((given[0].dtype_code, given[0].dtype_bits) if given else _FLOAT32)
        x = shape_record(x_shape, element)
        if not self._host:
            x.record.device_type = _abi.CUDA
        slot.call.x = x.pointer
        slot.keep.append(x)
        return slot

    def output_shape(self, x_shape, output_size=_UNSET, *, weight=None, bias=None):
        """The shape of y for an input of x_shape; no data is touched."""
        return self._output(self._shape_call(x_shape, output_size, weight, bias))[0]

    def prepare(self, x_shape, output_size=_UNSET, *, weight=None, bias=None):
        """Builds the plan for this shape ahead of time; returns the bytes of workspace its calls need."""
        slot = self._shape_call(x_shape, output_size, weight, bias)
        return self._workspace_bytes(slot.call, slot.error)

    def describe(self, x_shape=None, output_size=_UNSET, *, weight=None, bias=None):
        """`key: value` lines: which engine runs this shape and why; without x_shape, the layer as a whole."""
        error, needed = _abi.ErrorRecord(), ctypes.c_size_t()
        slot = None if x_shape is None else self._shape_call(x_shape, output_size, weight, bias)
        call = None if slot is None else slot.call
        size = 4096
        while True:
            text = ctypes.create_string_buffer(size)
            self._done(lib.ctconv_describe(self._op.handle, call, text, size, needed, error), error)
            if needed.value <= size:
                return text.value.decode("utf-8", "replace")
            size = needed.value
