# SPDX-License-Identifier: Apache-2.0
"""Whether torch's dispatcher would only hand a call on to our kernel on the CPU.

In:  the tensors of a call.   Out: True where nothing of torch wants to see it.
The dispatcher decides by sets of keys, those of each tensor and those of the thread. Where both are the ones of plain
tensors on the CPU and of a thread at rest, no subclass, lazy bit, mode, autocast, transform, tracer or compiler stands
before the kernel. Autograd is no key of these: wants_gradient asks for it.
A torch that has no such questions: False always.
"""

import threading

import torch

_TYPES = (torch.Tensor, torch.nn.Parameter)
_ELEMENTS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def _keys_at_rest():
    """The thread's sets in the two states that mean nothing to us, and the sets of plain tensors made in each."""
    states, tensors = set(), set()

    def ask():
        states.add((_included().raw_repr(), _excluded().raw_repr()))
        tensors.add(_keys(torch.empty(0)).raw_repr())

    def both():
        ask()
        with torch.inference_mode():
            ask()

    thread = threading.Thread(target=both)  # a new one is at rest, whatever this one imports us in
    thread.start()
    thread.join()
    return frozenset(states), frozenset(tensors)


try:
    _keys = torch._C._dispatch_keys
    _included, _excluded = torch._C._dispatch_tls_local_include_set, torch._C._dispatch_tls_local_exclude_set
    _function_modes, _profiled = torch._C._len_torch_function_stack, torch.autograd._profiler_enabled
    _forward_ad = torch.autograd.forward_ad
    _STATES, _PLAIN = _keys_at_rest()
except AttributeError:  # private names of torch, which may go
    _STATES = _PLAIN = frozenset()


def is_plain(tensor):
    return type(tensor) in _TYPES and _keys(tensor).raw_repr() in _PLAIN and tensor.dtype in _ELEMENTS


def at_rest():
    """The thread. torch.compile is asked first: it does not look further."""
    if torch.compiler.is_compiling() or not _STATES:
        return False
    if (_included().raw_repr(), _excluded().raw_repr()) not in _STATES:
        return False
    return not (_function_modes() or _profiled() or getattr(_forward_ad, "_current_level", -1) >= 0)


def wants_gradient(x, weight, bias=None):
    return torch.is_grad_enabled() and (
        x.requires_grad or weight.requires_grad or (bias is not None and bias.requires_grad)
    )
