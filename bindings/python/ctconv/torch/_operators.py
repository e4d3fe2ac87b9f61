# SPDX-License-Identifier: Apache-2.0
"""The three operators that training is made of, known to torch: its dispatcher, autograd, torch.compile, torch.export.

    T(x, w, b) = y                        ctconv::conv_transpose
    D(g, w) = dx    <D(g, w), x> = <g, T(x, w)>    ctconv::conv_transpose_grad_input, a strided convolution
    W(g, x) = dw    <W(g, x), w> = <g, T(x, w)>    ctconv::conv_transpose_grad_weight, with db, the sums of g

In:  dense tensors with a batch axis.   Out: new tensors in the memory format of _formats.py.
T, D and W are linear in each tensor. So the gradients of one are the other two, and any derivative exists.
On a CUDA device T is libctconv's; D and W are PyTorch's aten::convolution_backward until libctconv's CUDA engine has
gradients. Under autocast T casts its tensors as torch's own operator does.
Refuses: what torch refuses, by asking torch; a type that libctconv has not.
"""

import torch

from .._errors import Error, refusal
from .._foreign import untraced
from . import _engine
from ._at_rest import at_rest, is_plain, wants_gradient
from ._formats import is_channels_last, prefers_channels_last, strides_of

_GEOMETRY = "SymInt[] stride, SymInt[] padding, SymInt[] output_padding, SymInt groups, SymInt[] dilation"
_SCHEMAS = {
    "conv_transpose": f"(Tensor input, Tensor weight, Tensor? bias, {_GEOMETRY}) -> Tensor",
    "conv_transpose_grad_input": (
        f"(Tensor grad, Tensor weight, SymInt[] input_size, bool channels_last, {_GEOMETRY}) -> Tensor"
    ),
    "conv_transpose_grad_weight": (
        "(Tensor grad, Tensor input, SymInt[] weight_size, bool channels_last, bool want_weight, bool want_bias, "
        f"{_GEOMETRY}) -> (Tensor, Tensor)"
    ),
}

_library = torch.library.Library("ctconv", "FRAGMENT")
for _name, _schema in _SCHEMAS.items():
    _library.define(_name + _schema, tags=(torch.Tag.pt2_compliant_tag,))

_y, _dx, _dw = (getattr(torch.ops.ctconv, _name).default for _name in _SCHEMAS)


def _transformed():
    """Whether a transform of torch.func is at work; it looks at an autograd.Function, not at an operator's formula."""
    return not torch.compiler.is_compiling() and torch._C._are_functorch_transforms_active()


def conv_transpose(*args):
    return _Y.apply(*_lowered(args)) if _transformed() else _y(*args)


def _direct(one, other):
    """Whether the dispatcher would only hand the call on."""
    return at_rest() and is_plain(one) and is_plain(other) and not wants_gradient(one, other)


def _all_direct(g, x, weight):
    """The same for a call that makes all gradients at once, on the CPU."""
    if not (at_rest() and is_plain(g) and is_plain(x) and is_plain(weight)):
        return False
    return not (wants_gradient(g, x, weight) or g.is_cuda)


def grad_input(*args):
    if _direct(*args[:2]):
        return _grad_input(*args)
    return _DX.apply(*args) if _transformed() else _dx(*args)


def grad_weight(*args):
    if _direct(*args[:2]):
        return _grad_weight(*args)
    return _DW.apply(*args) if _transformed() else _dw(*args)


def not_ours(reason):
    """torch takes the call, we do not."""
    return refusal("UNSUPPORTED_ENGINE", f"ctconv.torch.nn: torch computes this call, ctconv does not: {reason}")


def _torchs(x, weight, bias, stride, padding, output_padding, groups, dilation):
    """torch's own operator; it refuses with its own words."""
    rank = len(stride)
    own = getattr(torch.nn.functional, f"conv_transpose{rank}d")
    return own(x, weight, bias, stride, padding, output_padding, groups, dilation)


# ---- T ---------------------------------------------------------------------------------------------------------------


def _forward(x, weight, bias, *geometry):
    try:
        return _engine.forward(x, weight, bias, geometry)
    except Error as error:
        if error.kind <= 3:
            _torchs(x, weight, bias, *geometry)
        raise


def _forward_fake(x, weight, bias, *geometry):
    stride, padding, output_padding, groups, dilation = geometry
    y = torch.ops.aten.convolution.default(
        x, weight, bias, stride, padding, dilation, True, output_padding, groups
    )  # torch's own judgement
    return x.new_empty_strided(y.shape, strides_of(y.shape, prefers_channels_last(x, weight)))


def keep(ctx, inputs, output):
    x, weight, _, *ctx.geometry = inputs
    needs = ctx.needs_input_grad
    ctx.save_for_backward(x if needs[1] or needs[2] else None, weight if needs[0] else None)
    ctx.sizes = x.shape, weight.shape
    ctx.formats = prefers_channels_last(x, weight), is_channels_last(weight)


def backward(ctx, g):
    x, weight = ctx.saved_tensors
    needs, dx, dw, db = ctx.needs_input_grad, None, None, None
    if needs[0] and needs[1] and _all_direct(g, x, weight):
        dx, dw, *db = _engine.grads(g, x, weight, ctx.formats, needs[2], ctx.geometry)
        return dx, dw, db[0] if db else None, *[None] * 5
    if needs[0]:
        dx = grad_input(g, weight, ctx.sizes[0], ctx.formats[0], *ctx.geometry)
    if needs[1] or needs[2]:
        dw, db = grad_weight(g, x, ctx.sizes[1], ctx.formats[1], needs[1], needs[2], *ctx.geometry)
    return dx, dw if needs[1] else None, db if needs[2] else None, *[None] * 5


def _lower(tensor, device):
    """A tensor in autocast's type, but for float64, as torch's own list of operators says."""
    takes = tensor is not None and tensor.is_floating_point() and tensor.dtype != torch.float64
    return tensor.to(torch.get_autocast_dtype(device)) if takes and tensor.device.type == device else tensor


def _lowered(args):
    """Under autocast the tensors are cast before an autograd.Function sees them."""
    device = args[0].device.type
    if device not in ("cpu", "cuda") or not torch.is_autocast_enabled(device):
        return args
    return *[_lower(tensor, device) for tensor in args[:3]], *args[3:]


def _autocast(device):
    key = getattr(torch._C.DispatchKey, "Autocast" + device.upper())

    def run(x, weight, bias, *geometry):
        with torch._C._ExcludeDispatchKeyGuard(torch._C.DispatchKeySet(key)):
            return _y(*[_lower(tensor, device) for tensor in (x, weight, bias)], *geometry)

    return run


# ---- D ---------------------------------------------------------------------------------------------------------------


def _grad_input(g, weight, size, channels_last, *geometry):
    return _engine.grad_input(g, weight, size, channels_last, geometry)


def _grad_input_cuda(g, weight, size, channels_last, stride, padding, output_padding, groups, dilation):
    x = g.new_empty_strided(size, strides_of(size, channels_last))
    rest = [0], stride, padding, dilation, True, output_padding, groups, [True, False, False]
    return _laid(torch.ops.aten.convolution_backward.default(g, x, weight, *rest)[0], channels_last)


def _laid(tensor, channels_last):
    strides = strides_of(tensor.shape, channels_last)
    return tensor if tensor.stride() == strides else tensor.new_empty_strided(tensor.shape, strides).copy_(tensor)


def _grad_input_fake(g, weight, size, channels_last, *geometry):
    return g.new_empty_strided(size, strides_of(size, channels_last))


def _grad_input_keep(ctx, inputs, output):
    g, weight, _, _, *ctx.geometry = inputs
    needs = ctx.needs_input_grad
    ctx.save_for_backward(g if needs[1] else None, weight if needs[0] else None)
    ctx.size, ctx.format = weight.shape, is_channels_last(weight)


def _grad_input_backward(ctx, u):
    g, weight = ctx.saved_tensors
    needs, by_g, by_weight = ctx.needs_input_grad, None, None
    if needs[0]:
        by_g = conv_transpose(u, weight, None, *ctx.geometry)
    if needs[1]:
        by_weight, _ = grad_weight(g, u, ctx.size, ctx.format, True, False, *ctx.geometry)
    return by_g, by_weight, *[None] * 7


# ---- W ---------------------------------------------------------------------------------------------------------------


def _grad_weight(g, x, size, channels_last, want_weight, want_bias, *geometry):
    return _engine.grad_weight(g, x, size, channels_last, want_weight, want_bias, geometry)


def _grad_weight_cuda(
    g, x, size, channels_last, want_weight, want_bias, stride, padding, output_padding, groups, dilation
):
    weight = g.new_empty_strided(size, strides_of(size, channels_last))
    rest = [g.shape[1]], stride, padding, dilation, True, output_padding, groups, [False, want_weight, want_bias]
    _, dw, db = torch.ops.aten.convolution_backward.default(g, x, weight, *rest)
    return _laid(dw, channels_last) if want_weight else g.new_empty(0), db if want_bias else g.new_empty(0)


def _grad_weight_fake(g, x, size, channels_last, want_weight, want_bias, *geometry):
    dw = g.new_empty_strided(size, strides_of(size, channels_last)) if want_weight else g.new_empty(0)
    return dw, g.new_empty(g.shape[1] if want_bias else 0)


def _grad_weight_keep(ctx, inputs, output):
    g, x, _, _, *ctx.wanted = inputs[:6]
    ctx.geometry, ctx.sizes = inputs[6:], (g.shape, x.shape)
    needs = ctx.needs_input_grad
    ctx.save_for_backward(g if needs[1] else None, x if needs[0] else None)


def _grad_weight_backward(ctx, v, c):
    g, x = ctx.saved_tensors
    (want_weight, want_bias), needs, by_g, by_x = ctx.wanted, ctx.needs_input_grad, None, None
    if needs[0] and want_weight:
        by_g = conv_transpose(x, v, c if want_bias else None, *ctx.geometry)
    elif needs[0] and want_bias:
        by_g = c.reshape(1, -1, *[1] * (len(ctx.sizes[0]) - 2)).expand(ctx.sizes[0])
    if needs[1] and want_weight:
        by_x = grad_input(g, v, ctx.sizes[1], prefers_channels_last(g, v), *ctx.geometry)
    return by_g, by_x, *[None] * 9


# ---- what torch is told ----------------------------------------------------------------------------------------------

_PARTS = {
    "conv_transpose": (_forward, _forward, _forward_fake, keep, backward),
    "conv_transpose_grad_input": (
        _grad_input,
        _grad_input_cuda,
        _grad_input_fake,
        _grad_input_keep,
        _grad_input_backward,
    ),
    "conv_transpose_grad_weight": (
        _grad_weight,
        _grad_weight_cuda,
        _grad_weight_fake,
        _grad_weight_keep,
        _grad_weight_backward,
    ),
}

for _name, (_cpu, _cuda, _fake, _setup, _formula) in _PARTS.items():
    _library.impl(_name, untraced(_cpu), "CPU")
    _library.impl(_name, untraced(_cuda), "CUDA")
    torch.library.register_fake("ctconv::" + _name, _fake, lib=_library)
    torch.library.register_autograd("ctconv::" + _name, _formula, setup_context=_setup, lib=_library)


def _one_by_one(operator):
    """The rule of torch.func.vmap: a call for each."""

    def run(info, in_dims, *args):
        def at(i):
            pairs = zip(args, in_dims)
            return [a.select(d, i) if isinstance(a, torch.Tensor) and d is not None else a for a, d in pairs]

        results = [operator(*at(i)) for i in range(info.batch_size)]
        if isinstance(results[0], torch.Tensor):
            return torch.stack(results), 0
        return tuple(torch.stack(parts) for parts in zip(*results)), (0,) * len(results[0])

    return run


def _function(name, operator, transformed):
    *_, setup, formula = _PARTS[name]
    rules = {"forward": operator, "setup_context": setup, "backward": formula, "vmap": _one_by_one(transformed)}
    return type(name, (torch.autograd.Function,), {rule: staticmethod(run) for rule, run in rules.items()})


_Y = _function("conv_transpose", _y, conv_transpose)
_DX = _function("conv_transpose_grad_input", _dx, grad_input)
_DW = _function("conv_transpose_grad_weight", _dw, grad_weight)

for _device in ("CPU", "CUDA"):
    _library.impl("conv_transpose", _autocast(_device.lower()), "Autocast" + _device)
