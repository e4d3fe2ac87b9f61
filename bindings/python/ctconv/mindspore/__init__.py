# SPDX-License-Identifier: Apache-2.0
"""MindSpore's transposed convolutions: ctconv.mindspore.nn and ctconv.mindspore.ops."""

from . import nn, ops  # noqa: F401
