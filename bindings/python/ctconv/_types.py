# SPDX-License-Identifier: Apache-2.0
"""Names for the annotations of public functions. Arrays are numpy's, or anything with DLPack or a buffer: Any."""

from __future__ import annotations

from typing import Any, Dict, Sequence, Union

Array = Any
Size = Union[int, Sequence[int]]
Padding = Union[int, str, Sequence[Any]]
Arguments = Dict[str, Any]
