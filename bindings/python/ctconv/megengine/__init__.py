# SPDX-License-Identifier: Apache-2.0
"""MegEngine's transposed convolutions: ctconv.megengine.module, also reachable here."""

from . import module  # noqa: F401
from .module import ConvTranspose2d, ConvTranspose3d  # noqa: F401
