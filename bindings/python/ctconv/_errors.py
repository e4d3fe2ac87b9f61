# SPDX-License-Identifier: Apache-2.0
"""A status becomes an exception.

In:  a status number and the error record the library filled (or a sentence of this binding's own).
Out: ctconv.Error, which is also a TypeError (1xxx), a ValueError (2xxx), or a ctconv.ShapeError and ValueError (3xxx).
     A misuse (7xxx) that is a wrong argument (a dialect, an option, an array, a region) is one of both too.
     4xxx and up else (unsupported, memory, device, internal) is ctconv.Error alone.
"""

from __future__ import annotations

import re
import reprlib

from . import _abi
from ._status import STATUS

_NUMBERS = {name: number for number, (name, _) in STATUS.items()}
WORKSPACE_SIZE, MISUSE_RUNNER, MISUSE_NULL = (
    _NUMBERS["CTCONV_ERR_" + name] for name in ("WORKSPACE_SIZE", "MISUSE_RUNNER", "MISUSE_NULL")
)
_NULL = re.compile(r"(?<![\w\"'])NULL(?![\w\"'])")  # not where a user wrote it


class Error(Exception):
    """What the library refused.

    status       the number, e.g. 2004         name     its identifier, e.g. "CTCONV_ERR_VALUE_STRIDE"
    kind         status // 1000: 1 type, 2 value, 3 shape, 4 unsupported, 5 memory, 6 device, 7 misuse, 9 internal
    argument     as the dialect spells it      value    what was given        range    what is legal
    element      index inside a sequence argument, -1: the whole argument
    native_code  cudaError, cudnnStatus, dnnl_status or 0
    """

    def __init__(
        self,
        message: str,
        status: int = 9001,
        argument: str = "",
        value: str = "",
        range: str = "",  # noqa: A002
        element: int = -1,
        native_code: int = 0,
    ) -> None:
        super().__init__(message)
        self.status, self.argument, self.value, self.range = status, argument, value, range
        self.element, self.native_code = element, native_code

    @property
    def name(self) -> str:
        if self.status in STATUS:
            return STATUS[self.status][0]
        return _abi.lib.ctconv_status_name(self.status).decode()

    @property
    def kind(self) -> int:
        return self.status // 1000

    def __reduce__(self):
        fields = (self.args[0], self.status, self.argument, self.value, self.range, self.element, self.native_code)
        return type(self), fields


class ArgumentTypeError(Error, TypeError):
    """1xxx: documented as TypeError."""


class ArgumentValueError(Error, ValueError):
    """2xxx: documented as ValueError."""


class ShapeError(Error, ValueError):
    """3xxx: ranks, channel counts and extents that do not fit."""


class ForgottenBias(UserWarning):
    """The arguments of a layer ask for a bias, and none was given: none is added."""


for _public in (Error, ArgumentTypeError, ArgumentValueError, ShapeError, ForgottenBias):
    _public.__module__ = "ctconv"  # where its users find it

_KINDS = {1: ArgumentTypeError, 2: ArgumentValueError, 3: ShapeError}
_MISUSES = {
    ArgumentTypeError: ("WEIGHT_TWICE", "WEIGHT_MISSING", "Y_DTYPE"),
    ArgumentValueError: (
        "DIALECT",
        "VALUE",
        "DEVICE",
        "ENGINE",
        "OPTION",
        "REGION",
        "ACTIVATION",
        "TENSOR",
        "ALIGNMENT",
        "TENSOR_DEVICE",
        "Y_SHAPE",
        "Y_OVERLAP",
        "STREAM",
    ),
}
_CLASSES = {_NUMBERS["CTCONV_ERR_MISUSE_" + name]: cls for cls, names in _MISUSES.items() for name in names}


def _class_of(status):
    return _CLASSES.get(status) or _KINDS.get(status // 1000, Error)


def raised(status, record=None):
    """The exception for a failed call. `record` is the ErrorRecord given to it, or None."""
    cls = _class_of(status)
    if record is None or record.status != status:
        text = STATUS[status][1] if status in STATUS else _abi.lib.ctconv_status_text(status).decode()
        name = STATUS[status][0] if status in STATUS else _abi.lib.ctconv_status_name(status).decode()
        return cls(f"{name}: {text}", status)

    def text_of(field):
        return _NULL.sub("None", field.decode("utf-8", "replace"))

    return cls(
        text_of(record.message),
        status,
        text_of(record.argument),
        text_of(record.value),
        text_of(record.range),
        record.element,
        record.native_code,
    )


class _Shown(reprlib.Repr):
    """A repr that fits a message, whatever it is of: an array by its shape and element type."""

    def __init__(self):
        super().__init__()
        self.maxlist = self.maxtuple = 16
        self.maxother = self.maxstring = 120

    def repr_instance(self, value, level):
        shape, dtype = getattr(value, "shape", ()), getattr(value, "dtype", None)
        if isinstance(shape, tuple) and shape and dtype is not None:
            return f"{type(value).__name__} of shape {tuple(shape)}, {dtype}"
        return super().repr_instance(value, level)


shown = _Shown().repr


def refusal(name, message, argument="", value="", range="", wrong_type=False):  # noqa: A002
    """An exception of this binding's own, under one of the library's identifiers. wrong_type: it is a TypeError."""
    status = _NUMBERS["CTCONV_ERR_" + name]
    cls = ArgumentTypeError if wrong_type else _class_of(status)
    given = shown(value) if isinstance(value, (list, tuple)) or getattr(value, "shape", ()) else str(value)
    return cls(message, status, argument, given[:63], range)
