# SPDX-License-Identifier: Apache-2.0
"""The classes of swapped modules: a module of torch's becomes one computed here by another __class__, and back.

In:  a module's class.   Out: the class of the same behaviour, but computed by ctconv.torch.nn; or back.

    torch.nn.ConvTranspose2d           ctconv.torch.nn.ConvTranspose2d
    a subclass S of it                 a class (S, ctconv.torch.nn.ConvTranspose2d): S.forward's super() ends here
    what torch.nn.utils.parametrize    its own copy, over the class computed here. Copies of a model share such a class
      makes of either                  in torch; a swapped module has one of its own.

Parameters, hooks, buffers and attributes belong to the object and stay. A swapped S pickles by S.
Refuses (TypeError): a class that Python cannot extend or assign.
"""

import copyreg
import weakref

import torch
from torch.nn.utils import parametrize

from . import nn

OURS = {getattr(torch.nn, name): getattr(nn, name) for name in nn.__all__ if name.startswith("Conv")}
_THEIRS = {own: theirs for theirs, own in OURS.items()}
_OWN = tuple(OURS.values())
_derived = weakref.WeakValueDictionary()  # S: the class computed here
_FROM = "_ctconv_from"  # in the namespace of such a class: S


def is_ours(module):
    return isinstance(module, _OWN)


def _again(cls):
    """A pickled module of a class derived from S."""
    own = ours(cls)
    return own.__new__(own)


def _reduce(self, protocol):
    own = next(cls for cls in type(self).__mro__ if _FROM in vars(cls))
    made = super(own, self).__reduce_ex__(max(protocol, 2))
    if made[0] is not copyreg.__newobj__:
        return made  # S pickles in a way of its own
    return (_again, (vars(own)[_FROM],), *made[2:])


def _derive(cls):
    own = _derived.get(cls)
    if own is None:
        base = next(ours for theirs, ours in OURS.items() if issubclass(cls, theirs))
        names = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
        own = type(cls)(cls.__name__, (cls, base), {**names, _FROM: cls, "__reduce_ex__": _reduce})
        _derived[cls] = own
    return own


def _over(cls, base):
    """A copy of a parametrized class over another base."""
    names = {name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__")}
    return type(cls)(cls.__name__, (base,), names)


def ours(cls, parametrized=False):
    if parametrized:
        return _over(cls, ours(cls.__base__))
    return OURS.get(cls) or _derive(cls)


def theirs(cls, parametrized=False):
    if parametrized:
        return _over(cls, theirs(cls.__base__))
    return _THEIRS.get(cls) or vars(cls).get(_FROM) or cls


def swap(module):
    module.__class__ = ours(type(module), parametrize.is_parametrized(module))


def unswap(module):
    """True where the module had been computed here."""
    cls = type(module)
    parametrized = parametrize.is_parametrized(module)
    base = cls.__base__ if parametrized else cls
    if theirs(base) is base:
        return False  # a user's own subclass of ctconv.torch.nn's, or torch's
    module.__class__ = theirs(cls, parametrized)
    return True
