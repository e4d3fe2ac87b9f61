# SPDX-License-Identifier: Apache-2.0
"""Which calls of a module are left to torch, and why.

In:  the input and the weight of a call.   Out: None, or a reason in words.
What torch refuses itself is no reason: the functions put such calls to torch, which says so in its own words.
A reason is said once, as a warning: the model goes on with torch's own layer.
"""

import warnings

import torch

from .._desc import cuda_module
from .._foreign import computes_by_itself

_TYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_KNOWN = ("torch._subclasses", "torch.fx")  # tensor classes that stand in for plain tensors while torch traces
_said = set()


def _of_tensor(x, name):
    if x.dtype not in _TYPES:
        return f"{name} is {str(x.dtype).rpartition('.')[2]}; libctconv has float16, bfloat16, float32 and float64"
    if x.layout != torch.strided:
        return f"{name} has the layout {str(x.layout).rpartition('.')[2]}; libctconv reads dense tensors"
    kind = x.device.type
    if kind == "cuda":
        return None if _cuda() else "libctconv_cuda.so is not installed"
    if kind not in ("cpu", "meta"):
        return f"{name} lies on {x.device}; libctconv computes on cpu and cuda"
    return None


def _cuda():
    return torch.compiler.is_compiling() or cuda_module() is not None


def _of_moment():
    """What torch is doing around the call."""
    if getattr(torch.autograd.forward_ad, "_current_level", -1) >= 0:
        return "libctconv has no forward-mode derivatives"
    return None


def why_not(x, weight):
    for name, tensor in (("x", x), ("the weight", weight)):
        if not isinstance(tensor, torch.Tensor):
            return None
        reason = _of_tensor(tensor, name)
        if reason:
            return reason
    if torch.onnx.is_in_onnx_export():
        return "ONNX has no operator of ctconv's"
    if torch.compiler.is_compiling():
        return None
    for name, tensor in (("x", x), ("the weight", weight)):
        if computes_by_itself(tensor) and not type(tensor).__module__.startswith(_KNOWN):
            return f"{name} is a {type(tensor).__name__}, a tensor class with a __torch_dispatch__ of its own"
    return _of_moment()


def left_to_torch(x, weight):
    """Whether torch computes this call; says why the first time."""
    reason = why_not(x, weight)
    if reason is None:
        return False
    if not torch.compiler.is_compiling() and reason not in _said:
        _said.add(reason)
        warnings.warn(f"ctconv.torch.nn: torch computes a transposed convolution: {reason}", stacklevel=4)
    return True
