# SPDX-License-Identifier: Apache-2.0
"""Keras's transposed convolutions: ctconv.keras.layers."""

from . import layers  # noqa: F401
