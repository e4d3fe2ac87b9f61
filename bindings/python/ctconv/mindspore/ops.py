# SPDX-License-Identifier: Apache-2.0
"""mindspore.ops.Conv3DTranspose (2.10): a primitive without parameters; weight comes with every call."""

from __future__ import annotations

from typing import Any

from .._desc import check
from .._layer import Layer, configured
from .._module import constructor, given
from .._types import Array, Size


class Conv3DTranspose:
    """Same signature as the original. Call: (dout, weight, bias=None); a bias is refused, as documented."""

    _dialect = "mindspore.ops.Conv3DTranspose"

    @constructor
    def __init__(
        self,
        in_channel: int,
        out_channel: int,
        kernel_size: Size,
        mode: int = 1,
        pad_mode: str = "valid",
        pad: Size = 0,
        stride: Size = 1,
        dilation: Size = 1,
        group: int = 1,
        output_padding: Size = 0,
        data_format: str = "NCDHW",
    ) -> None:
        pass

    def _setup(self, arguments, signature):
        self._args, self.options, self._layer = given(signature, arguments), {}, None
        check(self._dialect, self._args)

    def __getstate__(self):
        return {**self.__dict__, "_layer": None}

    def configure(self, **options: Any) -> Conv3DTranspose:
        """Sets Layer options; returns self."""
        self.options = configured(self.options, options)
        self._layer = None
        return self

    def __call__(self, dout: Array, weight: Array, bias: Array = None, *, out: Array = None) -> Any:
        if self._layer is None:
            self._layer = Layer(self._dialect, self._args, None, **self.options)
        return self._layer(dout, weight=weight, bias=bias, out=out)
