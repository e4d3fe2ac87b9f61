# SPDX-License-Identifier: Apache-2.0
"""What goes wrong outside the layer: disks, files, chunks.

In:  the exception of the system or of zarr, and where it happened
Out: ctconv.tiles.StorageError: an OSError with the errno of what happened, EIO where data are damaged
"""

import errno

from .._errors import refusal


class StorageError(OSError):
    """A file, a disk or a chunk failed. What was written before it is kept: the same call goes on from there."""

    def __str__(self):
        return self.strerror or super().__str__()


StorageError.__module__ = "ctconv.tiles"


def storage_error(error, what):
    """A StorageError with the errno of `error`."""
    if isinstance(error, StorageError):
        return error
    number = getattr(error, "errno", None) or errno.EIO
    why = getattr(error, "strerror", None) or str(error).strip().partition("\n")[0] or type(error).__name__
    return StorageError(number, f"{what}: {why}")


def wrong(name, value, text, legal=""):
    """An argument that is not what it should be: ctconv.Error and ValueError."""
    return refusal("MISUSE_VALUE", text, name, value, legal)
