// Times: the plan `auto` takes, the measured choice and every kernel, per layer, type and order of axes.
//
//   protocol (the same in tools/gpu/compare_torch.py): random data; buffers rotate over more than 4 x L2, at most 64
//   sets; warm-up of 10 calls; 5 samples of N calls between two events, N such that a sample lasts about 5 ms; the
//   median sample counts.
//   stream_us: launched call by call;   graph_us: N calls captured once and replayed
#include <algorithm>
#include <cstdio>

#include "tests/cuda/gpu/device_memory.h"
#include "tests/cuda/gpu/run.h"

namespace ctconv::cuda::testing {
namespace {

struct Timer {
  cudaStream_t stream;
  cudaEvent_t begin, end;
  Timer() {
    must(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "stream");
    must(cudaEventCreate(&begin), "event"), must(cudaEventCreate(&end), "event");
  }
  ~Timer() { cudaEventDestroy(begin), cudaEventDestroy(end), cudaStreamDestroy(stream); }
  template <class F>
  double seconds(F&& f) {
    must(cudaEventRecord(begin, stream), "record");
    f();
    must(cudaEventRecord(end, stream), "record");
    must(cudaEventSynchronize(end), "wait");
    float ms = 0;
    must(cudaEventElapsedTime(&ms, begin, end), "elapsed");
    return 1e-3 * static_cast<double>(ms);
  }
};

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

struct Sets {
  std::vector<Guarded> x, y;
  Guarded w, bias, packed, workspace;
};

void random_bits(Guarded& g, int32_t dtype, uint64_t seed) {
  Random r(seed);
  std::uniform_real_distribution<float> real(-1, 1);
  const auto fill_as = [&](auto t) {
    using T = decltype(t);
    std::vector<T> v(g.bytes() / sizeof(T));
    for (T& e : v) e = narrow<T>(static_cast<Accumulator<T>>(real(r)));
    g.write(v.data());
  };
  if (dtype == CTCONV_CUDA_F32) return fill_as(float{});
  if (dtype == CTCONV_CUDA_F16) return fill_as(F16{});
  if (dtype == CTCONV_CUDA_BF16) return fill_as(Bf16{});
  fill_as(double{});
}

void one(Run& run, Timer& timer, Sets& sets, const Layer& layer, const ctconv_cuda_problem& p, bool last, bool tf32,
         const char* kernel, bool tune) {
  ctconv_cuda_options o{};
  o.allow_tf32 = tf32, o.workspace_limit = SIZE_MAX, o.kernel = kernel, o.tuning = tune;
  auto planned = run.module->plan(run.ordinal, p, o);
  if (!planned.ok()) return;
  const CudaPlan& plan = **planned;
  sets.packed = Guarded(std::max<size_t>(16, plan.packed_bytes())),
  sets.workspace = Guarded(std::max<size_t>(16, plan.workspace_bytes()));
  if (plan.packed_bytes()) must(plan.pack(sets.w.data(), sets.packed.data(), nullptr), "pack");
  must(cudaDeviceSynchronize(), "pack");
  size_t turn = 0;
  const auto call = [&] {
    const size_t s = turn++ % sets.x.size();
    must(plan.execute({sets.x[s].data(), sets.w.data(), plan.packed_bytes() ? sets.packed.data() : nullptr,
                       sets.bias.data(), sets.y[s].data(), sets.workspace.data(), timer.stream}),
         "execute");
  };
  for (int i = 0; i < 10; ++i) call();
  const double first = timer.seconds([&] { call(); });
  const int n = static_cast<int>(std::clamp(5e-3 / std::max(first, 1e-7), 5.0, 500.0));
  std::vector<double> stream, graph;
  for (int sample = 0; sample < 5; ++sample) {
    stream.push_back(timer.seconds([&] {
      for (int i = 0; i < n; ++i) call();
    }) / n);
  }
  cudaGraph_t captured = nullptr;
  cudaGraphExec_t exec = nullptr;
  must(cudaStreamBeginCapture(timer.stream, cudaStreamCaptureModeThreadLocal), "capture");
  for (int i = 0; i < n; ++i) call();
  must(cudaStreamEndCapture(timer.stream, &captured), "capture");
  must(cudaGraphInstantiate(&exec, captured, 0), "instantiate");
  must(cudaGraphLaunch(exec, timer.stream), "warm-up");
  for (int sample = 0; sample < 5; ++sample)
    graph.push_back(timer.seconds([&] { must(cudaGraphLaunch(exec, timer.stream), "replay"); }) / n);
  must(cudaGraphExecDestroy(exec), "graph"), must(cudaGraphDestroy(captured), "graph");
  const std::string choice = tune ? "measured" : kernel ? kernel : "auto";
  run.report["bench"].push_back({{"layer", layer.id},
                                 {"dtype", dtype_name(p.dtype)},
                                 {"order", last ? "last" : "first"},
                                 {"tf32", tf32},
                                 {"choice", choice},
                                 {"stream_us", 1e6 * median(stream)},
                                 {"graph_us", 1e6 * median(graph)},
                                 {"plan", plan.describe()},
                                 {"sets", sets.x.size()}});
  std::printf("%-28s %-4s %-5s %-5s %-14s %10.2f us  %10.2f us graph\n", layer.id.c_str(), dtype_name(p.dtype),
              last ? "last" : "first", tf32 ? "tf32" : "", choice.c_str(), 1e6 * median(stream), 1e6 * median(graph));
  std::fflush(stdout);
}

}  // namespace

void run_ceilings(Run& run) {
  Timer timer;
  const size_t bytes = size_t{1} << 30;
  Guarded from(bytes), to(bytes);
  std::vector<double> copies;
  for (int i = 0; i < 12; ++i) {
    copies.push_back(timer.seconds(
        [&] { must(cudaMemcpyAsync(to.data(), from.data(), bytes, cudaMemcpyDeviceToDevice, timer.stream), "copy"); }));
  }
  std::vector<double> sets;
  for (int i = 0; i < 12; ++i)
    sets.push_back(timer.seconds([&] { must(cudaMemsetAsync(to.data(), 0, bytes, timer.stream), "set"); }));
  std::vector<double> launches;
  for (int i = 0; i < 12; ++i) {
    launches.push_back(timer.seconds([&] {
      for (int e = 0; e < 200; ++e) must(cudaMemsetAsync(to.data(), 0, 4, timer.stream), "launch");
    }) / 200);
  }
  int l2 = 0, sm = 0, clock = 0;
  cudaDeviceGetAttribute(&l2, cudaDevAttrL2CacheSize, run.ordinal),
      cudaDeviceGetAttribute(&sm, cudaDevAttrMultiProcessorCount, run.ordinal);
  cudaDeviceGetAttribute(&clock, cudaDevAttrClockRate, run.ordinal);
  run.report["ceilings"] = {{"copy_bytes_per_second", 2.0 * static_cast<double>(bytes) / median(copies)},
                            {"write_bytes_per_second", static_cast<double>(bytes) / median(sets)},
                            {"launch_us", 1e6 * median(launches)},
                            {"l2_bytes", l2},
                            {"processors", sm},
                            {"clock_khz", clock}};
  std::printf("copy %.0f GB/s (read + write), fill %.0f GB/s, small launch %.2f us\n",
              2e-9 * static_cast<double>(bytes) / median(copies), 1e-9 * static_cast<double>(bytes) / median(sets),
              1e6 * median(launches));
}

void run_bench(Run& run) {
  int l2 = 0;
  must(cudaDeviceGetAttribute(&l2, cudaDevAttrL2CacheSize, run.ordinal), "L2");
  Timer timer;
  for (const Layer& layer : run.layers) {
    if (!run.wanted(layer)) continue;
    for (const int32_t dtype : {CTCONV_CUDA_F32, CTCONV_CUDA_F16, CTCONV_CUDA_BF16}) {
      for (const bool last : {false, true}) {
        const ctconv_cuda_problem p = problem_of(layer, dtype, last);
        Sets sets;
        const size_t xb = static_cast<size_t>(input_elements(p)) * element_bytes(dtype),
                     yb = static_cast<size_t>(core_elements(p)) * element_bytes(dtype);
        const size_t count = std::clamp<size_t>(4 * static_cast<size_t>(l2) / (xb + yb) + 1, 2, 64);
        for (size_t s = 0; s < count; ++s) {
          sets.x.emplace_back(xb), sets.y.emplace_back(yb);
          if (s == 0) {
            random_bits(sets.x[0], dtype, run.seed);
          } else {
            must(cudaMemcpy(sets.x[s].data(), sets.x[0].data(), xb, cudaMemcpyDeviceToDevice), "copy");
          }
        }
        sets.w = Guarded(static_cast<size_t>(weight_elements(p)) * element_bytes(dtype)),
        sets.bias = Guarded(static_cast<size_t>(channels_out(p)) * element_bytes(dtype));
        random_bits(sets.w, dtype, run.seed + 1), random_bits(sets.bias, dtype, run.seed + 2);
        for (const bool tf32 : {false, true}) {
          if (tf32 && dtype != CTCONV_CUDA_F32) continue;
          one(run, timer, sets, layer, p, last, tf32, nullptr, false);
          one(run, timer, sets, layer, p, last, tf32, nullptr, true);
          if (dtype == CTCONV_CUDA_BF16) continue;  // the kernels differ from f16 by a conversion
          for (const char* kernel : {"cell", "pixel", "shuffle-tensor", "shuffle", "cudnn"}) {
            one(run, timer, sets, layer, p, last, tf32, kernel, false);
          }
        }
      }
    }
  }
}

}  // namespace ctconv::cuda::testing
