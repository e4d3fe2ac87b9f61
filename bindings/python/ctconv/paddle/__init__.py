# SPDX-License-Identifier: Apache-2.0
"""Paddle's transposed convolutions: ctconv.paddle.nn and ctconv.paddle.nn.functional."""

from . import nn  # noqa: F401
