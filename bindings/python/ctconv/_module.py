# SPDX-License-Identifier: Apache-2.0
"""What the drop-in classes share: arguments as the original takes them, initialised parameters, numpy out.

In:  the original's constructor arguments (same names, order and defaults), then x per call as numpy, DLPack or buffer
     object. A drop-in class is its `_dialect` and an empty __init__ of the original's signature,
     decorated by `constructor`.
Out: a new ndarray per call. Calling an object runs its `forward` (`construct`, `call`), also an overridden one.
Only arguments that differ from their default reach the dialect, under the dialect's own names.
weight and bias are read-only arrays: a packed copy computes, so change them by assignment (`layer.weight = w`).
Refuses: what the dialect refuses, at construction; a weight of another shape at the first call.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import os
import threading
from typing import TYPE_CHECKING, Any, Callable, Iterable, Sequence, TypeVar

import numpy as np

from ._desc import Descriptor, check, seed_of
from ._device import on_cuda
from ._errors import refusal
from ._foreign import is_torch, plain, untraced
from ._layer import _UNSET, Layer, configured
from ._options import asked_bias
from ._tensors import to_numpy
from ._types import Array

if TYPE_CHECKING:
    from typing_extensions import Self

_Init = TypeVar("_Init", bound=Callable[..., None])

_seeds = itertools.count(int.from_bytes(os.urandom(7), "little"))
_seed_lock = threading.Lock()


def seed(n: int) -> None:
    """Restarts the initialisers of all drop-in classes made from now on:
    the same n gives the same weights on every machine."""
    global _seeds
    with _seed_lock:
        # 2^20 initialisations before the numbers of seed n meet those of seed n + 1
        _seeds = itertools.count((seed_of(n) << 20) % 2**64)


def next_seed():
    with _seed_lock:
        return next(_seeds) % 2**64


def dtype_name(dtype):
    """float32 for np.float32, torch.float32, mindspore.float32 and "float32"."""
    if isinstance(dtype, (type, np.dtype)):
        return np.dtype(dtype).name
    return dtype if dtype is None or isinstance(dtype, str) else str(dtype).rsplit(".", 1)[-1].lower()


def arguments_of(signature, args, kwargs):
    """Every argument by name, defaults filled in, extra keywords among them. TypeError where a call would raise it."""
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    out = {}
    for name, value in bound.arguments.items():
        if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
            out.update(value)
        else:
            out[name] = value
    return out


def given(signature, arguments):
    """The arguments that differ from their defaults."""
    out = {}
    for name, value in arguments.items():
        default = signature.parameters[name].default if name in signature.parameters else inspect.Parameter.empty
        if not (value is default or (type(value) is type(default) and value == default)):
            out[name] = value
    return out


def constructor(init: _Init) -> _Init:
    """Decorates the empty __init__ of a drop-in class: its arguments go to `_setup(arguments, signature)`."""
    whole = inspect.signature(init)
    signature = whole.replace(parameters=list(whole.parameters.values())[1:])

    @functools.wraps(init)
    def __init__(self, *args, **kwargs):  # noqa: N807
        self._setup(arguments_of(signature, args, kwargs), signature)

    return __init__  # type: ignore[return-value]


def _copied(value, name):
    """A copy of a weight or bias: an ndarray; a torch tensor where it lies on a device or has a type that numpy has
    not."""
    if is_torch(value) and (on_cuda(value) or str(getattr(value, "dtype", "")) == "torch.bfloat16"):
        return plain(value, name).detach().clone()
    return np.array(to_numpy(value, name))


class Module:
    """A layer with its own weight and bias. `options` (engine, threads, activation, ...) are ctconv.Layer's."""

    _dialect = ""
    _needs_input = False  # the weight's shape follows from the first input

    def _setup(self, arguments, signature):
        self.arguments, self._shown, self.options = arguments, given(signature, arguments), {}
        self._args = dict(self._shown)
        if "dtype" in self._args:
            self._args["dtype"] = dtype_name(self._args["dtype"])
        check(self._dialect, self._args)
        self._weight = self._bias = self._layer = None
        if not self._needs_input:
            self.reset_parameters()

    def __getattr__(self, name: str) -> Any:
        arguments = self.__dict__.get("arguments", {})
        if name in arguments:
            return arguments[name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __getstate__(self):
        return {**self.__dict__, "_layer": None}

    def __repr__(self):
        inside = ", ".join(f"{name}={value!r}" for name, value in self._shown.items())
        return f"{type(self).__name__}({inside})"

    def _parameter_dtype(self):
        return self._args.get("dtype")

    def reset_parameters(self, seed: int | None = None, x_shape: Sequence[int] | None = None) -> None:  # noqa: A002
        """New weight and bias by the dialect's initialiser, from `seed` or the next of ctconv.seed's.
        x_shape: where the weight's shape follows from the input (Keras)."""
        first = next_seed() if seed is None else seed_of(seed)
        desc = Descriptor(self._dialect, self._args)
        self._weight = desc.initial(0, first, x_shape, self._parameter_dtype())
        self._bias = desc.initial(1, first, x_shape, self._parameter_dtype())
        self._frozen()

    def _frozen(self):
        self._layer = None
        for array in (self._weight, self._bias):
            if isinstance(array, np.ndarray):
                array.flags.writeable = False

    @property
    def weight(self) -> Array:
        """A read-only ndarray in the dialect's axis order (ctconv.weight_shape); a torch tensor where one on a device
        or of bfloat16 was assigned.
        Assign numpy, DLPack or lists: the values are copied, the next call judges shape and type. A tensor that
        requires a gradient is refused: assign `w.detach()`."""
        return self._weight

    @weight.setter
    def weight(self, value: Array) -> None:
        if value is None:
            legal = "an array" if self._weight is None else f"an array of shape {tuple(self._weight.shape)}"
            raise refusal("MISUSE_WEIGHT_MISSING", f"weight is None; {legal} is needed", "weight", None, legal)
        self._weight = _copied(value, "weight")
        self._frozen()

    @property
    def bias(self) -> Array:
        """A read-only ndarray (ctconv.bias_shape), or None. Assigned like weight; None: no bias is added."""
        return self._bias

    @bias.setter
    def bias(self, value: Array) -> None:
        self._bias = None if value is None else _copied(value, "bias")
        self._frozen()

    def configure(self, **options: Any) -> Self:
        """Sets Layer options, e.g. configure(threads=2, activation="relu"); returns self.
        Refuses what is no option of Layer, and a value of a wrong sort; nothing of such a call is kept."""
        self.options = configured(self.options, options)
        self._layer = None
        return self

    def layer(self, x_shape: Sequence[int] | None = None) -> Layer:
        """The ctconv.Layer that computes; made when first needed."""
        layer = self._layer
        if layer is None:
            if self._weight is None:
                if x_shape is None:
                    raise refusal(
                        "MISUSE_WEIGHT_MISSING",
                        "the weight's shape follows from the input: call the layer, or pass x_shape",
                        "weight",
                    )
                self.reset_parameters(x_shape=x_shape)
            args = self._args
            if self._bias is None:  # taken away by assignment
                args = {name: value for name, value in args.items() if name != asked_bias(args)}
            layer = self._layer = Layer(self._dialect, args, self._weight, self._bias, **self.options)
        return layer

    @untraced
    def _call(self, x, output_size=None, out=None):
        layer = self._layer or self.layer(getattr(x, "shape", None))
        return layer(x, _UNSET if output_size is None else output_size, out=out)

    @untraced
    def backward(
        self,
        dy: Array,
        x: Array = None,
        want: str | Iterable[str] = _UNSET,
        *,
        y: Array = None,
        output_size: Any = None,
        out: dict[str, Array] | None = None,
        accumulate: bool = False,
    ) -> dict[str, Any]:
        """The gradients of a loss by x, weight and bias, from dy, its gradient by y: ctconv.Layer.backward,
        with this object's weight. A dict of new ndarrays, or of the arrays of out."""
        layer = self._layer or self.layer(getattr(x, "shape", None))
        size = _UNSET if output_size is None else output_size
        return layer.backward(dy, x, want, y=y, output_size=size, out=out, accumulate=accumulate)
