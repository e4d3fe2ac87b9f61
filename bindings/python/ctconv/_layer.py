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
import difflib
import inspect
import warnings
from typing import Any, Iterable, Sequence

import numpy as np

from . import _abi, _backward, _region, _threads
from ._abi import lib
from ._call_key import extras_of
from ._desc import Descriptor
from ._device import apart, current_stream, key_of, on_cuda, on_stream, strides_like, workspace
from ._errors import WORKSPACE_SIZE, ForgottenBias, refusal
from ._foreign import is_torch, plain, untraced
from ._kept import Kept, is_spread, kept
from ._options import Runner, asked_bias, record_of
from ._questions import _UNSET, Questions, _Op, _Slot, hold
from ._tensors import View, dtype_of, element_of, quick, quick_out, view
from ._torch_results import new_like
from ._types import Arguments, Array
from ._workspace import HELD, allocate, new, take_workspace, workspaces

_HOST = (_abi.CPU, _abi.CUDA_HOST)

_ndarray, _execute = np.ndarray, lib.ctconv_execute

# What a pickle leaves out and makes anew; what copies share.
_REMADE = {"_op", "_slots", "_shapes", "_element", "_host", "_runner", "_like", "_bias_name", "_biasless"}
_SHARED = {"dialect", "args", "_options", "_weights"}
_ELSEWHERE = "on a device"  # a weight of which there is no copy on the host


def _owned(value):
    """An argument's value, apart from the lists and arrays the caller may change later."""
    if type(value) in (list, tuple):
        return type(value)(_owned(item) for item in value)
    return value.copy() if isinstance(value, np.ndarray) else value


class Layer(Questions):
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
        self._element, self._slots, self._shapes = None if w is None else w.element, {}, {}
        self._like, self._biasless = options["returns"] == "like", False  # the latter: known to be, by backward
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
        region: Any = None,
        x_begin: Sequence[int] | None = None,
        x_shape: Sequence[int] | None = None,
    ) -> Any:
        """y = layer(x). output_size: where the dialect's call has one. weight, bias: of a layer made without them.
        A tensor that requires a gradient is refused (pass x.detach()), but not under torch.no_grad().
        out: the array to write (any strided, writable view of y's shape and type), returned instead of a new ndarray;
        needed for device tensors that are not torch's. stream: CUDA only, the stream's address as an int; None: the one
        torch works on for a torch tensor, else CUDA's default stream.
        A torch tensor on a device gives one in its memory format.
        region: (begin, end), an int per spatial axis of y each: only that box of y is computed, from the whole x; or,
        with x_begin, from a window of it that begins there (region_window). x_shape: the whole x's shape, where x_begin
        does not remember it and sizes depend on it. With reproducible=1 the values are the whole call's to the bit."""
        if region is not None or x_begin is not None or x_shape is not None:
            return self._call_region(x, output_size, weight, bias, out, stream, (region, x_begin, x_shape))
        given = out
        if type(x) is not _ndarray and on_cuda(x):
            return self._call_on_device(x, output_size, weight, bias, out, stream)
        extras = ()
        if output_size is not _UNSET or weight is not None or bias is not None:
            weight, bias, extras = extras_of(weight, bias, output_size, _UNSET)
        if type(x) is not _ndarray:
            if out is None and self._like and is_torch(x):
                given = out = new_like(x, self._like_shape(x.shape, output_size, weight, bias, extras))
            x = quick(x)
        if out is not None and type(out) is not _ndarray:
            out = quick_out(out)
        if (
            type(x) is not _ndarray
            or extras is None
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
        if extras:
            key = (*key, extras)
        try:
            slot = self._slots[key].pop()
        except (KeyError, IndexError):
            slot, y = self._prepare_call(x, output_size, weight, bias, out, None)
        else:
            address = x.__array_interface__["data"][0]
            if address & slot.misaligned:
                return self(np.array(x), output_size, weight=weight, bias=bias, out=given)
            if weight is not None:
                slot.weight.data = weight.__array_interface__["data"][0]
            if bias is not None:
                slot.bias.data = bias.__array_interface__["data"][0]
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
            lent = (x, weight, bias, y)
            if any(isinstance(seen, View) and all(seen.owner is not one for one in lent) for seen in slot.keep):
                return y if given is None else given  # one had to be copied: the records describe the copy
            slot.keep = None  # they are the caller's again; the next call sets their addresses anew
        hold(self._slots, key, slot)
        return y if given is None else given

    def _call_region(self, x, output_size, weight, bias, out, stream, box):
        if out is None and self._like and is_torch(x) and not on_cuda(x):
            slot, seen = _Slot(self._op.handle), view(x, "x")
            slot.call.x = seen.pointer
            self._fill_call(slot.call, slot.keep, output_size, weight, bias)
            counts = _region.fill(slot.call, slot.keep, *box)
            if counts is not None:
                _region.window(self._op.handle, slot.call, slot.error, counts)
            out = new_like(x, self._output(slot)[0])
        slot, y = self._prepare_call(x, output_size, weight, bias, out, stream, box)
        self._run(slot)
        return y

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
        hold(self._slots, key, slot)
        return y

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
        want: str | Iterable[str] = _UNSET,
        *,
        y: Array = None,
        weight: Array = None,
        output_size: Any = _UNSET,
        out: dict[str, Array] | None = None,
        accumulate: bool = False,
        region: Any = None,
        x_begin: Sequence[int] | None = None,
        x_shape: Sequence[int] | None = None,
    ) -> dict[str, Any]:
        """The gradients of a loss by x, weight and bias, from dy, its gradient by y: a dict of the wanted arrays.
        want: "dx", "dw", "db" or several of them; not given: all three, without db where there is no bias.
        x: the input of the forward call; dw is made of it, dx and db have their shapes from it.
        y: what the forward call gave; a layer with an activation needs it. weight: of a layer made without one.
        output_size: as in the forward call. out: {"dw": array, ...}, arrays to write, returned in the dict.
        accumulate: True adds the gradients to what the arrays of out hold; each wanted one must be there.
        What is NaN in them stays NaN.
        region, x_begin, x_shape: as in a call. dy and y are then that box of the output, the gradients those of what
        goes through it alone; dx has the extents of the window that region_window answers."""
        size = None if output_size is _UNSET else (output_size,)
        tensors, box = {"y": y, "weight": weight}, (region, x_begin, x_shape)
        out = {} if out is None else out
        record, keep, written = _backward.record_of(self, dy, x, want, tensors, size, out, accumulate, box)
        _backward.run(self, record, dy)
        del keep  # lived until here
        return written

    def backward_describe(
        self,
        dy: Array,
        x: Array = None,
        want: str | Iterable[str] = _UNSET,
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

    def _prepare_call(self, x, output_size, weight, bias, out, stream, box=(None, None, None)):
        """A new slot, everything judged and the plan built; and y. box: region, x_begin, x_shape of __call__."""
        if bias is None and self._bias_name:
            name = self._bias_name
            text = f"the arguments say {name}=True, and neither the layer nor the call was given a bias: none is added"
            text += f". Pass one (ctconv.init_bias makes it), or say {name}=False"
            warnings.warn(text, ForgottenBias, stacklevel=4)
            self._bias_name = None  # said once
        slot = _Slot(self._op.handle)
        call, seen = slot.call, view(x, "x", stream=stream)
        call.x, slot.x, slot.keep = seen.pointer, seen.record, [seen]
        call.stream = stream
        self._fill_call(call, slot.keep, output_size, weight, bias, slot.fixed)
        slot.weight = None if weight is None else call.weight.contents
        slot.bias = None if bias is None else call.bias.contents
        counts = _region.fill(call, slot.keep, *box)
        if counts is not None:
            _region.window(self._op.handle, call, slot.error, counts)
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


_DEFAULTS = {
    name: parameter.default
    for name, parameter in inspect.signature(Layer.__init__).parameters.items()
    if parameter.kind is inspect.Parameter.KEYWORD_ONLY
}


def configured(options, changes):
    """Options with changes, both by the names of Layer's. Refuses another name, and a value of a wrong sort."""
    for name in changes:
        if name not in _DEFAULTS:
            near = difflib.get_close_matches(name, _DEFAULTS, 1)
            legal = ", ".join(_DEFAULTS)
            text = f"{name!r} is no option of a layer" + (f"; did you mean {near[0]!r}?" if near else "")
            raise refusal("MISUSE_OPTION", f"{text} Legal are {legal}", name, changes[name], legal, wrong_type=True)
    made = {**options, **changes}
    record_of(**{**_DEFAULTS, **made})
    return made
