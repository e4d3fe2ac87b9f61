# SPDX-License-Identifier: Apache-2.0
"""libctconv_xla.so as a foreign function of XLA (jax.ffi), for arrays on the CPU.

In:  the name of an operation, its problem, the operands' ranks.   Out: a function of arrays, or None: not to be had.
All of the problem travels in the call's attributes, no address does: a compiled program may be kept and run elsewhere.
why() says how calls are made. CTCONV_JAX=callback turns foreign calls off; CTCONV_XLA_LIBRARY names the library.
"""

import ctypes
import functools
import os
import pathlib

import jax
import numpy as np

from .._desc import _own_folder

_FILE, _TARGET = "libctconv_xla.so", "ctconv_xla_call"


def _library():
    named = os.environ.get("CTCONV_XLA_LIBRARY")
    package = pathlib.Path(__file__).resolve().parent.parent
    places = [pathlib.Path(named)] if named else [pathlib.Path(f, _FILE) for f in (_own_folder(), package) if f]
    return next((path for path in places if path.is_file()), None)


@functools.lru_cache(maxsize=None)
def _state():
    """ "" where the function is registered with XLA, else the reason why not."""
    if os.environ.get("CTCONV_JAX") == "callback":
        return "CTCONV_JAX=callback"
    try:
        from jax import ffi
    except ImportError:
        return f"jax {jax.__version__} has no jax.ffi"
    path = _library()
    if path is None:
        return f"{_FILE} is not beside libctconv (build it with -DCTCONV_XLA=ON)"
    try:
        function = getattr(ctypes.CDLL(str(path)), _TARGET)
        ffi.register_ffi_target(_TARGET, ffi.pycapsule(function), platform="cpu")
    except Exception as error:  # the loader's, or XLA's refusal of the interface's version
        return f"{path}: {error}"
    return ""


def why():
    """How ctconv.jax calls the library: "jax.ffi", or "jax.pure_callback: " and the reason."""
    return f"jax.pure_callback: {_state()}" if _state() else "jax.ffi"


@functools.lru_cache(maxsize=None)
def only_cpu():
    return all(device.platform == "cpu" for device in jax.devices())


def _attribute(value):
    """A static value as XLA's attribute; None where it has no such form."""
    if isinstance(value, (bool, np.bool_)):
        return np.bool_(value)
    if isinstance(value, (int, np.integer)):
        return np.int64(value)
    if isinstance(value, str):
        return value
    if isinstance(value, tuple) and all(isinstance(one, (int, np.integer)) for one in value):
        return np.asarray(value, np.int64)
    return None


def call(run, p, ranks, result):
    """A function of the operands that runs `run` ("y", "dx", "dw", "db"); None: use a callback."""
    if _state():
        return None
    given = {"arg_" + name: _attribute(value) for name, value in p.args if value is not None}
    options = dict(p.options)
    more = {
        "dialect": p.dialect,
        "run": run,
        "engine": options["engine"] or "",
        "threads": np.int64(options["threads"]),
        "reproducible": np.int64(options["reproducible"]),
        "ranks": np.asarray([*ranks, len(result.shape)], np.int64),
        "x_shape": np.asarray(p.x_shape, np.int64),
        "batched": np.bool_(p.batched),
    }
    if any(value is None for value in given.values()) or not isinstance(more["engine"], str):
        return None
    foreign = jax.ffi.ffi_call(_TARGET, result, vmap_method="expand_dims")
    return lambda *arrays: foreign(*arrays, **given, **more)
