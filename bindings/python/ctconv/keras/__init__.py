"""Keras's transposed convolutions: ctconv.keras.layers."""

from . import layers  # noqa: F401
