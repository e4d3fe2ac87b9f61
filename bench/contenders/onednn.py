"""oneDNN's deconvolution primitive through bench_onednn, one process per kind of use.

layout first: "onednn" its own nc* implementation, "onednn.e2e" reorders to and from an n*c primitive in every call.
layout last:  "onednn" n*c in and out. Weights packed once, y and scratchpad reused. x, weight, bias and y lie in the
run's type; what has no kernel of that type is refused by oneDNN itself.
Times are taken inside that process.
"""

import subprocess

import numpy as np

from contenders.base import Contender, Refused, element

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
        _children[mode] = held = _Child(str(setting.build / "bench_onednn"), setting.threads)
    return held


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

    def setup(self):
        layer = self.layer
        with open(self.file, "wb") as f:
            for a in (self.operands.x_first, self.operands.w, self.operands.b):
                if a is not None:
                    a.tofile(f)
        hi = [h - op for h, op in zip(layer.hi, layer.op)]
        words = [
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

    def result(self):
        try:
            child(self.setting, self.mode).ask(f"fetch {self.file}")
            return np.fromfile(self.file, element(self.setting.dtype)).reshape(self.layer.y_shape)
        finally:
            self.file.unlink(missing_ok=True)

    def facts(self):
        return {"form": self.implementation, "create_s": self.ready_s, "extra_bytes": self.extra}

    def close(self):
        child(self.setting, self.mode).ask("drop")


def make(layer, operands, setting):
    if setting.layout == "last":
        return [OneDNN("onednn", "last", layer, operands, setting)]
    return [OneDNN("onednn", "first", layer, operands, setting), OneDNN("onednn.e2e", "e2e", layer, operands, setting)]
