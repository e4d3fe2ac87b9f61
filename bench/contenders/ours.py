# SPDX-License-Identifier: Apache-2.0
"""libctconv through its Python binding, dialect "ctconv": `auto` with a reused and with a new y,
and every engine forced.

`ctconv` writes into y given as out=; `ctconv.alloc` makes a new y in every call, as PyTorch does, without the pool that
keeps the pages of large results (ctconv.pool); `ctconv.c` calls the
C function without Python's part, as oneDNN's program calls its primitive. `ctconv.same` asks for reproducible = 1. A
forced engine is timed only where `auto` took another; these two take no part in the ratios to the peers.
Gradients: our_gradients.py.
"""

import ctconv
import ctconv._layer
import numpy as np

from contenders import our_gradients
from contenders.base import Contender, Refused, as_first

PASSES = ("fwd", "dgrad", "wgrad")


def start(setting):
    del setting
    ctconv.pool.set_limit(0)
    info = dict(line.split(": ", 1) for line in ctconv.build_info().splitlines() if ": " in line)
    return {
        "ctconv": ctconv.version,
        "ctconv.compiler": info.get("compiler", ""),
        "ctconv.cpu": info.get("cpu", ""),
        "ctconv.onednn": info.get("onednn", ""),
    }


def arguments(layer, setting):
    return dict(
        in_channels=layer.cin,
        out_channels=layer.cout,
        groups=layer.g,
        kernel_size=tuple(layer.k),
        stride=tuple(layer.s),
        dilation=tuple(layer.d),
        pad_begin=tuple(layer.lo),
        pad_end=tuple(layer.hi),
        output_padding=tuple(layer.op),
        data_format="channels_" + setting.layout,
        bias=layer.bias,
    )


class Ours(Contender):
    def __init__(self, name, layer, operands, setting, engine=None, alloc=False, reproducible=0):
        super().__init__(name)
        self.layer, self.setting, self.engine = layer, setting, engine
        self.pays_for_y, self.reproducible = "alloc" if alloc else "reuse", reproducible
        self.args = arguments(layer, setting)
        self.x, self.w, self.b, self.y = (operands.x, operands.w, operands.b, None if alloc else operands.y)

    def setup(self):
        try:
            self.op = ctconv.Layer(
                "ctconv",
                self.args,
                self.w,
                self.b,
                engine=self.engine,
                threads=self.setting.threads,
                reproducible=self.reproducible,
            )
            self.op.prepare(self.x.shape)
        except ctconv.Error as error:
            raise Refused(str(error)) from None

    def once(self):
        if self.pays_for_y == "reuse":
            self.op(self.x, out=self.y)
        else:
            self.y = None
            self.y = self.op(self.x)

    def result(self):
        return self.y if self.setting.layout == "first" else as_first(self.y)

    def facts(self):
        lines = dict(line.split(": ", 1) for line in self.op.describe(self.x.shape).splitlines() if ": " in line)
        keep = {key: lines.get(key, "") for key in ("engine", "form")}
        keep |= {key: int(lines.get(key, 0)) for key in ("workspace_bytes", "packed_bytes")}
        keep["estimated_ms"] = float(lines.get("estimated_ms", 0) or 0)
        return keep

    def close(self):
        self.op = self.x = self.w = self.y = None


class FromC(Ours):
    """ctconv_execute itself with records made before, as a C program calls it."""

    def setup(self):
        super().setup()
        slot, _ = self.op._prepare_call(self.x, ctconv._layer._UNSET, None, None, self.y, None)
        self.workspace = np.empty(slot.workspace_bytes + 64, np.uint8)
        slot.call.workspace, slot.call.workspace_bytes = (self.workspace.ctypes.data, slot.workspace_bytes)
        self.slot = slot

    def once(self):
        status = ctconv._layer._execute(*self.slot.arguments)
        if status:
            raise RuntimeError(f"ctconv_execute: status {status}")

    def close(self):
        self.slot = self.workspace = None
        super().close()


def make(layer, operands, setting):
    engines = setting.engines
    if engines is None:
        engines = [e for e in ctconv.engines() if e not in ("reference", "cuda", "cudnn")]
    if setting.which_pass != "fwd":
        return our_gradients.make(layer, operands, setting, arguments(layer, setting), engines)
    out = [
        Ours("ctconv", layer, operands, setting),
        Ours("ctconv.alloc", layer, operands, setting, alloc=True),
        FromC("ctconv.c", layer, operands, setting),
        Ours("ctconv.same", layer, operands, setting, reproducible=1),
    ]
    return out + [Ours("ctconv." + engine, layer, operands, setting, engine) for engine in engines]
