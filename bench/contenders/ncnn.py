# SPDX-License-Identifier: Apache-2.0
"""ncnn: a net of one Deconvolution (1D, 3D, DepthWise), its parameters and weights as ncnn's own two files.

Channels-first, one image at a time; uneven padding and output padding are its own, so are depthwise layers and groups.
It packs channels inside the call and unpacks y, which is memory of its own pool, new in every call: it is set against
`ctconv.alloc`. x is handed over as it lies. float32 only: its 16-bit storage is a matter inside the net, x and y stay
float32.
"""

import ncnn
import numpy as np

from contenders.base import Contender, Refused

# Parameter numbers of the axes, innermost first: extents, dilations, strides, crops, output padding.
KERNEL, DILATION, STRIDE, BEFORE, AFTER, EXTRA = (
    (1, 11, 21),
    (2, 12, 22),
    (3, 13, 23),
    (4, 14, 24),
    (15, 16, 17),
    (18, 19, 20),
)
NAMES = {1: "Deconvolution{}1D", 2: "Deconvolution{}", 3: "Deconvolution{}3D"}


def start(setting):
    if setting.layout == "last":
        raise RuntimeError("channels-first only")
    if setting.dtype != "f32":
        raise RuntimeError("x and y are float32 whatever is stored inside")
    return {"ncnn": ncnn.__version__}


def text_of(layer):
    """The net's structure."""
    kind = NAMES[layer.rank].format("DepthWise" if layer.g > 1 else "")
    numbers = {0: layer.cout, 5: int(layer.bias), 6: int(np.prod(layer.w_shape))}
    if layer.g > 1:
        numbers[7] = layer.g
    for keys, values in (
        (KERNEL, layer.k),
        (DILATION, layer.d),
        (STRIDE, layer.s),
        (BEFORE, layer.lo),
        (AFTER, layer.hi),
        (EXTRA, layer.op),
    ):
        numbers |= dict(zip(keys, reversed(values)))
    words = " ".join(f"{key}={value}" for key, value in sorted(numbers.items()))
    return f"7767517\n2 2\nInput in 0 1 x\n{kind} layer 1 1 x y {words}\n"


class Ncnn(Contender):
    pays_for_y = "alloc"

    def __init__(self, layer, operands, setting):
        super().__init__("ncnn")
        self.layer, self.setting, self.operands = layer, setting, operands

    def setup(self):
        layer = self.layer
        if layer.n > 1:
            raise Refused("one image at a time")
        files = [self.setting.scratch / f"ncnn.{end}" for end in ("param", "bin")]
        files[0].write_text(text_of(layer))
        w = self.operands.w.reshape(layer.g, layer.cin // layer.g, layer.cout // layer.g, -1).swapaxes(1, 2)
        with open(files[1], "wb") as f:
            f.write(bytes(4))  # raw float32
            np.ascontiguousarray(w).tofile(f)
            if layer.bias:
                self.operands.b.tofile(f)
        self.net = ncnn.Net()
        self.net.opt.num_threads = self.setting.threads
        self.net.opt.use_vulkan_compute = False
        try:
            if self.net.load_param(str(files[0])) or self.net.load_model(str(files[1])):
                raise Refused("the net cannot be loaded")
        finally:
            for file in files:
                file.unlink()
        self.x = ncnn.Mat(self.operands.x[0])

    def once(self):
        self.y = None
        runner = self.net.create_extractor()
        runner.input("x", self.x)
        status, self.y = runner.extract("y")
        if status:
            raise RuntimeError(f"ncnn: status {status}")

    def result(self):
        return np.array(self.y)[None]

    def close(self):
        self.net = self.x = self.y = self.operands = None


def make(layer, operands, setting):
    return [Ncnn(layer, operands, setting)]
