# SPDX-License-Identifier: Apache-2.0
"""A file that is written whole or not at all: beside its place, then renamed over it.

In:   whole(path, mode) as a context manager; mode "w" (UTF-8) or "wb"
Out:  a stream. At the end of the block the file stands in its place, with the permissions of the old one.
      After an exception (full disk, Ctrl-C) the old file is as it was and nothing is left beside it.
      What exists and is no regular file (/dev/stdout, a FIFO) is written through.
"""

import contextlib
import os
import shutil


@contextlib.contextmanager
def whole(path, mode="w"):
    encoding = None if "b" in mode else "utf-8"
    target = os.path.realpath(path)
    if os.path.exists(path) and not os.path.isfile(target):
        with open(path, mode, encoding=encoding) as f:
            yield f
        return
    beside = f"{target}.{os.getpid()}.part"
    try:
        with open(beside, mode, encoding=encoding) as f:
            yield f
        if os.path.exists(target):
            shutil.copymode(target, beside)
        os.replace(beside, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
        raise
