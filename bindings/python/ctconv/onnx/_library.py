# SPDX-License-Identifier: Apache-2.0
"""libctconv_ort.so, the operator library, and how a session takes it.

In:  nothing, or a session's options.
Out: library(): its path, for SessionOptions.register_custom_ops_library; register(): the same with settings.
Refuses: a library that is not there (FileNotFoundError names the places); a setting that is no text or number.
"""

import os
import pathlib

from .._desc import _own_folder
from .._errors import refusal

_FILE = "libctconv_ort.so"


def library():
    """The path of libctconv_ort.so: CTCONV_ORT_LIBRARY, else beside libctconv, else inside this package."""
    named = os.environ.get("CTCONV_ORT_LIBRARY")
    if named:
        places = [pathlib.Path(named)]
    else:
        package = pathlib.Path(__file__).resolve().parent.parent
        places = [pathlib.Path(folder, _FILE) for folder in (_own_folder(), package) if folder]
    for path in places:
        if path.is_file():
            return str(path)
    where = f"CTCONV_ORT_LIBRARY={named}" if named else " and ".join(str(path) for path in places)
    text = f"the operator library for ONNX Runtime is not at {where}; build it with -DCTCONV_ORT=ON, or set "
    raise FileNotFoundError(text + "CTCONV_ORT_LIBRARY to its path")


def register(options, *, threads=None, engine=None, reproducible=0, math=0):
    """Lets sessions made from `options` (onnxruntime.SessionOptions) run the operator ctconv::ConvTranspose.

    threads        parts that a call is shared out in, run by the session's own threads.
                   None: options.intra_op_num_threads, where 0 means the cores the process may use
    engine, reproducible, math   as ctconv.Layer's
    Set intra_op_num_threads first. Returns options."""
    threads = options.intra_op_num_threads if threads is None else threads
    entries = {"threads": threads, "engine": engine or "", "reproducible": int(reproducible), "math": int(math)}
    for name, value in entries.items():
        if value not in ("", 0):
            options.add_session_config_entry("ctconv." + name, str(value))
    try:
        options.register_custom_ops_library(library())
    except FileNotFoundError:
        raise
    except Exception as error:
        at = str(error).find("ctconv: ")
        if at < 0:
            raise
        raise refusal("MISUSE_OPTION", str(error)[at + len("ctconv: ") :], "register") from error
    return options
