# SPDX-License-Identifier: Apache-2.0
"""torch with a CUDA device that is the CPU: what tools/gpu does on a device, run where there is none.

in:  this folder on PYTHONPATH, so that Python imports it first;   out: torch.cuda of stand-ins, "cuda" means the CPU
With CTCONV_CUDA_MODULE = ctconv_host_module.so the library's device memory is the host's as well, so that results are
right. Times and ceilings are meaningless here; a graph replays nothing.
CTCONV_REHEARSAL_WRONG=1: torch's results are off by a tenth. CTCONV_REHEARSAL_DEATH=LAYER:
the process ends in that layer.
"""

import os
import sys
import time

if any(name.endswith(("compare_torch.py", "rehearsal_test.py")) for name in getattr(sys, "orig_argv", [])):
    import torch

    class Stream:
        device, cuda_stream = torch.device("cpu"), 0x40

        def __init__(self, *_, **__):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    class Event:
        def __init__(self, enable_timing=False):
            self.at = 0.0

        def record(self, stream=None):
            self.at = time.perf_counter()

        def synchronize(self):
            pass

        def elapsed_time(self, end):
            return 1e3 * (end.at - self.at)

    class Graph:
        """Holds nothing: a replay costs nothing."""

        def capture_begin(self, pool=None, capture_error_mode="global"):
            assert capture_error_mode in ("global", "thread_local", "relaxed")

        def capture_end(self):
            pass

        def replay(self):
            time.sleep(1e-5)

    class Properties:
        name, L2_cache_size = "stand-in", 1 << 16

    def _here(function):
        def call(*args, device=None, **kwargs):
            return function(*args, **kwargs)

        return call

    torch.rand, torch.empty = _here(torch.rand), _here(torch.empty)
    product = torch.mm
    torch.mm = lambda a, b, out=None: product(a[:8, :8], b[:8, :8])
    cuda = torch.cuda
    cuda.Stream, cuda.Event, cuda.CUDAGraph = Stream, Event, Graph
    cuda.stream = lambda stream: stream
    cuda.is_available, cuda.synchronize, cuda.empty_cache = lambda: True, lambda *_: None, lambda: None
    torch.backends.cudnn.version = lambda: 92000
    if os.environ.get("CTCONV_REHEARSAL_WRONG"):
        for name in ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"):
            right = getattr(torch.nn.functional, name)
            setattr(torch.nn.functional, name, lambda *a, right=right, **k: right(*a, **k) * 1.1)
    deadly = os.environ.get("CTCONV_REHEARSAL_DEATH")
    if deadly and "--worker" in sys.orig_argv:
        import pathlib

        sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools" / "gpu"))
        import contest

        row = contest.Contest.row
        contest.Contest.row = lambda self, layer, *a: os._exit(9) if layer["id"] == deadly else row(self, layer, *a)
    cuda.get_device_properties, cuda.memory_reserved = lambda *_: Properties, lambda *_: 0
