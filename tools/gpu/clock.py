# SPDX-License-Identifier: Apache-2.0
"""Time on a CUDA stream: samples of several contenders that take turns, launched one by one and as CUDA graphs.

in:  contenders, functions that enqueue n calls on the clock's stream
out: microseconds per call: `stream` (between two events), `host` (until the last launch returned), `graph` (replay)
A sample is N calls that last about sample_ms. Contenders alternate: every round times each of them once; medians of the
rounds count. A graph holds at least one call of every set of buffers, and is replayed as often as fills a sample.
"""

import statistics
import time

import torch

ROUNDS = 5


def settings(device):
    """Facts of the device that protocols depend on."""
    properties = torch.cuda.get_device_properties(device)
    return properties.name, getattr(properties, "L2_cache_size", 0) or 50 << 20


class Clock:
    def __init__(self, sample_ms):
        self.stream, self.sample = torch.cuda.Stream(), 1e-3 * sample_ms
        self.begin, self.end = (torch.cuda.Event(enable_timing=True) for _ in range(2))

    def timed(self, function):
        """Seconds on the device, seconds of the host until function() returned."""
        self.begin.record(self.stream)
        start = time.perf_counter()
        function()
        host = time.perf_counter() - start
        self.end.record(self.stream)
        self.end.synchronize()
        return 1e-3 * self.begin.elapsed_time(self.end), host

    def launched(self, contenders, graphs_too, sets, least=2):
        """{name: {"stream", "host", "graph" in us, "no_graph": why}}"""
        counts, found = {}, {}
        for name, enqueue in contenders.items():
            enqueue(3)
            first = self.timed(lambda e=enqueue: e(5))[0] / 5
            counts[name] = int(min(300, max(least, self.sample / max(first, 1e-7))))
        rounds = {name: [] for name in contenders}
        for _ in range(ROUNDS):
            for name, enqueue in contenders.items():
                rounds[name].append(self.timed(lambda e=enqueue, n=counts[name]: e(n)))
        for name, n in counts.items():
            device, host = (1e6 * statistics.median(pair[i] for pair in rounds[name]) / n for i in (0, 1))
            found[name] = {"stream": device, "host": host}
        if graphs_too:
            self._replayed(contenders, found, sets)
        return found

    def _replayed(self, contenders, found, sets):
        graphs, replays = {}, {}
        for name, enqueue in contenders.items():
            n = int(max(sets, 2, min(100, 1e6 * self.sample / found[name]["stream"])))
            try:
                graphs[name] = self.captured(lambda e=enqueue, n=n: e(n)), n
                once = self.timed(graphs[name][0].replay)[0]
                once = min(once, self.timed(graphs[name][0].replay)[0])
                replays[name] = int(max(1, min(50, self.sample / max(once, 1e-7))))
            except Exception as error:  # torch's or ours: no graph, but the times above stand
                graphs.pop(name, None)
                found[name]["no_graph"] = str(error).splitlines()[0]
        rounds = {name: [] for name in graphs}
        for _ in range(ROUNDS):
            for name, (graph, n) in graphs.items():

                def again(graph=graph, times=replays[name]):
                    for _ in range(times):
                        graph.replay()

                rounds[name].append(self.timed(again)[0] / (n * replays[name]))
        for name, seconds in rounds.items():
            found[name]["graph"] = 1e6 * statistics.median(seconds)

    def captured(self, function):
        """A CUDA graph of function(). Not torch.cuda.graph: that collects garbage and empties torch's cache each
        time."""
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        graph.capture_begin(capture_error_mode="thread_local")
        try:
            function()
        except BaseException:
            try:
                graph.capture_end()
            except RuntimeError:  # the capture is void; what voided it is raised below
                pass
            raise
        graph.capture_end()
        return graph


def ceilings(clock, size=8192, bytes_copied=1 << 30):
    """What the device gives: matrix products, a copy (bytes read and written), a launch of one small kernel."""
    found = {"peaks": {}}
    rounds = []
    for name, dtype, tf32 in (
        ("f32", torch.float32, False),
        ("tf32", torch.float32, True),
        ("f16", torch.float16, True),
        ("bf16", torch.bfloat16, True),
    ):
        torch.backends.cuda.matmul.allow_tf32 = tf32
        a, b = (torch.rand(size, size, device=clock.stream.device).sub_(0.5).to(dtype) for _ in range(2))
        c = torch.mm(a, b)
        seconds = [clock.timed(lambda a=a, b=b, c=c: torch.mm(a, b, out=c))[0] for _ in range(6)]
        found["peaks"][name] = 2 * size**3 / statistics.median(seconds)
    source = torch.rand(bytes_copied // 4, device=clock.stream.device)
    target = torch.empty_like(source)
    for _ in range(7):
        rounds.append(clock.timed(lambda: target.copy_(source))[0])
    found["copy_bytes_per_second"] = 2 * source.numel() * 4 / statistics.median(rounds)
    small = target[:32]

    def launches(n):
        for _ in range(n):
            small.add_(1)

    small_kernel = clock.launched({"launch": launches}, True, 50)["launch"]
    found["launch_us"], found["graph_launch_us"] = small_kernel["stream"], small_kernel.get("graph")
    return found
