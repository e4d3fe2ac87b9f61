# SPDX-License-Identifier: Apache-2.0
"""One configuration (layer, type, order of axes): PyTorch and libctconv in turn, in one process, on one stream.

in:  a layer of bench/layers.json, a type of TYPES, "first" or "last"
out: a row: times of torch, auto and measured (us), what ours differs from torch (largest difference over largest
     value), kernels
Random data. Buffers rotate over more than 4 x L2 (at most 64 sets, at least 2), for both: torch allocates its y in
every call and the y of as many earlier calls are still held; ours writes y tensors that exist.
The same order of axes in and out on both sides.
refuses: Skipped, with the reason: what torch cannot say, and channels_last of rank 3 tensors, which torch has not.
"""

import time

import ours
import torch

TYPES = {"f32": torch.float32, "tf32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
# Against torch, over the largest |y|: the operands are rounded alike, the order of sums differs,
# f16 and bf16 round y up to twice.
BOUNDS = {"f32": 1e-4, "tf32": 5e-3, "f16": 5e-3, "bf16": 3e-2}
MEMORY = {
    ("first", 1): torch.contiguous_format,
    ("first", 2): torch.contiguous_format,
    ("first", 3): torch.contiguous_format,
    ("last", 2): torch.channels_last,
    ("last", 3): torch.channels_last_3d,
}
FUNCTIONS = {
    1: torch.nn.functional.conv_transpose1d,
    2: torch.nn.functional.conv_transpose2d,
    3: torch.nn.functional.conv_transpose3d,
}


class Skipped(Exception):
    pass


def words(layer):
    """The layer in torch's words: keyword arguments of conv_transposeNd, and of torch.nn.ConvTransposeNd."""
    op = layer["op"]
    if layer["p_begin"] != layer["p_end"]:  # torch pads alike on both sides; output_padding stands for a shorter end
        shift = [b - e for b, e in zip(layer["p_begin"], layer["p_end"])]
        if any(s < 0 for s in shift):
            raise Skipped("uneven pads that torch cannot say")
        op = [o + s for o, s in zip(op, shift)]
    if any(o >= max(s, d) for o, s, d in zip(op, layer["s"], layer["d"])):
        raise Skipped("output_padding that torch refuses")
    call = {
        "stride": layer["s"],
        "padding": layer["p_begin"],
        "output_padding": op,
        "groups": layer["g"],
        "dilation": layer["d"],
    }
    module = {name: tuple(v) if isinstance(v, list) else v for name, v in call.items()}
    module.update(
        in_channels=layer["cin"], out_channels=layer["cout"], kernel_size=tuple(layer["k"]), bias=bool(layer["bias"])
    )
    return call, module


class Torch:
    """conv_transposeNd on rotating x; holds the y of the last `sets` calls."""

    def __init__(self, rank, xs, weight, bias, call):
        self.function, self.xs, self.weight, self.bias, self.call = FUNCTIONS[rank], xs, weight, bias, call
        self.ring, self.turn = [None] * len(xs), 0

    def enqueue(self, n):
        function, xs, weight, bias, call, ring, sets = (
            self.function,
            self.xs,
            self.weight,
            self.bias,
            self.call,
            self.ring,
            len(self.xs),
        )
        for i in range(self.turn, self.turn + n):
            ring[i % sets] = function(xs[i % sets], weight, bias, **call)
        self.turn = (self.turn + n) % sets


def random(shape, dtype, device, memory):
    return torch.rand(shape, device=device).mul_(2).sub_(1).to(dtype).contiguous(memory_format=memory)


class Contest:
    def __init__(self, clock, l2, repeat, device="cuda", graphs=True, benchmark=True):
        self.clock, self.l2, self.repeat, self.device, self.graphs = clock, l2, repeat, device, graphs
        torch.backends.cudnn.benchmark = benchmark

    def operands(self, layer, kind, order):
        rank = len(layer["in"])
        if (order, rank) not in MEMORY:
            raise Skipped("torch has no channels_last of rank 3 tensors")
        memory, dtype = MEMORY[order, rank], TYPES[kind]
        x = random([layer["n"], layer["cin"], *layer["in"]], dtype, self.device, memory)
        weight = random([layer["cin"], layer["cout"] // layer["g"], *layer["k"]], dtype, self.device, memory)
        bias = random([layer["cout"]], dtype, self.device, torch.contiguous_format) if layer["bias"] else None
        return rank, memory, x, weight, bias

    def row(self, layer, kind, order):
        """The measured row, without the names of the configuration."""
        start = time.perf_counter()
        call, module = words(layer)
        rank, memory, x, weight, bias = self.operands(layer, kind, order)
        torch.backends.cudnn.allow_tf32 = kind != "f32"
        out = {}
        want = None
        try:
            first = time.perf_counter()
            want = FUNCTIONS[rank](x, weight, bias, **call)  # searches, where benchmark is on
            torch.cuda.synchronize()
            out["torch_first_ms"] = 1e3 * (time.perf_counter() - first)
            shape = want.shape
        except RuntimeError as error:
            out["torch_error"] = str(error).splitlines()[0]
            shape = ours.ctconv.Layer(f"torch.nn.ConvTranspose{rank}d", module, None, device="cpu").output_shape(
                x.shape
            )
        y = torch.empty(shape, dtype=x.dtype, device=self.device, memory_format=memory)
        sets = int(max(2, min(64, 4 * self.l2 // ((x.numel() + y.numel()) * x.element_size()) + 1)))
        xs = [x] + [x.clone(memory_format=torch.preserve_format) for _ in range(sets - 1)]
        ys = [y] + [torch.empty_like(y, memory_format=torch.preserve_format) for _ in range(sets - 1)]
        contenders, made = {}, {}
        if want is not None:
            contenders["torch"] = Torch(rank, xs, weight, bias, call).enqueue
        for name, tuning in (("auto", None), ("measured", "measure")):
            try:
                made[name] = self.contender(out, name, rank, module, weight, bias, xs, ys, kind, tuning)
                self.verify(out, name, kind, made[name], ys[0], want)
                contenders[name] = made[name].enqueue
            except ours.ctconv.Error as error:
                out[name + "_error"] = f"{error.status} {error}"
        del want
        for name, times in self.clock.launched(contenders, self.graphs, sets).items():
            out[name] = times
        out["sets"], out["took_ms"] = sets, 1e3 * (time.perf_counter() - start)
        return out

    def contender(self, out, name, rank, module, weight, bias, xs, ys, kind, tuning):
        start = time.perf_counter()
        made = ours.Contender(
            f"torch.nn.ConvTranspose{rank}d",
            module,
            weight,
            bias,
            xs,
            ys,
            self.clock.stream.cuda_stream,
            self.repeat,
            tuning=tuning,
            allow_tf32=kind == "tf32",
        )
        out[name + "_first_ms"] = 1e3 * (time.perf_counter() - start)
        facts = made.described()
        out[name + "_form"], out[name + "_workspace"] = facts.get("form", ""), made.workspace_bytes
        if tuning:
            out["why"] = facts.get("why", "")
        return made

    def verify(self, out, name, kind, made, y, want):
        """A y that is all NaN before the call, against torch's."""
        y.fill_(float("nan"))
        made.turn = 0
        made.enqueue(1)
        if want is None:
            out[name + "_diff"] = None if bool(torch.isfinite(y).all()) else float("inf")
            return
        scale = want.abs().max().float()
        diff = float((y - want).abs().max().float() / scale.clamp(min=1e-30))
        out[name + "_diff"] = diff if diff == diff else float("inf")
        if not out[name + "_diff"] <= BOUNDS[kind]:
            out["wrong"] = out.get("wrong", []) + [name]
