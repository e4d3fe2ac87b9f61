# SPDX-License-Identifier: Apache-2.0
"""accelerate(model): every torch.nn.ConvTranspose1d, 2d, 3d of a model is computed here from then on, in place.

In:  a torch.nn.Module; optionally an example input, with which each layer is compared and timed.
Out: a Report. Only the classes of modules change (_swap.py): parameters stay the same objects, and state_dict, hooks,
     .to(), pickle, deepcopy, torch.compile and torch.export work as before. restore(model) and report.undo() go back.
Left alone, with the reason in the report: lazy layers without parameters, TorchScript, layers of other packages.
Refuses: what is no torch.nn.Module.
"""

from __future__ import annotations

import contextlib
import resource
import statistics
import time
from typing import Any, Iterator

import torch
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.utils import parametrize

from . import _held, _swap
from ._report import Report, Row
from ._serves import why_not

_ENOUGH = 0.5  # seconds for the timing of one layer, after which no further round begins
_LONGER = 0.2  # seconds of them in which further rounds begin while the two do not separate


def _kind(module: Any) -> str:
    cls = parametrize.type_before_parametrizations(module)
    return str(getattr(module, "original_name", cls.__name__))


def _row(name: str, module: Any) -> Row | None:
    """A row for a transposed convolution, or None. What cannot be swapped has a reason."""
    row = Row(name, _kind(module), module)
    if isinstance(module, torch.jit.ScriptModule):
        row.reason = "TorchScript: accelerate the model before it is scripted or traced"
    elif not isinstance(module, tuple(_swap.OURS)):
        row.reason = f"a class of {type(module).__module__}, not one of torch.nn"
    elif isinstance(module, LazyModuleMixin) and module.has_uninitialized_params():
        row.reason = "lazy: run the model once, then accelerate it"
    if row.reason and "ConvTranspose" not in row.kind:
        return None
    return row


def _own_forward(cls: type) -> bool:
    """Whether a subclass has a forward of its own, which need not call torch's."""
    classes = cls.__mro__[: next(i for i, base in enumerate(cls.__mro__) if base in _swap.OURS)]
    return any("forward" in vars(base) for base in classes if base not in _swap.OURS.values())


def _swapped(row: Row) -> None:
    if row.reason:
        return
    if _swap.is_ours(row.module):
        row.already = True
    else:
        try:
            _swap.swap(row.module)
        except TypeError as error:
            row.reason = f"its class cannot be extended: {error}"
            return
    row.swapped = True
    if _own_forward(type(row.module)):
        row.reason = "where its own forward calls super().forward"
    _left(row, row.module.weight)


def _left(row: Row, x: Any) -> None:
    reason = why_not(x, row.module.weight)
    if reason:
        row.left, row.reason = True, reason


# ---- an example ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _at_rest(model: Any) -> Iterator[None]:
    """No gradients, no dropout, no running statistics; the random numbers go on as if nothing had been drawn."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            yield
    finally:
        for module in training:
            module.training = True


def _run(model: Any, example: Any) -> None:
    if isinstance(example, dict):
        model(**example)
    elif isinstance(example, (tuple, list)):
        model(*example)
    else:
        model(example)


def _first_calls(model: Any, rows: list[Row], example: Any) -> dict[str, tuple]:
    """The arguments of each row's first call while the model computes the example."""
    calls: dict[str, tuple] = {}

    def keep(name: str) -> Any:
        def hook(module: Any, args: tuple, kwargs: dict) -> None:
            if name not in calls:
                calls[name] = tuple(a.clone() if isinstance(a, torch.Tensor) else a for a in args), dict(kwargs)

        return hook

    handles = [row.module.register_forward_pre_hook(keep(row.name), with_kwargs=True) for row in rows]
    try:
        _run(model, example)
    finally:
        for handle in handles:
            handle.remove()
    return calls


def _seconds(module: Any, call: tuple) -> float:
    start = time.perf_counter()
    module.forward(*call[0], **call[1])
    return time.perf_counter() - start


def _settled(times: tuple[list, list]) -> bool:
    """Whether half of the turns of the faster one end before the other's first: then noise alone did not decide."""
    faster, slower = sorted(times, key=min)
    return statistics.median(faster) < min(slower)


def _time(row: Row, call: tuple, rounds: int) -> None:
    """By turns: a busy machine slows both alike. What disturbs a turn only lengthens it, so the smallest counts."""
    times: tuple[list, list] = [], []
    start = time.perf_counter()
    while True:
        for turn, kept in zip((_swap.unswap, _swap.swap), times):
            turn(row.module)
            kept.append(_seconds(row.module, call))
        taken = time.perf_counter() - start
        if taken > _ENOUGH or len(times[0]) >= rounds and (taken > _LONGER or _settled(times)):
            break
    row.torch_ms, row.ctconv_ms = (1e3 * min(kept) for kept in times)
    row.rounds, row.settled = len(times[0]), _settled(times)
    row.spread = max(statistics.median(kept) / max(min(kept), 1e-9) for kept in times)


def _compare(row: Row, call: tuple, rounds: int) -> None:
    """The row's layer by torch and here: how far they agree, and how long they take."""
    module, args, kwargs = row.module, *call
    x = next((a for a in (*args, *kwargs.values()) if isinstance(a, torch.Tensor)), None)
    got = module.forward(*args, **kwargs)
    _swap.unswap(module)
    want = module.forward(*args, **kwargs)
    _swap.swap(module)
    if x is None or not isinstance(want, torch.Tensor) or want.shape != got.shape:
        row.reason = row.reason or "not compared: its own forward takes or gives no tensor"
        return
    row.x_shape, row.y_shape = tuple(x.shape), tuple(want.shape)
    row.largest = float(want.abs().max()) if want.numel() else 0.0
    row.difference = float((got - want).abs().max()) if want.numel() else 0.0
    del want, got
    _left(row, x)
    if row.left or x.device.type != "cpu":
        return
    _time(row, call, rounds)


def _new_pages(model: Any, example: Any) -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    _run(model, example)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def _measure(report: Report, example: Any, rounds: int, faster: bool) -> None:
    model, swapped = report.model, [row for row in report.rows if row.swapped]
    with _at_rest(model):
        calls = _first_calls(model, swapped, example)
        for row in swapped:
            if row.name not in calls:
                row.reason = row.reason or "not called with the example"
                continue
            try:
                _compare(row, calls.pop(row.name), rounds)
            finally:
                if not _swap.is_ours(row.module):
                    _swap.swap(row.module)
            if faster and row.speedup is not None and row.speedup < 1:
                _swap.unswap(row.module)
                _held.thaw(row.module)
                row.swapped, row.frozen, row.reason = False, False, "faster there"
        _run(model, example)  # plans are made here
        report.new_pages = _new_pages(model, example)


# ---- what users call -------------------------------------------------------------------------------------------------


def _check(model: Any, what: str) -> None:
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"{what}: model is a {type(model).__name__}; a torch.nn.Module is needed")


def _freeze(row: Row) -> None:
    """The weight must be a parameter: what is made anew for each call cannot be packed once."""
    if row.module._parameters.get("weight") is None:
        row.reason = row.reason or "its weight is made anew in each call: not frozen"
        return
    _held.freeze(row.module)
    row.frozen = True


def accelerate(
    model: Any, example: Any = None, *, frozen: bool = False, rounds: int = 5, only_faster: bool = False
) -> Report:
    _check(model, "accelerate")
    if example is None and only_faster:
        raise ValueError("accelerate: only_faster needs an example to time the layers with")
    rows = [row for row in (_row(name, module) for name, module in model.named_modules()) if row is not None]
    for row in rows:
        _swapped(row)
        if frozen and row.swapped:
            _freeze(row)
    report = Report(model, rows)
    if example is not None:
        try:
            _measure(report, example, max(1, int(rounds)), only_faster)
        except BaseException:
            report.undo()
            raise
    return report


def restore(model: Any) -> int:
    _check(model, "restore")
    ours = [module for module in model.modules() if _swap.is_ours(module)]
    for module in ours:
        _held.thaw(module)
    return sum(_swap.unswap(module) for module in ours)
