# SPDX-License-Identifier: Apache-2.0
"""What one call costs in Python: the drop-in module and torch's own module, host time per call with nothing waited for.

in:  the configurations of a comparison;   out: a list of {layer, type, order, torch_us, ours_us} for a spread of layers
The median of 5 runs of 20 calls, alternating; each run begins on an idle device.
ours_us is `module(x)` of ctconv.torch on a CUDA tensor.
"""

import statistics
import time

import contest as contests
import ours
import torch


def _host_us(module, x, calls=20):
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(calls):
        module(x)
    return 1e6 * (time.perf_counter() - start) / calls


def _one(contest, layer, kind, order):
    _, args = contests.words(layer)
    rank, memory, x, weight, bias = contest.operands(layer, kind, order)
    torch.backends.cudnn.allow_tf32 = kind != "f32"
    name = f"ConvTranspose{rank}d"
    theirs = getattr(torch.nn, name)(**args, device=x.device, dtype=x.dtype).to(memory_format=memory)
    mine = getattr(ours.ctconv.torch, name)(**args).configure(
        device=f"cuda:{x.device.index or 0}", allow_tf32=kind == "tf32"
    )
    mine.weight, mine.bias = weight, bias
    for module in (theirs, mine):
        for _ in range(5):
            module(x)
    runs = [(_host_us(theirs, x), _host_us(mine, x)) for _ in range(5)]
    return [statistics.median(run[i] for run in runs) for i in (0, 1)]


def overhead(contest, wanted, most):
    """At most `most` layers, spread evenly over the file; f32 channels-first and f16 channels-last."""
    layers = list({layer["id"]: layer for layer, _, _ in wanted}.values())
    found = []
    for layer in layers[:: max(1, len(layers) // most)][:most]:
        for kind, order in (("f32", "first"), ("f16", "last")):
            row = {"layer": layer["id"], "type": kind, "order": order}
            try:
                row["torch_us"], row["ours_us"] = _one(contest, layer, kind, order)
            except contests.Skipped:
                continue
            except Exception as error:  # one call that fails must not cost the comparison
                row["error"] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            found.append(row)
    return found
