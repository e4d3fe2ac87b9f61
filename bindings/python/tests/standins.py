# SPDX-License-Identifier: Apache-2.0
"""Tensors as torch has them, without torch: numpy behind __dlpack__ with a gradient flag and lazy bits.

`is_grad_enabled` is this module's grad mode: the binding asks the package a tensor's class comes from.
"""

import contextlib

_recording = True


def is_grad_enabled():
    return _recording


@contextlib.contextmanager
def no_grad():
    global _recording
    before, _recording = _recording, False
    try:
        yield
    finally:
        _recording = before


class Tensor:
    """values: what it shows. memory: what lies in its memory, other than the values where a lazy bit is set."""

    def __init__(self, values, requires_grad=False, negative=False, conjugate=False):
        self.values, self.requires_grad = values, requires_grad
        self.negative, self.conjugate = negative, conjugate
        self.memory = -values if negative else values.conj() if conjugate else values

    shape = property(lambda self: self.values.shape)

    def detach(self):
        return type(self)(self.values)

    def is_neg(self):
        return self.negative

    def is_conj(self):
        return self.conjugate

    def resolve_neg(self):
        return Tensor(self.values.copy())

    def resolve_conj(self):
        return Tensor(self.values.copy())

    def __dlpack_device__(self):
        return self.memory.__dlpack_device__()

    def __dlpack__(self, **keywords):
        if self.requires_grad:
            raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
        return self.memory.__dlpack__(**keywords)


class TorchTensor(Tensor):
    """With torch's own guard, numpy(): what is not simply its memory is refused. To stand in for torch.Tensor."""

    __torch_dispatch__ = None

    def numpy(self):
        if self.requires_grad and _recording or self.negative or self.conjugate:
            raise RuntimeError("Can't call numpy() on Tensor that ...")
        return self.memory

    def __dlpack_device__(self):
        raise AssertionError("the slow way")


class Dispatching(TorchTensor):
    """A class that answers torch's operations itself, as FakeTensor does: it has memory, but not of its values."""

    __torch_dispatch__ = "of its own"

    def numpy(self):
        raise RuntimeError(".numpy() is not supported for tensor subclasses.")


class Variable:
    """Paddle's word: stop_gradient False means that a gradient is wanted."""

    def __init__(self, values, stop_gradient=False):
        self.values, self.stop_gradient = values, stop_gradient

    shape = property(lambda self: self.values.shape)

    def detach(self):
        return Variable(self.values, True)

    def __dlpack_device__(self):
        return self.values.__dlpack_device__()

    def __dlpack__(self, **keywords):
        return self.values.__dlpack__(**keywords)


class Unreadable:
    """Whatever another package raises when it is asked for memory it does not have."""

    def __init__(self, error, device=(1, 0)):
        self.error, self.device = error, device

    def __dlpack_device__(self):
        if isinstance(self.device, Exception):
            raise self.device
        return self.device

    def __dlpack__(self, **_):
        raise self.error
