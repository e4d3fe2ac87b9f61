# SPDX-License-Identifier: Apache-2.0
"""y, dx, dw and db as operations of jax, each a custom_vjp made of the others.

In:  jax arrays, traced or not; a dialect and its arguments.   Out: a jax array.
    y(x, w, b):  dx(dy, w), dw(x, dy), db(dy)      dx(dy, w):  y(g, w), dw(g, dy)
    db(dy):      g spread over dy                   dw(x, dy):  dx(dy, g), y(x, g)
So reverse mode works to any order. Forward mode (jax.jvp, jacfwd) is refused by jax itself.
Refuses: what the dialect refuses of arguments, shapes and types, while jax traces and before anything runs.

On the CPU each operation is one foreign function call (_ffi.py). Elsewhere, and where that is not to be had, it is one
jax.pure_callback, for which jax copies the arrays to the host and back.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .._desc import check
from .._errors import refusal
from .._layer import _UNSET, Layer, _Slot
from .._tensors import view
from . import _ffi

_OPS_HELD = 64


class _Problem(NamedTuple):
    """All that is no array. Shapes are those of one call, without the axes that vmap adds."""

    dialect: str
    args: tuple
    options: tuple
    x_shape: tuple
    w_shape: tuple
    y_shape: tuple
    channels_last: bool = False

    @property
    def layer(self):
        return _layer(self.dialect, self.args, self.options)

    @property
    def batched(self):
        return len(self.x_shape) == len(self.w_shape)

    @property
    def b_shape(self):
        return (self.y_shape[-1 if self.channels_last else int(self.batched)],)


@functools.lru_cache(maxsize=_OPS_HELD)
def _layer(dialect, args, options):
    return Layer(dialect, dict(args), None, **dict(options))


def _shape_only(shape, dtype):
    """An array of this shape that takes no memory."""
    return np.broadcast_to(np.zeros((), dtype), shape)


# ---- on the host: each writes `out` ----


def _run_y(p, out, x, w, b=None):
    p.layer(x, weight=w, bias=b, out=out)


def _run_dx(p, out, dy, w):
    p.layer.backward(dy, want=(), weight=w, out={"dx": out})


def _run_dw(p, out, x, dy):
    p.layer.backward(dy, x, want=(), out={"dw": out})


def _run_db(p, out, dy):
    p.layer.backward(dy, _shape_only(p.x_shape, dy.dtype), want=(), out={"db": out})


_NAMES = {_run_y: "y", _run_dx: "dx", _run_dw: "dw", _run_db: "db"}
_GROWS_BY_BATCH = (_run_y, _run_dx)  # more images are more of the same call


def _host(run, p, shape, ranks, *arrays):
    """What the callback does. Axes in front of `ranks` are vmap's; those of length 1 repeat."""
    arrays = [np.asarray(a) for a in arrays]
    leads = [a.shape[: a.ndim - rank] for a, rank in zip(arrays, ranks)]
    lead = np.broadcast_shapes(*leads)
    out = np.empty((*lead, *shape), arrays[0].dtype)
    if lead and run in _GROWS_BY_BATCH and all(math.prod(one) == 1 for one in leads[1:]):
        images = math.prod(lead) * (shape[0] if p.batched else 1)
        first = np.broadcast_to(arrays[0], (*lead, *arrays[0].shape[len(lead) :]))
        inner = arrays[0].shape[arrays[0].ndim - len(p.w_shape) + 1 :]
        rest = [a.reshape(a.shape[len(lead) :]) for a in arrays[1:]]
        run(p, out.reshape(images, *shape[p.batched :]), first.reshape(images, *inner), *rest)
        return out
    for at in np.ndindex(*lead):
        part = [a[tuple(i if n > 1 else 0 for i, n in zip(at, one))] for a, one in zip(arrays, leads)]
        run(p, out[at], *part)
    return out


def _call(run, p, shape, *arrays):
    """vmap_method "expand_dims": a vmap is still one callback. Its axes stand in front, of length 1 where an array has
    none. y and dx under one weight then run as one larger batch; other cases run one after the other."""
    result = jax.ShapeDtypeStruct(shape, arrays[0].dtype)
    ranks = [a.ndim for a in arrays]

    def on_host(*arrays):
        return jax.pure_callback(
            functools.partial(_host, run, p, shape, ranks), result, *arrays, vmap_method="expand_dims"
        )

    foreign = _ffi.call(_NAMES[run], p, ranks, result)
    if foreign is None:
        return on_host(*arrays)
    if _ffi.only_cpu():
        return foreign(*arrays)
    return jax.lax.platform_dependent(*arrays, cpu=foreign, default=on_host)


# ---- the four operations ----


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _y(p, x, w, b):
    return _call(_run_y, p, p.y_shape, x, w, *(() if b is None else (b,)))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _dx(p, dy, w):
    return _call(_run_dx, p, p.x_shape, dy, w)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _dw(p, x, dy):
    return _call(_run_dw, p, p.w_shape, x, dy)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _db(p, dy):
    return _call(_run_db, p, p.b_shape, dy)


def _y_back(p, kept, dy):
    x, w, b = kept
    return _dx(p, dy, w), _dw(p, x, dy), None if b is None else _db(p, dy)


def _dx_back(p, kept, g):
    dy, w = kept
    return _y(p, g, w, None), _dw(p, g, dy)


def _dw_back(p, kept, g):
    x, dy = kept
    return _dx(p, dy, g), _y(p, x, g, None)


def _db_back(p, _, g):
    behind = 0 if p.channels_last else len(p.w_shape) - 2
    return (jnp.broadcast_to(g.reshape(-1, *(1,) * behind), p.y_shape),)


_y.defvjp(lambda p, x, w, b: (_y(p, x, w, b), (x, w, b)), _y_back)
_dx.defvjp(lambda p, dy, w: (_dx(p, dy, w), (dy, w)), _dx_back)
_dw.defvjp(lambda p, x, dy: (_dw(p, x, dy), (x, dy)), _dw_back)
_db.defvjp(lambda p, dy: (_db(p, dy), None), _db_back)


# ---- arguments ----


def _plain(value):
    return tuple(_plain(one) for one in value) if isinstance(value, (tuple, list)) else value


def options_of(threads=0, reproducible=0, engine=None):
    """A Layer's options as part of a static problem."""
    options = (("threads", threads), ("reproducible", reproducible), ("engine", engine))
    for name, value in options:
        try:
            hash(value)
        except TypeError:
            raise refusal("MISUSE_OPTION", f"{name} is {value!r}, no static value", name, value) from None
    return options


def apply(dialect, args, x, w, b=None, options=None, channels_last=False):
    """y by any dialect whose weight comes with the call. Every fault that arguments, shapes and types show is raised
    here. channels_last: where the dialect's arguments say that x and y are so."""
    options = options_of() if options is None else options
    check(dialect, args)
    fixed = tuple((name, _plain(value)) for name, value in args.items())
    layer = _layer(dialect, fixed, options)
    slot = _Slot(layer._op.handle)
    seen = view(_shape_only(x.shape, x.dtype), "x")
    slot.call.x, slot.keep = seen.pointer, [seen]
    shapes = (None if a is None else _shape_only(a.shape, a.dtype) for a in (w, b))
    layer._fill_call(slot.call, slot.keep, _UNSET, *shapes)
    y_shape, _ = layer._output(slot)
    p = _Problem(dialect, fixed, options, tuple(x.shape), tuple(w.shape), y_shape, channels_last)
    return _y(p, x, w, b)
