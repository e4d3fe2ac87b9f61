# SPDX-License-Identifier: Apache-2.0
"""What can be asked of a layer without computing: shapes, windows, plans, and which engine would run.

In:  the shape of x, and what else the call would be given.   Out: shapes, bytes, text; no data is touched.
The records of a call (_Slot) and the owner of an op (_Op) are here too.
Refuses: what the library refuses of such a call.
"""

from __future__ import annotations

import ctypes
from typing import Any, Sequence

from . import _abi, _region
from ._abi import lib
from ._desc import shape_of
from ._errors import MISUSE_RUNNER, raised
from ._tensors import shape_record, view
from ._types import Array
from ._values import pointer_to

_UNSET: Any = type("_Unset", (), {"__repr__": lambda self: "<not given>"})()
_FLOAT32 = (_abi.FLOAT, 32)
_SHAPES_HELD = 64  # shapes whose slots are kept per layer


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

    __slots__ = (
        *("call", "error", "arguments", "x", "y", "weight", "bias", "shape", "dtype", "workspace_bytes", "misaligned"),
        *("keep", "fixed"),  # what lives as long as the first call; as the slot
    )

    def __init__(self, handle):
        self.call, self.error, self.keep, self.fixed = _abi.Call(), _abi.ErrorRecord(), [], []
        self.arguments = (handle, ctypes.byref(self.call), ctypes.byref(self.error))


def hold(slots, key, slot):
    """Keeps a slot for the next call of its shapes; the shapes first seen are forgotten first."""
    held = slots.get(key)
    if held is None:
        if len(slots) >= _SHAPES_HELD:
            try:
                slots.pop(next(iter(slots)), None)
            except (StopIteration, RuntimeError):  # another thread changed the dict meanwhile
                pass
        held = slots.setdefault(key, [])
    held.append(slot)


class Questions:
    """The part of Layer that asks. Layer has _op, _host, _element, _options and _runner."""

    def _fill_call(self, call, keep, output_size, weight, bias, fixed=None):
        if output_size is not _UNSET:
            call.output_size = pointer_to(output_size, keep if fixed is None else fixed)
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

    @property
    def channels_last(self) -> bool:
        """Whether the dialect, with these arguments, has the channels behind the spatial axes."""
        return "\nlayout: channels last\n" in self.describe()

    def output_shape(
        self, x_shape: Sequence[int], output_size: Any = _UNSET, *, weight: Array = None, bias: Array = None
    ) -> tuple[int, ...]:
        """The shape of y for an input of x_shape; no data is touched."""
        return self._output(self._shape_call(x_shape, output_size, weight, bias))[0]

    def _like_shape(self, x_shape, output_size, weight, bias, extras):
        """output_shape, remembered where x_shape and extras (_call_key.py) decide."""
        if extras is None:
            return self.output_shape(x_shape, output_size, weight=weight, bias=bias)
        shape = self._shapes.get((x_shape, extras))
        if shape is None:
            if len(self._shapes) >= _SHAPES_HELD:
                self._shapes.clear()
            shape = self.output_shape(x_shape, output_size, weight=weight, bias=bias)
            self._shapes[x_shape, extras] = shape
        return shape

    def region_window(
        self,
        x_shape: Sequence[int],
        begin: Sequence[int],
        end: Sequence[int],
        output_size: Any = _UNSET,
        *,
        weight: Array = None,
        bias: Array = None,
        x_begin: Sequence[int] | None = None,
        whole_shape: Sequence[int] | None = None,
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Which window of an x of x_shape the box [begin, end) of y reads: (x_begin, x_end), an int per spatial axis
        each. layer(x[window], region=(begin, end), x_begin=x_begin) then computes the box; no data is touched here.
        Where only a window of x is there: its shape as x_shape, x_begin, and maybe the whole x's shape."""
        slot = self._shape_call(x_shape, output_size, weight, bias)
        counts = _region.fill(slot.call, slot.keep, (begin, end), x_begin, whole_shape)
        first, last = _region.window(self._op.handle, slot.call, slot.error, counts)
        known = getattr(x_begin, "x_shape", None) if whole_shape is None else whole_shape
        if x_begin is not None and known is None:
            return tuple(first), tuple(last)
        return _region.WindowBegin(first, x_shape if x_begin is None else known), tuple(last)

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
