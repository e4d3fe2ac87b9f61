# SPDX-License-Identifier: Apache-2.0
"""Keyword options of a Layer become a ctconv_options record.

In:  engine, device, threads, activation, ... as Python objects.
Out: the record; what it points at is appended to `keep`.
Names of activations and tuning modes are read here; every other range is judged by the library (CTCONV_ERR_MISUSE_...).
"""

from __future__ import annotations

import ctypes
import os
import threading
from typing import Any, Callable

import numpy as np

from . import _abi
from ._errors import refusal, shown

ACTIVATIONS = {None: _abi.ACTIVATION_NONE, **_abi.ACTIVATIONS}
TUNINGS = {
    None: _abi.TUNING_NONE,
    False: _abi.TUNING_NONE,
    "none": _abi.TUNING_NONE,
    True: _abi.TUNING_MEASURE,
    "measure": _abi.TUNING_MEASURE,
}


class Runner:
    """The caller's threads: `parallel_for(count, task)` MUST call task(index, worker) once for each 0 <= index < count
    with 0 <= worker < workers, no two at once with the same worker, and return when all have returned. Any thread may
    call it, also at the same time. A runner that raises fails the call with CTCONV_ERR_MISUSE_RUNNER,
    chained from what it raised. workers=1 has nothing to share out: the calling thread computes alone, and parallel_for
    is not called.
    """

    def __init__(self, parallel_for: Callable[[int, Callable[..., Any]], Any], workers: int = 1) -> None:
        self.parallel_for, self.workers, self._raised = parallel_for, workers, threading.local()
        self._callback = _abi.PARALLEL_FOR(self._run)
        self.record = _abi.RunnerRecord(workers=_int32("workers", workers), parallel_for=self._callback)
        self._again = type(self), (parallel_for, workers)

    @classmethod
    def openmp(cls, workers: int = 0, library: str | None = None) -> Runner | None:
        """A runner over the OpenMP threads that this process has already, torch's or numpy's for one: two pools on the
        same cores get in each other's way. None where no such runtime is loaded, and in a child of fork; a copy or a
        pickle that is opened there is None too, and its layer takes the library's threads.
        workers: 1 to 4096, best torch.get_num_threads(); 0: what the runtime would take now. library: a part of the
        runtime's path, to choose one of several.
        """
        legal = "0 to 4096"
        number = -1 if isinstance(workers, (bool, np.bool_)) else _int32("workers", workers)
        if not 0 <= number <= 4096:
            raise refusal("MISUSE_OPTION", f"workers is {shown(workers)}; {legal} are legal", "workers", workers, legal)
        if library is not None and (not isinstance(library, str) or "\0" in library):
            text = f"library is {shown(library)}; a part of a path is needed"
            raise refusal("MISUSE_OPTION", text, "library", library, wrong_type=not isinstance(library, str))
        runner = cls.__new__(cls)
        runner.parallel_for, runner._raised, runner._callback = None, threading.local(), None
        runner.record = _abi.RunnerRecord()
        path = None if library is None else os.fsencode(library)
        runner.workers = _abi.lib.ctconv_openmp_runner(ctypes.byref(runner.record), number, path)
        runner._again = cls.openmp, (workers, library)
        return runner if runner.workers else None

    def __reduce__(self):
        return self._again

    def _run(self, _user, count, task, task_data):
        try:
            self.parallel_for(count, lambda index, worker=0: task(task_data, index, worker))
        except BaseException as error:  # must not unwind into C; the library counts the tasks and refuses
            self._raised.error = error

    def take_error(self) -> BaseException | None:
        """What the runner raised on this thread since the last question."""
        error, self._raised.error = getattr(self._raised, "error", None), None
        return error


def _int32(name, value):
    try:
        number = value.__index__()
    except (AttributeError, TypeError):  # the latter: an array
        raise refusal(
            "MISUSE_OPTION", f"{name} is {shown(value)}; an int is needed", name, value, wrong_type=True
        ) from None
    if not -(2**31) <= number < 2**31:
        raise refusal("MISUSE_OPTION", f"{name} is {number}; it must fit 32 bits", name, number)
    return number


def _level(name, value):
    """A bool or a whole number; any other object would count as true or false without being meant so."""
    if isinstance(value, np.bool_):
        value = bool(value)
    try:
        value.__index__()
    except (AttributeError, TypeError):
        legal = "False, True, 0, 1 or 2"
        text = f"{name} is {shown(value)}; {legal} is needed"
        raise refusal("MISUSE_OPTION", text, name, value, legal, wrong_type=True) from None
    return _int32(name, value)


def flag_of(name, value):
    """0 or 1 of a bool, or of one of these two ints."""
    if isinstance(value, (bool, np.bool_)) or (isinstance(value, (int, np.integer)) and value in (0, 1)):
        return int(value)
    legal = "True or False"
    wrong_type = not isinstance(value, (int, np.integer))
    raise refusal(
        "MISUSE_OPTION", f"{name} is {shown(value)}; {legal} is needed", name, value, legal, wrong_type=wrong_type
    )


def _size(name, value):
    try:
        number, counts = value.__index__(), True
    except (AttributeError, TypeError):
        number, counts = -1, False
    if not 0 <= number < 2**64:
        text = f"{name} is {shown(value)}; a size in bytes from 0 is needed"
        raise refusal("MISUSE_OPTION", text, name, value, wrong_type=not counts)
    return number


def _choice(name, value, known, status):
    try:
        if value in known:
            return known[value]
    except TypeError:
        pass
    if isinstance(value, int):
        return _int32(name, value)
    raise refusal(status, f"{name} is {shown(value)}; known are {', '.join(repr(k) for k in known)}", name, value)


def _number(name, value):
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        text, wrong_type = f"{name} is {shown(value)}; a number is needed", isinstance(error, TypeError)
        raise refusal("MISUSE_OPTION", text, name, value, wrong_type=wrong_type) from None


def _text(name, value):
    if value is None:
        return None
    if not isinstance(value, str) or "\0" in value:
        text, wrong_type = f"{name} is {shown(value)}; a string is needed", not isinstance(value, str)
        raise refusal(f"MISUSE_{name.upper()}", text, name, value, wrong_type=wrong_type)
    return value.encode("utf-8", "backslashreplace")


def record_of(
    engine,
    threads,
    device,
    activation,
    activation_alpha,
    activation_beta,
    reproducible,
    tuning,
    workspace_limit,
    plan_limit,
    allow_tf32,
    borrow_weights,
    runner,
    math=0,
    returns="ndarray",
):
    """The OptionsRecord; the runner, if any, must outlive the op. `returns` is Layer's own: it is only judged."""
    if returns not in ("ndarray", "like"):
        text, wrong_type = f"returns is {shown(returns)}; known are 'ndarray', 'like'", not isinstance(returns, str)
        raise refusal("MISUSE_OPTION", text, "returns", returns, "'ndarray', 'like'", wrong_type=wrong_type)
    record = _abi.OptionsRecord()
    record.engine, record.device = _text("engine", engine), _text("device", device)
    record.threads, record.plan_limit = _int32("threads", threads), _int32("plan_limit", plan_limit)
    record.workspace_limit = _size("workspace_limit", workspace_limit)
    record.activation = _choice("activation", activation, ACTIVATIONS, "MISUSE_ACTIVATION")
    record.activation_alpha = _number("activation_alpha", activation_alpha)
    record.activation_beta = _number("activation_beta", activation_beta)
    record.tuning = _choice("tuning", tuning, TUNINGS, "MISUSE_OPTION")
    record.reproducible, record.math = _level("reproducible", reproducible), _int32("math", math)
    record.allow_tf32 = flag_of("allow_tf32", allow_tf32)
    record.borrow_weights = flag_of("borrow_weights", borrow_weights)
    if runner is not None:
        if not isinstance(runner, Runner):
            text = f"runner is {type(runner).__name__}; a ctconv.Runner is needed"
            raise refusal("MISUSE_RUNNER", text, "runner", wrong_type=True)
        record.runner = ctypes.pointer(runner.record)
    return record


def asked_bias(args):
    """The argument that says in so many words that there is a bias, or None."""
    for name in ("bias", "has_bias", "use_bias"):
        if isinstance(args.get(name), (bool, np.bool_)) and args[name]:
            return name
    return None
