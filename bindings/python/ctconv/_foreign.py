# SPDX-License-Identifier: Apache-2.0
"""Tensors of other packages: what must hold before their memory may be read as the numbers they show.

In:  an object that is no ndarray (a torch, paddle or cupy tensor, anything with __dlpack__ or __array__).
Out: an object whose memory holds its values: itself, detached where nothing is lost, or with its lazy bits resolved.
Refuses: a tensor that wants a gradient (these calls have no backward), and one with a forward-mode tangent.
As an output also one whose memory means something else than its values (a lazy negation or conjugation).
"""

from __future__ import annotations

import functools
import sys
from typing import Any, Callable, TypeVar

import numpy as np

from ._errors import Error, refusal

_Function = TypeVar("_Function", bound=Callable[..., Any])


def type_name(x):
    """torch.Tensor, torch.nn.parameter.Parameter, ..."""
    cls = type(x)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def gradients_are_recorded(x):
    """False only where x's own package says so (torch.no_grad, torch.inference_mode, paddle.no_grad). In MindSpore the
    flag is on in every Parameter, and gradients are taken of functions: there it says nothing about a graph."""
    for cls in type(x).__mro__:
        package = cls.__module__.partition(".")[0]
        if package == "mindspore":
            return False
        ask = getattr(sys.modules.get(package), "is_grad_enabled", None)
        if ask is not None:
            return bool(ask())
    return True


def wants_gradient(x):
    """Whether x is part of a recorded graph. Paddle's word is stop_gradient, everyone else's requires_grad."""
    marked = getattr(x, "requires_grad", None) is True or getattr(x, "stop_gradient", None) is False
    return marked and gradients_are_recorded(x)


def has_tangent(x):
    """A dual number of torch.autograd.forward_ad; detach() would keep its tangent."""
    forward = sys.modules.get("torch.autograd.forward_ad")
    if forward is None or getattr(forward, "_current_level", -1) < 0 or not is_torch(x):
        return False
    return forward.unpack_dual(x).tangent is not None


def _bit(x, name):
    ask = getattr(x, name, None)
    return callable(ask) and ask() is True


def _instead(x):
    return "The layers of ctconv.torch.nn have gradients. " if is_torch(x) else ""


def _plain(x, name, writable):
    if wants_gradient(x):
        raise refusal(
            "MISUSE_TENSOR",
            f"{name} is a {type_name(x)} that requires a gradient, and autograd does not call ctconv: its backward "
            f"pass would be lost without a word. {_instead(x)}Pass {name}.detach(), or call under no_grad()",
            name,
            type_name(x),
        )
    if has_tangent(x):
        raise refusal(
            "MISUSE_TENSOR",
            f"{name} carries a forward-mode tangent, which would be lost without a word. Pass "
            f"torch.autograd.forward_ad.unpack_dual({name}).primal.detach()",
            name,
            type_name(x),
        )
    marked = getattr(x, "requires_grad", None) is True or getattr(x, "stop_gradient", None) is False
    if marked and hasattr(x, "detach"):
        x = x.detach()
    for bit, resolve in (("is_conj", "resolve_conj"), ("is_neg", "resolve_neg")):
        if _bit(x, bit):
            if writable:
                raise refusal(
                    "MISUSE_TENSOR",
                    f"{name} is a lazy view ({bit}() is True): what is written to its memory is not what it "
                    f"shows. Pass {name}.{resolve}()",
                    name,
                    type_name(x),
                )
            x = getattr(x, resolve)()
    if _bit(x, "_is_zerotensor"):
        x = x.clone()
    if computes_by_itself(x):
        raise refusal(
            "MISUSE_TENSOR",
            f"{name} is a {type_name(x)}, a tensor class with a __torch_dispatch__ of its own: its memory need not "
            f"hold its values. Pass a plain tensor",
            name,
            type_name(x),
        )
    return x


def plain(x, name, writable=False):
    """x, or a tensor of the same values whose memory can be read (or written) as it stands."""
    try:
        return _plain(x, name, writable)
    except (Error, MemoryError):
        raise
    except Exception as error:  # e.g. a parameter of a lazy module: any question raises
        raise unreadable(x, name, error) from error


def unreadable(x, name, error):
    """Our refusal for what another package raised when it was asked for the memory of x."""
    reason = str(error).strip().partition("\n")[0].rstrip(".")
    text = (
        f"the memory of {name}, a {type_name(x)}, cannot be read: {reason or type(error).__name__}. "
        f"A dense tensor with memory of its own is needed"
    )
    return refusal("MISUSE_TENSOR", text, name, type_name(x))


def is_torch(x):
    tensor = getattr(sys.modules.get("torch"), "Tensor", None)
    return tensor is not None and isinstance(x, tensor)


def computes_by_itself(x):
    """FakeTensor and other classes that answer torch's operations themselves."""
    return is_torch(x) and type(x).__torch_dispatch__ is not sys.modules["torch"].Tensor.__torch_dispatch__


def torch_array(x):
    """An ndarray looking at a torch tensor, or None. torch's own guard refuses here what DLPack gives away silently:
    the negative bit, tensors without memory (FakeTensor, wrapper classes). What numpy has no type for is None too."""
    try:
        return None if has_tangent(x) else x.numpy()
    except MemoryError:
        raise
    except Exception:
        return None


def reject_masked(x, name):
    """A mask would be dropped without a word."""
    if type(x) is not np.ndarray and isinstance(x, np.ma.MaskedArray):
        raise refusal(
            "MISUSE_TENSOR",
            f"{name} is a masked array, and its mask would be ignored. Pass {name}.filled(value)",
            name,
            type_name(x),
        )


def untraced(function: _Function) -> _Function:
    """`function`, into which torch.compile does not look: its graph breaks at the call, which then runs as ever."""
    outside = {}

    @functools.wraps(function)
    def call(*args, **kwargs):
        if "torch._dynamo" not in sys.modules:
            return function(*args, **kwargs)
        if "call" not in outside:
            outside["call"] = sys.modules["torch"].compiler.disable(function)
        return outside["call"](*args, **kwargs)

    call._torchdynamo_disable = True  # type: ignore[attr-defined]
    return call  # type: ignore[return-value]
