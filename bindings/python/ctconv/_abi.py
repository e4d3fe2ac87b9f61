# SPDX-License-Identifier: Apache-2.0
"""The C boundary: the one loaded library, and beside it the records, numbers and prototypes of ctconv.h.

In:  the shared library named by CTCONV_LIBRARY, else the one inside this package, else (Debian's packages) the one
     that the system's loader knows by its name.
Out: `lib` with every function's types set; all names of _records.py, which follows from the C ABI's table.
Refuses: a library that is absent (ImportError names both places), lacks a function or is of another major version.
"""

import ctypes
import os
import pathlib

from ._records import *  # noqa: F403
from ._records import PROTOTYPES

SONAME = "libctconv.so.0"
OPAQUE = 3  # DLPack's number for an element type without meaning to us; the header has no name for it


def _load():
    named = os.environ.get("CTCONV_LIBRARY")
    inside = pathlib.Path(__file__).resolve().parent / "libctconv.so"
    path = named or (str(inside) if inside.exists() else SONAME)
    try:
        # CDLL releases the interpreter lock during every call.
        library = ctypes.CDLL(path)
    except OSError as error:
        where = f"CTCONV_LIBRARY={named}" if named else f"{inside}, nor found as {SONAME} (CTCONV_LIBRARY is not set)"
        raise ImportError(f"the ctconv shared library cannot be loaded from {where}: {error}") from None
    for name, (result, arguments) in PROTOTYPES.items():
        try:
            function = getattr(library, name)
        except AttributeError:
            raise ImportError(f"{path} has no {name}: it is no libctconv, or one older than this package") from None
        function.restype = result
        function.argtypes = arguments
    number = library.ctconv_version()
    if number // 10000 != 0:
        raise ImportError(f"{path} is libctconv {library.ctconv_version_string().decode()}; this package speaks 0.x")
    return library


lib = _load()
