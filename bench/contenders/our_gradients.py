# SPDX-License-Identifier: Apache-2.0
"""libctconv's gradients: `Layer.backward`, or ctconv_backward with records made before.

The weight comes with every call, as in training, where each step changes it: packing it belongs to the call. `ctconv`
writes into arrays given as out=; `ctconv.alloc` makes new ones in every call, as PyTorch does; `ctconv.c` calls the C
function with a workspace that stays, as oneDNN's program keeps its scratchpad.
"""

import ctconv
import numpy as np
from ctconv import _abi, _backward

from contenders.base import Contender, Refused, as_first


class OurGradients(Contender):
    def __init__(self, name, layer, operands, setting, args, engine=None, alloc=False, reproducible=0):
        super().__init__(name)
        self.args, self.setting, self.engine, self.reproducible = (args, setting, engine, reproducible)
        self.pays_for_y = "alloc" if alloc else "reuse"
        self.want = tuple(operands.written)
        self.dy, self.x, self.w = operands.dy, operands.x, operands.w
        self.written = None if alloc else operands.written

    def setup(self):
        try:
            self.op = ctconv.Layer(
                "ctconv",
                self.args,
                None,
                engine=self.engine,
                threads=self.setting.threads,
                reproducible=self.reproducible,
            )
            self.lines = dict(
                line.split(": ", 1)
                for line in self.op.backward_describe(self.dy, self.x, self.want, weight=self.w).splitlines()
                if ": " in line
            )
        except ctconv.Error as error:
            raise Refused(str(error)) from None

    def once(self):
        if self.pays_for_y == "reuse":
            self.op.backward(self.dy, self.x, self.want, weight=self.w, out=self.written)
        else:
            self.written = None
            self.written = self.op.backward(self.dy, self.x, self.want, weight=self.w)

    def results(self):
        return [
            as_first(self.written[name]) if name == "dx" and self.setting.layout == "last" else self.written[name]
            for name in self.want
        ]

    def facts(self):
        plan = "dx" if "dx" in self.want else "dw"
        keep = {key: self.lines.get(f"{plan}.{key}", "") for key in ("engine", "form")}
        return keep | {
            "workspace_bytes": int(self.lines["workspace_bytes"]),
            "packed_bytes": int(self.lines.get(f"{plan}.packed_bytes", 0)),
            "estimated_ms": float(self.lines.get(f"{plan}.estimated_ms", 0) or 0),
        }

    def close(self):
        self.op = self.dy = self.x = self.w = self.written = None


class FromC(OurGradients):
    """ctconv_backward itself."""

    def setup(self):
        super().setup()
        tensors = {"y": None, "weight": self.w}
        self.record, self.keep, _ = _backward.record_of(
            self.op, self.dy, self.x, self.want, tensors, None, self.written, False
        )
        self.workspace = np.empty(int(self.lines["workspace_bytes"]) + 64, np.uint8)
        self.record.workspace, self.record.workspace_bytes = (self.workspace.ctypes.data, self.workspace.size)
        self.error = _abi.ErrorRecord()

    def once(self):
        status = _abi.lib.ctconv_backward(self.op._op.handle, self.record, self.error)
        if status:
            raise RuntimeError(f"ctconv_backward: status {status}")

    def close(self):
        self.record = self.keep = self.workspace = None
        super().close()


def make(layer, operands, setting, args, engines):
    """As ours.make. engines: those that are asked for apart from auto."""
    given = (layer, operands, setting, args)
    return [
        OurGradients("ctconv", *given),
        OurGradients("ctconv.alloc", *given, alloc=True),
        FromC("ctconv.c", *given),
        OurGradients("ctconv.same", *given, reproducible=1),
        *(OurGradients("ctconv." + engine, *given, engine=engine) for engine in engines),
    ]
