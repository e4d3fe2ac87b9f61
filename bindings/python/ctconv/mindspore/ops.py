# SPDX-License-Identifier: Apache-2.0
"""mindspore.ops.Conv3DTranspose (2.10): a primitive without parameters; weight comes with every call."""

from .._desc import check
from .._layer import Layer
from .._module import constructor, given


class Conv3DTranspose:
    """Same signature as the original. Call: (dout, weight, bias=None); a bias is refused, as documented."""

    _dialect = "mindspore.ops.Conv3DTranspose"

    @constructor
    def __init__(
        self,
        in_channel,
        out_channel,
        kernel_size,
        mode=1,
        pad_mode="valid",
        pad=0,
        stride=1,
        dilation=1,
        group=1,
        output_padding=0,
        data_format="NCDHW",
    ):
        pass

    def _setup(self, arguments, signature):
        self._args, self.options, self._layer = given(signature, arguments), {}, None
        check(self._dialect, self._args)

    def __getstate__(self):
        return {**self.__dict__, "_layer": None}

    def configure(self, **options):
        """Sets Layer options; returns self."""
        self.options.update(options)
        self._layer = None
        return self

    def __call__(self, dout, weight, bias=None, *, out=None):
        if self._layer is None:
            self._layer = Layer(self._dialect, self._args, None, **self.options)
        return self._layer(dout, weight=weight, bias=bias, out=out)
