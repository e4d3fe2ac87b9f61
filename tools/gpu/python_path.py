#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Python binding on a CUDA device, against torch: what a user of torch relies on, one line a check.

in:  CTCONV_LIBRARY (the CUDA module beside it, or CTCONV_CUDA_MODULE) [--out python_path.json] [--only SUBSTRING]
     [--no-inductor]
out: "ok NAME" or "FAILED NAME: reason" for each check, the same as JSON; exit status 0, 1 a check failed, 77 no device
Each check runs alone: one that fails, or is refused where it should not be, does not stop the others. A sticky fault of
the device does: what follows is named NOT RUN.
"""

import argparse
import copy
import gc
import json
import pathlib
import sys
import time
import traceback

import torch

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "bindings" / "python"))
sys.path.insert(0, str(HERE.parent))
import ctconv  # noqa: E402
import ctconv.torch  # noqa: E402
from whole_file import whole  # noqa: E402

CUDA = torch.device("cuda", 0)
BOUND = {torch.float64: 1e-12, torch.float32: 1e-5, torch.float16: 4e-3, torch.bfloat16: 3e-2}
# rank, (in, out, kernel), constructor arguments, input shape
CASES = {
    "1d": (1, (16, 12, 5), {"stride": 3, "padding": 1, "output_padding": 1}, (3, 16, 40)),
    "2d": (2, (16, 24, 4), {"stride": 2, "padding": 1}, (2, 16, 13, 17)),
    "2d.groups": (2, (16, 8, 3), {"stride": 2, "groups": 4, "dilation": 2, "padding": 2}, (2, 16, 9, 11)),
    "2d.depthwise": (2, (32, 32, 4), {"stride": 2, "padding": 1, "groups": 32}, (2, 32, 15, 16)),
    "2d.k2s2": (2, (64, 32, 2), {"stride": 2}, (2, 64, 16, 16)),
    "2d.nobias": (2, (8, 3, 4), {"stride": 2, "padding": 1, "bias": False}, (1, 8, 20, 20)),
    "3d": (3, (8, 16, 3), {"stride": 2, "padding": 1, "output_padding": 1}, (2, 8, 6, 7, 5)),
    "3d.k2s2": (3, (32, 16, 2), {"stride": 2}, (1, 32, 8, 8, 8)),
}
LAST = {2: torch.channels_last, 3: torch.channels_last_3d}
checks = {}


def check(*cases):
    """Registers function(case...) under its name and the case's."""

    def keep(function):
        for case in cases or [()]:
            case = case if isinstance(case, tuple) else (case,)
            checks[" ".join([function.__name__, *(str(c).removeprefix("torch.") for c in case)])] = (
                lambda f=function, c=case: f(*c)
            )
        return function

    return keep


def pair(name, dtype=torch.float32, **options):
    """torch's module and ours with the same weights, and an input."""
    rank, sizes, arguments, shape = CASES[name]
    torch.manual_seed(7)
    theirs = getattr(torch.nn, f"ConvTranspose{rank}d")(*sizes, **arguments, device=CUDA, dtype=dtype).requires_grad_(
        False
    )
    mine = getattr(ctconv.torch, f"ConvTranspose{rank}d")(*sizes, **arguments, device="cuda:0").configure(**options)
    mine.weight, mine.bias = theirs.weight.detach(), None if theirs.bias is None else theirs.bias.detach()
    return theirs, mine, torch.rand(shape, device=CUDA).mul_(2).sub_(1).to(dtype)


def equal(got, want, bound=None):
    assert isinstance(got, torch.Tensor), f"{type(got)} and no tensor"
    assert got.device == want.device and got.dtype == want.dtype and got.shape == want.shape, (
        got.device,
        got.dtype,
        got.shape,
        want.shape,
    )
    diff = float((got.double() - want.double()).abs().max() / want.double().abs().max().clamp(min=1e-30))
    assert diff <= (bound or BOUND[want.dtype]), f"differs by {diff:.3g} of the largest value"


def refused(name, function, argument=None):
    try:
        function()
    except ctconv.Error as error:
        assert error.name == "CTCONV_ERR_" + name, f"refused as {error.name}: {error}"
        assert argument is None or error.argument == argument, f"argument {error.argument}: {error}"
        return
    raise AssertionError("not refused")


def captured(function):
    """A graph of function(), which must neither wait nor allocate outside of torch's pool."""
    torch.cuda.synchronize()
    graph, side = torch.cuda.CUDAGraph(), torch.cuda.Stream()
    with torch.cuda.graph(graph, stream=side, capture_error_mode="global"):
        result = function()
    return graph, result


@check(
    *(
        (case, dtype, order)
        for case in CASES
        for dtype in (torch.float32, torch.float16, torch.bfloat16)
        for order in ("first", "last")
        if order == "first" or CASES[case][0] > 1
    )
)
def module(case, dtype, order):
    theirs, mine, x = pair(case, dtype)
    if order == "last":
        x, theirs = (t.to(memory_format=LAST[x.dim() - 2]) for t in (x, theirs))
    with torch.no_grad():
        want = theirs(x)
        for _ in range(2):  # the second call takes the records of the first
            got = mine(x)
            equal(got, want)
    assert got.stride() == want.stride(), f"strides {got.stride()}, torch's {want.stride()}"


@check(*((case, dtype) for case in CASES for dtype in (torch.float32, torch.float16, torch.float64)))
def gradients(case, dtype):
    """Layer.backward beside torch's own: dx, dw, db, then the same added to what is there; on a stream of its own."""
    rank, sizes, arguments, shape = CASES[case]
    torch.manual_seed(8)
    theirs = getattr(torch.nn, f"ConvTranspose{rank}d")(*sizes, **arguments, device=CUDA, dtype=dtype)
    names = ("in_channels", "out_channels", "kernel_size")
    bias = theirs.bias is not None
    layer = ctconv.Layer(
        f"torch.nn.ConvTranspose{rank}d",
        {**dict(zip(names, sizes)), **arguments},
        theirs.weight.detach(),
        theirs.bias.detach() if bias else None,
        device="cuda:0",
    )
    x = torch.rand(shape, device=CUDA, dtype=dtype).mul_(2).sub_(1).requires_grad_()
    y = theirs(x)
    dy = torch.rand_like(y).mul_(2).sub_(1)
    y.backward(dy)
    want = {"dx": x.grad, "dw": theirs.weight.grad, **({"db": theirs.bias.grad} if bias else {})}
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side), torch.no_grad():
        got = layer.backward(dy, x.detach(), want=tuple(want))
        twice = {name: tensor.clone() for name, tensor in got.items()}
        layer.backward(dy, x.detach(), want=tuple(want), out=twice, accumulate=True)
    torch.cuda.synchronize()
    for name, tensor in want.items():
        equal(got[name], tensor, 4 * BOUND[dtype])
        equal(twice[name], 2 * tensor, 4 * BOUND[dtype])


@check("2d", "3d", "1d")
def f64(case):
    theirs, mine, x = pair(case, torch.float64)
    equal(mine(x), theirs(x))


@check("2d", "2d.k2s2", "3d")
def tf32(case):
    theirs, mine, x = pair(case, allow_tf32=True)
    equal(mine(x), theirs(x), 5e-3)


@check()
def measured():
    theirs, mine, x = pair("2d", tuning="measure")
    equal(mine(x), theirs(x))


@check()
def activation():
    theirs, mine, x = pair("2d", activation="relu")
    equal(mine(x), theirs(x).relu())


@check()
def output_size():
    theirs, mine, x = pair("2d")
    for size in ([26, 34], [27, 35]):
        equal(mine(x, size), theirs(x, output_size=size))


@check()
def layer_with_torch_weights():
    theirs, _, x = pair("2d")
    args = {"in_channels": 16, "out_channels": 24, "kernel_size": 4, "stride": 2, "padding": 1}
    for device in ("cuda", "cuda:0"):
        for weight in (theirs.weight, theirs.weight.cpu(), theirs.weight.to(memory_format=torch.channels_last)):
            equal(ctconv.Layer("torch.nn.ConvTranspose2d", args, weight, theirs.bias, device=device)(x), theirs(x))
    late = ctconv.Layer("torch.nn.ConvTranspose2d", args, None, device="cuda")
    equal(late(x, weight=theirs.weight, bias=theirs.bias), theirs(x))


@check()
def zero_copy_and_nothing_kept():
    _, mine, x = pair("2d")
    mine(x)
    torch.cuda.synchronize()
    y = torch.empty_like(mine(x))
    mine(x, out=y)
    gc.collect()
    before, peak = torch.cuda.memory_allocated(), torch.cuda.max_memory_allocated
    torch.cuda.reset_peak_memory_stats()
    assert mine(x, out=y) is y
    extra, room = peak() - before, mine.layer().prepare(x.shape)
    assert extra <= room + 4096, f"{extra} bytes beside a workspace of {room}"
    held = torch.cuda.memory_allocated()
    for _ in range(20):
        mine(x)
    gc.collect()
    assert torch.cuda.memory_allocated() <= held, "calls keep tensors"


@check()
def out_is_a_view():
    theirs, mine, x = pair("2d")
    want = theirs(x)
    wide = torch.full((want.shape[0], want.shape[1] + 5, *want.shape[2:]), 3.0, device=CUDA)
    for _ in range(2):
        mine(x, out=wide[:, 2 : 2 + want.shape[1]])
        equal(wide[:, 2 : 2 + want.shape[1]], want)
    assert bool((wide[:, :2] == 3).all()) and bool((wide[:, -3:] == 3).all()), "written beside out"


@check()
def x_is_a_view():
    theirs, mine, x = pair("2d")
    wide = torch.rand(4, 20, 13, 20, device=CUDA)
    for view in (wide[::2, 1:17, :, 2:19], wide[:, 1:17].transpose(2, 3), x.expand(2, *x.shape[1:]), wide[:, :16, ::2]):
        equal(mine(view), theirs(view.contiguous()))


@check()
def streams_are_followed():
    """Each result depends on a long computation of the same stream just before."""
    theirs, mine, x = pair("2d")
    big = torch.rand(4096, 4096, device=CUDA)
    mine(x)
    want = theirs(x * 2)
    torch.cuda.synchronize()
    for stream in (torch.cuda.default_stream(), torch.cuda.Stream(), torch.cuda.Stream()):
        with torch.cuda.stream(stream):
            late = torch.zeros_like(x)
            for _ in range(10):
                torch.mm(big, big)
            late.copy_(x * 2)
            y = mine(late)
            done = torch.cuda.Event()
            done.record()
        torch.cuda.current_stream().wait_event(done)
        equal(y, want)


@check()
def a_call_returns_before_the_device_is_done():
    _, mine, x = pair("2d")
    big = torch.rand(8192, 8192, device=CUDA)
    mine(x)
    torch.mm(big, big)
    torch.cuda.synchronize()
    done = torch.cuda.Event()
    start = time.perf_counter()
    for _ in range(8):
        torch.mm(big, big)
    mine(x)
    done.record()
    host = time.perf_counter() - start
    assert not done.query(), f"the device was done when the call returned, after {1e3 * host:.2f} ms"
    torch.cuda.synchronize()


@check()
def a_stream_by_number():
    theirs, mine, x = pair("2d")
    stream = torch.cuda.Stream()
    layer = mine.layer()
    for _ in range(2):
        y = layer(x, stream=stream.cuda_stream)
        stream.synchronize()
        equal(y, theirs(x))


@check(
    *(
        (case, dtype)
        for case in ("2d", "2d.k2s2", "2d.depthwise", "3d", "1d")
        for dtype in (torch.float32, torch.float16)
    )
)
def graph(case, dtype):
    theirs, mine, x = pair(case, dtype)
    mine(x)
    recorded, y = captured(lambda: mine(x))
    for factor in (1, -2):
        x.mul_(factor)
        y.fill_(float("nan"))
        recorded.replay()
        torch.cuda.synchronize()
        equal(y, theirs(x))


@check(
    *(("eager", case) for case in ("2d", "3d", "1d")),
    *(("aot_eager", case) for case in ("2d", "3d")),
    ("inductor", "2d"),
)
def compiled(backend, case):
    torch._dynamo.reset()
    theirs, mine, x = pair(case)
    function = torch.compile(lambda v: torch.relu(mine(v + 1)) * 2, backend=backend, fullgraph=True)
    with torch.no_grad():
        for _ in range(2):
            equal(function(x), torch.relu(theirs(x + 1)) * 2)
        if x.dim() == 4:
            last = x.to(memory_format=torch.channels_last)
            equal(function(last), torch.relu(theirs(last + 1)) * 2)


@check()
def compiled_with_a_graph_break():
    torch._dynamo.reset()
    theirs, mine, x = pair("2d")
    layer = mine.layer()
    equal(torch.compile(lambda v: layer(v + 1) * 2, backend="eager")(x), theirs(x + 1) * 2)


@check()
def inside_a_torch_module():
    theirs, mine, x = pair("2d")

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.up = mine

        def forward(self, v):
            return self.up(v).relu()

    equal(Net().eval()(x), theirs(x).relu())


@check()
def gradients_are_refused():
    theirs, mine, x = pair("2d")
    wants = x.clone().requires_grad_()
    refused("MISUSE_TENSOR", lambda: mine(wants))
    refused("MISUSE_TENSOR", lambda: mine(wants * 1))
    refused("MISUSE_TENSOR", lambda: mine(x, out=theirs(x).clone().requires_grad_()))
    for context in (torch.no_grad(), torch.inference_mode()):
        with context:
            y = mine(wants)
            assert not y.requires_grad
    equal(y.clone(), theirs(x))


@check()
def gradients_are_refused_under_compile():
    torch._dynamo.reset()
    _, mine, x = pair("2d")
    refused("MISUSE_TENSOR", lambda: torch.compile(lambda v: mine(v), backend="eager")(x.clone().requires_grad_()))


@check()
def devices_that_differ():
    _, mine, x = pair("2d")
    refused("MISUSE_TENSOR_DEVICE", lambda: mine(x.cpu()), "x")
    refused("MISUSE_TENSOR_DEVICE", lambda: mine(x.cpu().numpy()), "x")
    refused("MISUSE_TENSOR_DEVICE", lambda: mine(x, out=mine(x).cpu()))
    host = copy.deepcopy(mine).cpu()
    refused("MISUSE_TENSOR_DEVICE", lambda: host(x), "x")
    assert host(x.cpu()).shape == tuple(mine(x).shape)
    equal(host.to("cuda")(x), mine(x))
    ordinal = torch.cuda.device_count()
    refused("DEVICE_ORDINAL", lambda: copy.deepcopy(mine).to(f"cuda:{ordinal}")(x))


@check()
def wrong_tensors():
    _, mine, x = pair("2d")
    refused("MISUSE_Y_SHAPE", lambda: mine(x, out=torch.empty(1, 2, 3, 4, device=CUDA)))
    for bad in (x.half(), x.int(), x[:, :3], x[0, 0]):
        try:
            mine(bad)
        except ctconv.Error as error:
            assert error.kind in (1, 2, 3), f"refused as {error.name}"
        else:
            raise AssertionError(f"{bad.dtype} {tuple(bad.shape)} is taken")
    assert mine(x[0]).dim() == 3  # unbatched, as torch takes it


@check()
def an_empty_batch():
    theirs, mine, x = pair("2d")
    assert mine(x[:0]).shape == theirs(x[:0]).shape


@check()
def threads():
    import concurrent.futures

    theirs, mine, x = pair("2d")
    want = theirs(x)
    torch.cuda.synchronize()

    def work(_):
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream), torch.no_grad():
            results = [mine(x) for _ in range(30)]
        stream.synchronize()
        return results

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for results in pool.map(work, range(4)):
            for y in results:
                equal(y, want)


def run(name, function):
    start = time.perf_counter()
    try:
        function()
        torch.cuda.synchronize()
        reason = None
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        said = str(error).splitlines()[0] if str(error) else ''
        reason = f"{type(error).__name__}: {said} ({pathlib.Path(where.filename).name}:{where.lineno})"
    print(f"ok {name}" if reason is None else f"FAILED {name}: {reason}", flush=True)
    return {"check": name, "ok": reason is None, "reason": reason, "seconds": round(time.perf_counter() - start, 3)}


def usable():
    try:
        torch.cuda.synchronize()
        return float(torch.ones(1, device=CUDA).sum()) == 1
    except RuntimeError:
        return False


def written(path, report):
    """The names of the failed checks; the report on disk, so that what a time limit ends is kept."""
    failed = [r["check"] for r in report if not r["ok"]]
    if path:
        with whole(path) as f:
            json.dump(
                {
                    "torch": torch.__version__,
                    "device": torch.cuda.get_device_name(0),
                    "checks": report,
                    "failed": failed,
                },
                f,
                indent=1,
            )
    return failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out")
    parser.add_argument("--only", default="")
    parser.add_argument("--no-inductor", action="store_true")
    a = parser.parse_args()
    if not torch.cuda.is_available():
        print("NOT RUN: this torch sees no CUDA device")
        return 77
    torch.backends.cudnn.allow_tf32 = False
    report = []
    for name, function in checks.items():
        if a.only not in name or (a.no_inductor and "inductor" in name):
            continue
        if name.startswith("tf32"):
            torch.backends.cudnn.allow_tf32 = True
        report.append(run(name, function))
        torch.backends.cudnn.allow_tf32 = False
        if not report[-1]["ok"] and not usable():
            print("NOT RUN: the device is in a fault; the remaining checks")
            report.append(
                {"check": "the device still works", "ok": False, "reason": "sticky fault after " + name, "seconds": 0}
            )
            break
        written(a.out, report)
    failed = written(a.out, report)
    print(f"{len(report)} checks, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
