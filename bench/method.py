# SPDX-License-Identifier: Apache-2.0
"""The text of docs/performance.md that says how its numbers come about."""

METHOD = """## Method

`bench/run full` (or `quick`: the first 22 layers), then `bench/report.py`. Layers: `bench/layers.json`, with the bias
the model has, no activation; x, weight and bias are random. Every contender of a layer runs in the same run, in turns
whose order is shuffled anew in every round. A turn waits until the spinning threads of the others have gone to sleep,
wakes its own library with untimed calls (calls under 20 ms), then times a batch of about 3 ms. The figure is the median
over the turns; a call that takes more than a quarter of the layer's time budget is timed once (`*`); a contender three
times slower than the fastest has three turns. The details are in `bench/timing.py`.

**Disturbance.** A shared machine halves a core for seconds at a time. Between the turns a probe of about 0.2 ms looks
at every core: a loop of nops (the front end) and a loop of multiply-adds. A look is slow where one of them is more than
15 % below the run's best. A turn with a slow look before or behind it is dropped, whoever's it is, and taken again in
the same round; a round counts only where everyone has an undisturbed turn in it. Where fewer than three rounds count,
or other processes took more than 5 % of the machine, the layer is *soft* (`~`). Runs before 2026-11-27 had no probe;
the Intel machine of 2026-11-26 was shared and at times disturbed: its ratios were taken alternating, its absolute
figures are soft. More: [decisions/bench-peers.md](decisions/bench-peers.md).

**Two runs.** A layer counts as behind where two runs of one revision say so. The second may hold only the layers that
were behind in the first (`bench/run again`); means rest on whole runs alone. The worst of a series is sought among each
layer's better ratio.

**Cliffs.** Legal layers that take more than 20 times what the machine needs, with the reason of each kind:
[decisions/cost-audit.md](decisions/cost-audit.md). The choice of `auto` over all layers stands there too.

**Types.** x, weight, bias and y lie in the run's type for everyone. PyTorch, oneDNN, OpenVINO and JAX are asked in that
type; what each computes in is its own matter (on a processor without f16 arithmetic OpenVINO, JAX and ONNX Runtime
compute f16 layers in float32, inside the call; the form in the results says it). ONNX Runtime has no bf16 layer;
LiteRT, ncnn and MNN take float32 only.

- **Same layout in and out for everyone.** Channels-first: dense (n, c, axes). Channels-last: dense (n, axes, c).
  PyTorch gets channels_last tensors and weights (1-D as 2-D with height 1); OpenVINO's tensors are declared
  channels-last; ONNX Runtime knows channels-first only, so its two transposes count. oneDNN: the deconvolution
  primitive with exactly these layouts, and for channels-first also *e2e*: reorder, channels-last primitive, reorder
  back. JAX has both layouts. LiteRT (XNNPACK) knows channels-last only; ncnn and MNN channels-first only, and pack
  their channels inside the call. What a peer cannot run it refuses, with the reason on the machine's page: ncnn
  batches, LiteRT groups and dilation; a call that would take more than 3 s by the speed of its like before.
- **Output memory.** libctconv (`out=`), ONNX Runtime, OpenVINO and oneDNN write into memory given before, LiteRT and
  MNN into memory of their own that stays. PyTorch, JAX and ncnn make their output anew; they are set against libctconv
  doing the same.
- **Calls.** The Python packages are called from Python, as is libctconv where it is set against them. oneDNN's
  primitive runs in a C++ program; it is set against `ctconv_execute` with records made before. (A call through the
  Python binding takes about 4 microseconds more.)
- **Uneven padding** does not exist in PyTorch: it computes the larger output,
  and the slice (a view) counts as its answer. LiteRT has VALID and SAME only; other crops are a SLICE in its model.
- Weights are constant and packed before, where the library can. All results are compared with ours; an error above 1e-4
  (f16: 2e-3, bf16: 1.6e-2) of the largest value is `wrong`, without a ratio.
- **useful GF/s** counts the multiply-adds that meet the output. **roof** is floor / time, floor = max(useful / peak,
  bytes read / read bandwidth + bytes written / write bandwidth), each operand moved once; peak and bandwidths are
  measured by `bench_peaks` at the start of the run with the same number of threads, the bandwidth for the layer's
  working set, so that layers that fit into a cache are held against that cache. The peak is that of float32 for every
  type; bf16 products may pass it.
- **setup** is creation, packing and the first call less a median call; the middle of three creations, after one that
  also paid for memory new to the process. **memory** is the peak of resident memory above the level before creation,
  without x, y and the caller's weights, as the first call leaves it; **workspace** is what a call asks for.
- A ratio is time of the peer / time of libctconv: above 1 libctconv is faster.
"""
