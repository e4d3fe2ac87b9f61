# SPDX-License-Identifier: Apache-2.0
"""Layer: an op with its weight, called like a function.

In:  a dialect, its arguments, weight and bias; then x per call.   Out: y, a new ndarray, or the caller's `out`.
What depends only on the shapes (output shape, records, plan) is kept per shape in a slot, so that a further call of a
known shape is two pointers and one C call. A slot and a workspace belong to one running call: threads take them off a
list. Workspaces are shared by all layers, so that a network of fifty layers holds one and not fifty.
A layer pickles as (dialect, args, weights, options); its copies share the op, which never changes.
"""

from __future__ import annotations

import copy
import ctypes
from typing import Any, Iterable, Sequence

import numpy as np

from . import _abi, _backward, _threads
from ._abi import lib
from ._desc import Descriptor, shape_of
from ._device import apart, current_stream, key_of, on_cuda, on_stream, strides_like, workspace
from ._errors import MISUSE_RUNNER, WORKSPACE_SIZE, raised, refusal
from ._foreign import is_torch, plain, untraced
from ._kept import Kept, is_spread, kept
from ._options import Runner, asked_bias, record_of
from ._tensors import View, dtype_of, element_of, quick, quick_out, shape_record, view
from ._torch_results import new_like
from ._types import Arguments, Array
from ._values import pointer_to
from ._workspace import HELD, allocate, new, take_workspace, workspaces

_UNSET = type("_Unset", (), {"__repr__": lambda self: "<not given>"})()
_SHAPES_HELD = 64  # shapes whose slots are kept per layer
_HOST = (_abi.CPU, _abi.CUDA_HOST)
_FLOAT32 = (_abi.FLOAT, 32)

_ndarray, _execute = np.ndarray, lib.ctconv_execute


class _Op:
    """Owns a ctconv_op and what must outlive it."""

    def __init__(self, handle, keep):
        self.handle, self.keep = handle, keep

    def __del__(self, lib=lib):  # bound here: modules are emptied late in the interpreter's shutdown
        handle, self.handle = self.__dict__.get("handle"), None
        if handle and lib is not None:
            lib.ctconv_destroy(handle)


class _Slot:
    """The records of one running call."""

    __slots__ = ("call", "error", "arguments", "x", "y", "shape", "dtype", "workspace_bytes", "keep", "misaligned")

    def __init__(self, handle):
        self.call, self.error, self.keep = _abi.Call(), _abi.ErrorRecord(), []
        self.arguments = (handle, ctypes.byref(self.call), ctypes.byref(self.error))


# What a pickle leaves out and makes anew; what copies share.
_REMADE = {"_op", "_slots", "_element", "_host", "_runner", "_like", "_bias_name"}
_SHARED = {"dialect", "args", "_options", "_weights"}
_ELSEWHERE = "on a device"  # a weight of which there is no copy on the host


def _owned(value):
    """An argument's value, apart from the lists and arrays the caller may change later."""
    if type(value) in (list, tuple):
        return type(value)(_owned(item) for item in value)
    return value.copy() if isinstance(value, np.ndarray) else value


class Layer:
    """One documented operator with its weight.

    dialect      e.g. "torch.nn.ConvTranspose3d" (ctconv.dialects())
    args         its arguments by their own names, e.g. {"in_channels": 16, "out_channels": 8, "kernel_size": (3, 3, 3)}
    weight       numpy, DLPack or buffer object, in the dialect's layout (ctconv.weight_shape);
                 None: given with every call
    bias         the same; None: none is added, unless given with the call. A call without one is refused where the
                 arguments themselves say "bias": True
    engine       None or "auto", or one of ctconv.engines(): that engine or an error
    threads      0: ctconv.get_num_threads()            device   None or "cpu", "cuda", "cuda:0", ...
    activation   None, "relu", "leaky_relu" (slope activation_alpha), "tanh", "sigmoid",
                 "clip" (activation_alpha to activation_beta)
    reproducible 0 or False: any bits but reduced ones
                 1 or True: the reference's bits on every machine and thread count
                 2: engines whose own bits are the same everywhere; which of them runs may depend on machine and threads
    math         0: full precision of the element type
                 1: operands may be rounded below their own type (TF32, bf16)
    tuning       None, or "measure": time the engines when a shape is first seen
    workspace_limit, plan_limit   bytes a call may need (0: no limit); shapes planned at once (0: 32)
    allow_tf32   CUDA may round float32 operands to TF32
    borrow_weights   use weight and bias in place, uncopied; they must then stay unchanged
    runner       a ctconv.Runner: the caller's threads instead of the library's
    returns      "ndarray"; or "like": a torch tensor, in x's memory format, where x is one
    A layer may be called from any number of threads at once; the interpreter lock is released while it computes.
    """

    def __init__(
        self,
        dialect: str,
        args: Arguments,
        weight: Array,
        bias: Array = None,
        *,
        engine: str | None = None,
        threads: int = 0,
        device: str | None = None,
        activation: str | None = None,
        activation_alpha: float = 0.0,
        activation_beta: float = 0.0,
        reproducible: int = 0,
        math: int = 0,
        tuning: str | None = None,
        workspace_limit: int = 0,
        plan_limit: int = 0,
        allow_tf32: bool = False,
        borrow_weights: bool = False,
        runner: Runner | None = None,
        returns: str = "ndarray",
    ) -> None:
        options = {
            "engine": engine,
            "threads": threads,
            "device": device,
            "activation": activation,
            "activation_alpha": activation_alpha,
            "activation_beta": activation_beta,
            "reproducible": reproducible,
            "math": math,
            "tuning": tuning,
            "workspace_limit": workspace_limit,
            "plan_limit": plan_limit,
            "allow_tf32": allow_tf32,
            "borrow_weights": borrow_weights,
            "runner": runner,
            "returns": returns,
        }
        record = record_of(**options)
        desc = Descriptor(dialect, args)
        w = None if weight is None else view(weight, "weight")
        b = None if bias is None else view(bias, "bias")
        self._create(desc, record, dialect, args, options, w, b)

    def _create(self, desc, record, dialect, args, options, w, b):
        """The op. Without borrow_weights the copy is ours and lent: the same bytes serve the op and pickling."""
        self._host, borrowed = not (options["device"] or "cpu").startswith("cuda"), options["borrow_weights"]
        if self._host and not record.threads and options["runner"] is None:
            record.threads = _threads.wanted()
        lent = (w, b)
        if self._host and not borrowed:
            record.borrow_weights = True
            if any(seen is not None and is_spread(seen) for seen in lent):
                self._new_op(desc, record, lent, options["runner"])  # judged before anything is copied
            lent = tuple(seen and (kept(seen) or seen) for seen in lent)
            given = [seen for seen in lent if seen is not None]
            record.borrow_weights = bool(given) and all(isinstance(seen, Kept) for seen in given)
        self._op = self._new_op(desc, record, lent, options["runner"])
        if not borrowed:
            lent = tuple(seen if seen is None or isinstance(seen, Kept) else kept(seen) or _ELSEWHERE for seen in lent)
        self.dialect, self.args = dialect, {name: _owned(value) for name, value in dict(args).items()}
        self._options, self._weights, self._runner = options, lent, options["runner"]
        self._element, self._slots = None if w is None else w.element, {}
        self._like = options["returns"] == "like"
        self._bias_name = asked_bias(self.args) if b is None else None

    def _new_op(self, desc, record, lent, runner):
        weight, bias = (seen.view if isinstance(seen, Kept) else seen for seen in lent)
        handle = ctypes.c_void_p()
        w, b = weight and weight.pointer, bias and bias.pointer
        desc.done(lib.ctconv_create(desc.handle, w, b, record, handle, desc.error))
        return _Op(handle, (lent, runner) if record.borrow_weights else (runner,))

    def __getstate__(self):
        state = {name: value for name, value in vars(self).items() if name not in _REMADE}
        weights = []
        for name, seen in zip(("weight", "bias"), self._weights):
            own = kept(seen) if isinstance(seen, View) else seen
            if own is _ELSEWHERE or (own is None and seen is not None):
                raise refusal("MISUSE_TENSOR_DEVICE", f"a layer whose {name} lies on a device cannot be pickled", name)
            weights.append(own)
        return {**state, "_weights": tuple(weights)}

    def __setstate__(self, state):
        vars(self).update(state)
        w, b = (own and own.view for own in self._weights)
        options = self._options
        self._create(Descriptor(self.dialect, self.args), record_of(**options), self.dialect, self.args, options, w, b)

    def __copy__(self):
        twin = type(self).__new__(type(self))
        vars(twin).update(vars(self))
        return twin

    def __deepcopy__(self, memo):
        twin = memo[id(self)] = self.__copy__()
        for name, value in vars(self).items():
            if name not in _REMADE and name not in _SHARED:
                vars(twin)[name] = copy.deepcopy(value, memo)
        twin.args = {name: _owned(value) for name, value in self.args.items()}
        if self._options["borrow_weights"]:  # the lender is not ours to rely on
            twin.__setstate__(twin.__getstate__())
        return twin

    def __repr__(self):
        inside = ", ".join(f"{name}={value!r}" for name, value in self.args.items())
        return f"ctconv.Layer({self.dialect!r}, {inside})"

    @untraced
    def __call__(
        self,
        x: Array,
        output_size: Any = _UNSET,
        *,
        weight: Array = None,
        bias: Array = None,
        out: Array = None,
        stream: int | None = None,
    ) -> Any:
        """y = layer(x). output_size: where the dialect's call has one. weight, bias: of a layer made without them.
        A tensor that requires a gradient is refused until gradients exist (x.detach()), but not under torch.no_grad().
        out: the array to write (any strided, writable view of y's shape and type), returned instead of a new ndarray;
        needed for device tensors that are not torch's. stream: CUDA only, the stream's address as an int; None: the one
        torch works on for a torch tensor, else CUDA's default stream.
        A torch tensor on a device gives one in its memory format."""
        given = out
        if type(x) is not _ndarray:
            if on_cuda(x):
                return self._call_on_device(x, output_size, weight, bias, out, stream)
            if out is None and self._like and is_torch(x):
                given = out = new_like(x, self.output_shape(x.shape, output_size, weight=weight, bias=bias))
            x = quick(x)
        if out is not None and type(out) is not _ndarray:
            out = quick_out(out)
        if (
            type(x) is not _ndarray
            or output_size is not _UNSET
            or weight is not None
            or bias is not None
            or stream is not None
            or (out is not None and type(out) is not _ndarray)
        ):
            slot, y = self._prepare_call(x, output_size, weight, bias, given, stream)
            self._run(slot)
            return y
        key = (
            (x.shape, x.strides, x.dtype)
            if out is None
            else (x.shape, x.strides, x.dtype, out.shape, out.strides, out.dtype)
        )
        try:
            slot = self._slots[key].pop()
        except (KeyError, IndexError):
            slot, y = self._prepare_call(x, output_size, None, None, out, None)
        else:
            address = x.__array_interface__["data"][0]
            if address & slot.misaligned:
                return self(np.array(x), out=given)
            if out is None:
                y = new(slot.shape, slot.dtype)
            elif out.flags.writeable:
                y = out
            else:
                raise refusal("MISUSE_TENSOR", "out is read-only", "out")
            slot.x.data = address
            slot.y.data = y.__array_interface__["data"][0]
        self._run(slot)
        if slot.keep is not None:
            if slot.keep[0].owner is not x:
                return y if given is None else given  # x had to be copied: the records describe the copy
            slot.keep = None  # x and out are the caller's again; the next call sets their addresses anew
        self._hold(key, slot)
        return y if given is None else given

    def _call_on_device(self, x, output_size, weight, bias, out, stream):
        """x is a torch tensor on a device. A further call of a known layout is three pointers and one C call."""
        x = plain(x, "x")
        if (
            output_size is not _UNSET
            or weight is not None
            or bias is not None
            or stream is not None
            or not (out is None or on_cuda(out))
        ):
            slot, y = self._prepare_call(
                x, output_size, weight, bias, out, current_stream(x) if stream is None else stream
            )
            self._run(slot)
            return y
        if out is not None:
            plain(out, "out", writable=True)
        key = key_of(x, out)
        try:
            slot = self._slots[key].pop()
        except (KeyError, IndexError):
            slot, y = self._prepare_call(x, _UNSET, None, None, out, current_stream(x))
            views = [apart(seen) for seen in slot.keep]
            slot.call.x, slot.call.y = (seen.pointer for seen in views)
            (slot.x, slot.y), slot.keep = (seen.record for seen in views), views
            slot.shape, slot.dtype = tuple(y.shape), tuple(y.stride())
            slot.workspace_bytes = self._workspace_bytes(slot.call, slot.error)
        else:
            y = x.new_empty_strided(slot.shape, slot.dtype) if out is None else out
            slot.x.data, slot.y.data, slot.call.stream = x.data_ptr(), y.data_ptr(), current_stream(x)
        room = workspace(x, slot.workspace_bytes) if slot.workspace_bytes else None
        slot.call.workspace, slot.call.workspace_bytes = (
            (None, 0) if room is None else (room.data_ptr(), slot.workspace_bytes)
        )
        status = _execute(*slot.arguments)
        if status == WORKSPACE_SIZE and room is not None:  # the plan was dropped and made anew with another need
            slot.workspace_bytes, slot.call.workspace, slot.call.workspace_bytes = 0, None, 0
            status = _execute(*slot.arguments)
        self._done(status, slot.error)
        self._hold(key, slot)
        return y

    def _hold(self, key, slot):
        held = self._slots.get(key)
        if held is None:
            if len(self._slots) >= _SHAPES_HELD:
                self._forget_oldest()
            held = self._slots.setdefault(key, [])
        held.append(slot)

    def _forget_oldest(self):
        try:
            self._slots.pop(next(iter(self._slots)), None)
        except (StopIteration, RuntimeError):  # another thread changed the dict meanwhile
            pass

    def _run(self, slot):
        workspace = None
        if slot.workspace_bytes:
            workspace = take_workspace(slot.workspace_bytes)
            slot.call.workspace_bytes, slot.call.workspace = workspace.bytes, workspace.address
        status = _execute(*slot.arguments)
        if status == WORKSPACE_SIZE and workspace is not None:  # the plan was dropped and made anew with another need
            slot.workspace_bytes, slot.call.workspace, slot.call.workspace_bytes = 0, None, 0
            status = _execute(*slot.arguments)
        if workspace is not None and workspace.bytes <= HELD:
            workspaces.append(workspace)
        self._done(status, slot.error)

    def backward(
        self,
        dy: Array,
        x: Array = None,
        want: str | Iterable[str] = ("dx", "dw", "db"),
        *,
        y: Array = None,
        weight: Array = None,
        output_size: Any = _UNSET,
        out: dict[str, Array] | None = None,
        accumulate: bool = False,
    ) -> dict[str, Any]:
        """The gradients of a loss by x, weight and bias, from dy, its gradient by y: a dict of the wanted arrays.
        x: the input of the forward call; dw is made of it, dx and db have their shapes from it.
        y: what the forward call gave; a layer with an activation needs it. weight: of a layer made without one.
        output_size: as in the forward call. out: {"dw": array, ...}, arrays to write, returned in the dict.
        accumulate: True adds the gradients to what the arrays of out hold; each wanted one must be there.
        What is NaN in them stays NaN."""
        size = None if output_size is _UNSET else (output_size,)
        tensors = {"y": y, "weight": weight}
        out = {} if out is None else out
        record, keep, written = _backward.record_of(self, dy, x, want, tensors, size, out, accumulate)
        _backward.run(self, record)
        del keep  # lived until here
        return written

    def backward_describe(
        self,
        dy: Array,
        x: Array = None,
        want: str | Iterable[str] = ("dx", "dw", "db"),
        *,
        y: Array = None,
        weight: Array = None,
        output_size: Any = _UNSET,
    ) -> str:
        """`key: value` lines: what backward would run for these arrays; nothing is computed."""
        size = None if output_size is _UNSET else (output_size,)
        record, keep, _ = _backward.record_of(self, dy, x, want, {"y": y, "weight": weight}, size, {}, False)
        text = _backward.describe(self, record)
        del keep
        return text

    def _prepare_call(self, x, output_size, weight, bias, out, stream):
        """A new slot, everything judged and the plan built; and y."""
        if bias is None and self._bias_name:
            text = f"the arguments say {self._bias_name}=True, and neither the layer nor the call was given a bias. "
            text += f"Pass one (ctconv.init_bias makes it), or say {self._bias_name}=False"
            raise refusal("MISUSE_WEIGHT_MISSING", text, "bias")
        slot = _Slot(self._op.handle)
        call, seen = slot.call, view(x, "x", stream=stream)
        call.x, slot.x, slot.keep = seen.pointer, seen.record, [seen]
        call.stream = stream
        self._fill_call(call, slot.keep, output_size, weight, bias)
        if out is None:
            slot.shape, element = self._output(slot)
            if seen.record.device_type in _HOST:
                slot.dtype = (
                    seen.dtype if seen.dtype is not None and element_of(seen.dtype) == element else dtype_of(element)
                )
                y = allocate(slot.shape, slot.dtype)
            elif on_cuda(x):
                with on_stream(x, stream):
                    y = x.new_empty_strided(slot.shape, strides_like(x, slot.shape))
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
        if status == MISUSE_RUNNER and self._runner is not None:
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
            x.record.device_type, x.record.device_id = _abi.CUDA, int(self._options["device"].partition(":")[2] or 0)
        slot.call.x = x.pointer
        slot.keep.append(x)
        return slot

    def output_shape(
        self, x_shape: Sequence[int], output_size: Any = _UNSET, *, weight: Array = None, bias: Array = None
    ) -> tuple[int, ...]:
        """The shape of y for an input of x_shape; no data is touched."""
        return self._output(self._shape_call(x_shape, output_size, weight, bias))[0]

    def prepare(
        self, x_shape: Sequence[int], output_size: Any = _UNSET, *, weight: Array = None, bias: Array = None
    ) -> int:
        """Builds the plan for this shape ahead of time; returns the bytes of workspace its calls need."""
        slot = self._shape_call(x_shape, output_size, weight, bias)
        return self._workspace_bytes(slot.call, slot.error)

    def describe(
        self,
        x_shape: Sequence[int] | None = None,
        output_size: Any = _UNSET,
        *,
        weight: Array = None,
        bias: Array = None,
    ) -> str:
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
