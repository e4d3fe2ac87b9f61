# SPDX-License-Identifier: Apache-2.0
"""oneDNN's primitives through bench_onednn, one process per kind of use: deconvolution; dx: the convolution over dy,
which its deconvolution runs inside; dw and db: deconvolution backward weights by bench_onednn_training.

layout first: "onednn" its own nc* implementation, "onednn.e2e" reorders to and from an n*c primitive in every call.
layout last:  "onednn" n*c in and out. Weights packed once, y and scratchpad reused. x, weight, bias and y lie in the
run's type; what has no kernel of that type is refused by oneDNN itself.
Of gradients the weight lies as the layer has it; reorders of it to and from what the primitive wants are in the call.
Times are taken inside that process.
"""

import math
import subprocess

import numpy as np

from contenders.base import Contender, Refused, element

PASSES = ("fwd", "dgrad", "wgrad")
_children = {}


class _Child:
    def __init__(self, program, threads):
        self.process = subprocess.Popen(
            [program, str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise Refused(f"bench_onednn ended with {self.process.wait()}")
        if not answer.startswith("ok"):
            raise Refused(answer.strip())
        return answer.split()[1:]


def child(setting, mode):
    held = _children.get(mode)
    if held is None or held.process.poll() is not None:
        _children[mode] = held = _Child(str(program(setting)), setting.threads)
    return held


def program(setting):
    """The one that links a oneDNN built for training, where it is needed and there."""
    training = setting.build / "bench_onednn_training"
    return training if setting.which_pass == "wgrad" and training.exists() else setting.build / "bench_onednn"


def pids():
    return [c.process.pid for c in _children.values() if c.process.poll() is None]


def stop():
    for held in _children.values():
        held.process.stdin.close()
        held.process.wait()
    _children.clear()


def start(setting):
    if setting.build is None or not (setting.build / "bench_onednn").exists():
        raise ImportError("bench_onednn is not built (oneDNN was not found when the project was built)")
    version, runtime = child(setting, "e2e" if setting.layout == "first" else "last").ask("version")
    return {"onednn": f"{version} ({runtime})"}


class OneDNN(Contender):
    def __init__(self, name, mode, layer, operands, setting):
        super().__init__(name)
        self.mode, self.layer, self.operands, self.setting = (mode, layer, operands, setting)
        self.file = setting.scratch / f"onednn-{mode}.bin"

    def read(self):
        held, which = self.operands, self.setting.which_pass
        if which == "fwd":
            return held.x_first, held.w, held.b
        return (held.dy_first, held.w) if which == "dgrad" else (held.x_first, held.dy_first)

    def setup(self):
        layer = self.layer
        with open(self.file, "wb") as f:
            for a in self.read():
                if a is not None:
                    a.tofile(f)
        hi = [h - op for h, op in zip(layer.hi, layer.op)]
        words = [
            self.setting.which_pass,
            self.mode,
            self.setting.dtype,
            layer.rank,
            layer.n,
            layer.cin,
            layer.cout,
            layer.g,
            int(layer.bias),
            *layer.i,
            *layer.o,
            *layer.k,
            *layer.s,
            *layer.d,
            *layer.lo,
            *hi,
            self.file,
        ]
        try:
            answer = child(self.setting, self.mode).ask("make " + " ".join(map(str, words)))
        finally:
            self.file.unlink()
        self.operands = None
        self.ready_s, self.extra, self.implementation = (
            float(answer[0]) + float(answer[1]),
            int(answer[2]),
            " ".join(answer[3:]),
        )

    def time(self, calls):
        return float(child(self.setting, self.mode).ask(f"time {calls}")[0])

    def results(self):
        layer, which = self.layer, self.setting.which_pass
        shapes = {"fwd": [layer.y_shape], "dgrad": [layer.x_shape], "wgrad": [layer.w_shape, (layer.cout,)]}[which]
        try:
            child(self.setting, self.mode).ask(f"fetch {self.file}")
            whole, found = np.fromfile(self.file, element(self.setting.dtype)), []
            for shape in shapes[: None if layer.bias else 1]:
                found.append(whole[: math.prod(shape)].reshape(shape))
                whole = whole[math.prod(shape) :]
            return found
        finally:
            self.file.unlink(missing_ok=True)

    def result(self):
        return self.results()[0]

    def facts(self):
        return {"form": self.implementation, "create_s": self.ready_s, "extra_bytes": self.extra}

    def close(self):
        child(self.setting, self.mode).ask("drop")


def make(layer, operands, setting):
    if setting.layout == "last":
        return [OneDNN("onednn", "last", layer, operands, setting)]
    return [OneDNN("onednn", "first", layer, operands, setting), OneDNN("onednn.e2e", "e2e", layer, operands, setting)]
