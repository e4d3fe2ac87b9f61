#!/usr/bin/env python3
"""PyTorch eager on the same layers, by the same protocol as ctconv_gpu_run bench.

in:  --layers bench/layers.json --out torch.json [--only SUBSTRING]
out: JSON: matrix-product peaks and, per layer, element type, order of axes, TF32 setting and benchmark mode, stream_us and graph_us

Protocol: random data; buffers rotate over more than 4 x L2 (at most 64 sets); 10 calls of warm-up; 5 samples of N calls
between two events, a sample about 5 ms; the median counts. torch allocates y in every call, as its users do.
contiguous: channels-first; channels_last: memory format of x and weight (2-D and 3-D; torch has none for 1-D).
"""
import argparse
import json
import pathlib
import statistics
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from whole_file import whole  # noqa: E402


def timed(function, stream):
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    with torch.cuda.stream(stream):
        begin.record()
        function()
        end.record()
    end.synchronize()
    return 1e-3 * begin.elapsed_time(end)


def samples(call, stream):
    for _ in range(10):
        with torch.cuda.stream(stream):
            call()
    first = timed(call, stream)
    n = int(min(500, max(5, 5e-3 / max(first, 1e-7))))

    def many():
        for _ in range(n):
            call()

    eager = statistics.median(timed(many, stream) / n for _ in range(5))
    graph_us = None
    try:
        graph = torch.cuda.CUDAGraph()
        torch.cuda.synchronize()
        with torch.cuda.graph(graph, stream=stream):
            many()
        timed(graph.replay, stream)
        graph_us = 1e6 * statistics.median(timed(graph.replay, stream) / n for _ in range(5))
        del graph
    except RuntimeError as e:
        print("no graph:", str(e).splitlines()[0], file=sys.stderr)
    return 1e6 * eager, graph_us


def peaks(stream):
    found = {}
    for name, dtype, tf32 in (("f32", torch.float32, False), ("tf32", torch.float32, True), ("f16", torch.float16, True),
                              ("bf16", torch.bfloat16, True)):
        torch.backends.cuda.matmul.allow_tf32 = tf32
        a, b = (torch.randn(8192, 8192, device="cuda").to(dtype) for _ in range(2))
        us, _ = samples(lambda a=a, b=b: torch.mm(a, b), stream)
        found[name] = 2 * 8192**3 / (1e-6 * us)
        print(f"matrix product {name}: {1e-12 * found[name]:.0f} TFLOP/s", flush=True)
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--layers", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--only", default="")
    a = parser.parse_args()
    if not torch.cuda.is_available():
        print("NOT RUN: this torch sees no CUDA device")
        return 77
    properties = torch.cuda.get_device_properties(0)
    l2 = getattr(properties, "L2_cache_size", 50 << 20)
    stream = torch.cuda.Stream()
    report = {"torch": torch.__version__, "cudnn": torch.backends.cudnn.version(), "device": properties.name, "peaks": peaks(stream), "bench": []}
    function = {1: torch.nn.functional.conv_transpose1d, 2: torch.nn.functional.conv_transpose2d, 3: torch.nn.functional.conv_transpose3d}
    with open(a.layers, encoding="utf-8") as f:
        layers = [l for l in json.load(f) if a.only in l["id"]]
    for l in layers:
        rank = len(l["in"])
        if l["p_begin"] != l["p_end"]:  # torch pads alike on both sides; output_padding stands for a shorter end
            shift = [b - e for b, e in zip(l["p_begin"], l["p_end"])]
            if any(s < 0 for s in shift):
                print(f"{l['id']}: uneven pads that torch cannot say, skipped", flush=True)
                continue
            op = [o + s for o, s in zip(l["op"], shift)]
        else:
            op = l["op"]
        if any(o >= max(s, d) for o, s, d in zip(op, l["s"], l["d"])):
            print(f"{l['id']}: output_padding that torch refuses, skipped", flush=True)
            continue
        for name, dtype in (("f32", torch.float32), ("f16", torch.float16), ("bf16", torch.bfloat16)):
            x0 = torch.rand([l["n"], l["cin"], *l["in"]], device="cuda").mul_(2).sub_(1).to(dtype)
            w0 = torch.rand([l["cin"], l["cout"] // l["g"], *l["k"]], device="cuda").mul_(2).sub_(1).to(dtype)
            bias = torch.rand([l["cout"]], device="cuda").to(dtype) if l["bias"] else None
            arguments = dict(stride=l["s"], padding=l["p_begin"], output_padding=op, groups=l["g"], dilation=l["d"])
            for order in ("first", "last"):
                if order == "last" and rank == 1:
                    continue
                memory = torch.contiguous_format if order == "first" else torch.channels_last if rank == 2 else torch.channels_last_3d
                w = w0.contiguous(memory_format=memory)
                one = x0.contiguous(memory_format=memory)
                y_bytes = function[rank](one, w, bias, **arguments).numel() * one.element_size()
                count = max(2, min(64, 4 * l2 // (one.numel() * one.element_size() + y_bytes) + 1))
                xs = [one] + [one.clone(memory_format=torch.preserve_format) for _ in range(count - 1)]
                for tf32 in (False, True):
                    if tf32 and name != "f32":
                        continue
                    torch.backends.cudnn.allow_tf32 = tf32
                    for benchmark in (True, False):
                        torch.backends.cudnn.benchmark = benchmark
                        turn = [0]

                        def call():
                            x = xs[turn[0] % count]
                            turn[0] += 1
                            return function[rank](x, w, bias, **arguments)

                        try:
                            with torch.no_grad():
                                stream_us, graph_us = samples(call, stream)
                        except RuntimeError as e:
                            print(f"{l['id']} {name} {order}: {str(e).splitlines()[0]}", flush=True)
                            continue
                        report["bench"].append(dict(layer=l["id"], dtype=name, order=order, tf32=tf32, benchmark=benchmark, stream_us=stream_us,
                                                    graph_us=graph_us))
                        print(f"{l['id']:28s} {name:4s} {order:5s} {'tf32' if tf32 else '':5s} {'benchmark' if benchmark else '':9s} {stream_us:10.2f} us"
                              f"  {graph_us or float('nan'):10.2f} us graph", flush=True)
                del xs
        with whole(a.out) as f:
            json.dump(report, f, indent=1)
    with whole(a.out) as f:
        json.dump(report, f, indent=1)
    return 0


sys.exit(main())
