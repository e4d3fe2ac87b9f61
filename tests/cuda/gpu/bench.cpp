// SPDX-License-Identifier: Apache-2.0
// Times: the plan `auto` takes, the measured choice and every kernel, per layer, type and order of axes.
//
//   protocol (the same in tools/gpu/compare_torch.py): made-up data; buffers rotate over more than 4 x L2, at most 64
//   sets; warm-up of 10 calls; 5 samples of N calls between two events, N such that a sample lasts about 5 ms; the
//   median sample counts. --samples and --sample-ms change 5 and 5, --types, --orders, --choices choose rows.
//   stream_us: launched call by call;   graph_us: N calls captured once and replayed, null where capture fails
//   host_us:   host time of one call, enqueue only
//   bytes, flop: x, w, bias and y moved once; products that land inside y, two flops each
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "tests/cuda/gpu/device_memory.h"
#include "tests/cuda/gpu/run.h"

namespace ctconv::cuda::testing {
namespace {

struct Timer {
  cudaStream_t stream;
  cudaEvent_t begin, end;
  Timer() {
    must(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "stream");
    must(cudaEventCreate(&begin), "event");
    must(cudaEventCreate(&end), "event");
  }
  ~Timer() {
    cudaEventDestroy(begin);
    cudaEventDestroy(end);
    cudaStreamDestroy(stream);
  }
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
  // Host seconds of f alone, the stream idle before.
  template <class F>
  double host_seconds(F&& f) {
    must(cudaStreamSynchronize(stream), "wait");
    const auto start = std::chrono::steady_clock::now();
    f();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
};

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

// Device memory of one layer, type and order; kept from one to the next.
struct Sets {
  Guarded arena, w, bias, packed, workspace;
  size_t count = 0, x_room = 0, y_room = 0;
  void* x(size_t s) const { return static_cast<char*>(arena.data()) + s * (x_room + y_room); }
  void* y(size_t s) const { return static_cast<char*>(x(s)) + x_room; }
};

size_t bytes_of(int64_t elements, int32_t dtype) { return static_cast<size_t>(elements) * element_bytes(dtype); }

void fill_flat(void* to, int32_t dtype, int64_t elements, uint64_t seed) {
  fill_on_device(to, {dtype, {1, 1, 1, 1, elements}, {0, 0, 0, 0, 1}, seed, false}, nullptr);
}

void make_sets(Sets& sets, const ctconv_cuda_problem& p, size_t l2, uint64_t seed) {
  const size_t xb = bytes_of(input_elements(p), p.dtype), yb = bytes_of(core_elements(p), p.dtype);
  sets.x_room = (xb + 255) / 256 * 256;
  sets.y_room = (yb + 255) / 256 * 256;
  sets.count = std::clamp<size_t>(4 * l2 / (xb + yb) + 1, 2, 64);
  sets.arena.resize(sets.count * (sets.x_room + sets.y_room));
  for (size_t s = 0; s < sets.count; ++s) fill_flat(sets.x(s), p.dtype, input_elements(p), seed + 10 + s);
  sets.w.resize(bytes_of(weight_elements(p), p.dtype));
  sets.bias.resize(bytes_of(channels_out(p), p.dtype));
  fill_flat(sets.w.data(), p.dtype, weight_elements(p), seed + 1);
  fill_flat(sets.bias.data(), p.dtype, channels_out(p), seed + 2);
  must(cudaDeviceSynchronize(), "made-up data");
}

// Taps that land inside y, over one axis.
double pairs_of(const ctconv_cuda_axis& a) {
  double pairs = 0;
  for (int64_t t = 0; t < a.k; ++t) {
    for (int64_t i = 0; i < a.i; ++i) {
      const int64_t o = i * a.s + t * a.d - a.lo;
      pairs += o >= 0 && o < a.o;
    }
  }
  return pairs;
}

double flop_of(const ctconv_cuda_problem& p) {
  double flop = 2.0 * static_cast<double>(p.n * p.groups * p.ci * p.co);
  for (const auto& a : p.axis) flop *= pairs_of(a);
  return flop;
}

size_t moved_of(const ctconv_cuda_problem& p) {
  const int64_t bias = p.bias == CTCONV_CUDA_BIAS_NONE ? 0 : channels_out(p);
  return bytes_of(input_elements(p) + core_elements(p) + weight_elements(p) + bias, p.dtype);
}

// Seconds of one call replayed from a graph of n; negative: not captured.
template <class F>
double graph_seconds(Run& run, Timer& timer, int n, F&& call) {
  cudaGraph_t captured = nullptr;
  cudaGraphExec_t exec = nullptr;
  if (cudaStreamBeginCapture(timer.stream, cudaStreamCaptureModeThreadLocal) != cudaSuccess) return -1;
  bool good = true;
  try {
    for (int i = 0; i < n; ++i) call();
  } catch (const std::exception& e) {
    std::printf("not captured: %s\n", e.what());
    good = false;
  }
  good = cudaStreamEndCapture(timer.stream, &captured) == cudaSuccess && good;
  std::vector<double> all;
  if (good && cudaGraphInstantiate(&exec, captured, 0) == cudaSuccess) {
    must(cudaGraphLaunch(exec, timer.stream), "warm-up");
    for (int sample = 0; sample < run.samples; ++sample)
      all.push_back(timer.seconds([&] { must(cudaGraphLaunch(exec, timer.stream), "replay"); }) / n);
  }
  if (exec) cudaGraphExecDestroy(exec);
  if (captured) cudaGraphDestroy(captured);
  cudaGetLastError();
  return all.empty() ? -1 : median(all);
}

struct Row {
  const Layer& layer;
  const ctconv_cuda_problem& p;
  bool last, tf32;
  std::string type, choice;  // auto, measured or a kernel's name
};

void one(Run& run, Timer& timer, Sets& sets, const Row& row) {
  const bool named = row.choice != "auto" && row.choice != "measured";
  ctconv_cuda_options o{};
  o.reproducible = CTCONV_CUDA_DETERMINISTIC;  // what the C API asks for
  o.allow_tf32 = row.tf32;
  o.workspace_limit = SIZE_MAX;
  o.kernel = named ? row.choice.c_str() : nullptr;
  o.tuning = row.choice == "measured";
  const auto planning = std::chrono::steady_clock::now();
  auto planned = run.module->plan(run.ordinal, row.p, o);
  if (!planned.ok()) {
    const Code code = planned.status().code();
    if (!named || (code != Code::UNSUPPORTED_ENGINE && code != Code::DEVICE_NO_PLAN))
      throw std::runtime_error(planned.status().detail().message);
    return;
  }
  const double plan_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - planning).count();
  const CudaPlan& plan = **planned;
  sets.packed.resize(std::max<size_t>(16, plan.packed_bytes()));
  sets.workspace.resize(std::max<size_t>(16, plan.workspace_bytes()));
  if (plan.packed_bytes()) must(plan.pack(sets.w.data(), sets.packed.data(), nullptr), "pack");
  must(cudaDeviceSynchronize(), "pack");
  size_t turn = 0;
  const auto call = [&] {
    const size_t s = turn++ % sets.count;
    must(plan.execute({sets.x(s), sets.w.data(), plan.packed_bytes() ? sets.packed.data() : nullptr, sets.bias.data(),
                       sets.y(s), sets.workspace.data(), timer.stream}),
         "execute");
  };
  call();
  const double warm = timer.seconds([&] { call(); });  // the first call loaded code
  for (int i = 0; i < 8 && (i == 0 || 1e3 * warm < run.sample_ms); ++i) call();
  const double first = timer.seconds([&] { call(); });
  const int n = static_cast<int>(std::clamp(1e-3 * run.sample_ms / std::max(first, 1e-7), 2.0, 500.0));
  std::vector<double> stream, host;
  for (int sample = 0; sample < run.samples; ++sample) {
    stream.push_back(timer.seconds([&] {
      for (int i = 0; i < n; ++i) call();
    }) / n);
    const int few = std::min(n, 50);
    host.push_back(timer.host_seconds([&] {
      for (int i = 0; i < few; ++i) call();
    }) / few);
  }
  must(cudaStreamSynchronize(timer.stream), "samples");
  const double graph = graph_seconds(run, timer, n, call);
  nlohmann::json result = {{"layer", row.layer.id},
                           {"dtype", dtype_name(row.p.dtype)},
                           {"order", row.last ? "last" : "first"},
                           {"tf32", row.tf32},
                           {"choice", row.choice},
                           {"stream_us", 1e6 * median(stream)},
                           {"graph_us", nullptr},
                           {"host_us", 1e6 * median(host)},
                           {"plan_ms", 1e3 * plan_s},
                           {"calls", n},
                           {"bytes", moved_of(row.p)},
                           {"flop", flop_of(row.p)},
                           {"plan", plan.describe()},
                           {"sets", sets.count}};
  if (graph >= 0) result["graph_us"] = 1e6 * graph;
  run.report["bench"].push_back(std::move(result));
  std::printf("%7.2f s  %-28s %-4s %-5s %-14s %10.2f us, graph %10.2f us, host %8.2f us\n", run.seconds(),
              row.layer.id.c_str(), row.type.c_str(), row.last ? "last" : "first", row.choice.c_str(),
              1e6 * median(stream), graph < 0 ? -1 : 1e6 * graph, 1e6 * median(host));
  std::fflush(stdout);
}

struct Type {
  const char* name;
  int32_t dtype;
  bool tf32;
};
constexpr Type kTypes[] = {{"f32", CTCONV_CUDA_F32, false},
                           {"tf32", CTCONV_CUDA_F32, true},
                           {"f16", CTCONV_CUDA_F16, false},
                           {"bf16", CTCONV_CUDA_BF16, false}};

std::vector<std::string> choices_of(const Run& run, const Type& type) {
  std::vector<std::string> names{"auto", "measured"};
  // bf16 kernels differ from f16 by a conversion: only where they are asked for by name
  for (const KernelRow& row : kernel_rows()) {
    const bool asked = !run.choices.empty();  // run.choice below keeps what was asked for
    if (asked || (row.timed && std::strcmp(type.name, "bf16") != 0)) names.emplace_back(row.name);
  }
  std::erase_if(names, [&](const std::string& name) { return !run.choice(name.c_str()); });
  return names;
}

// False: the deadline came first.
bool one_layer(Run& run, Timer& timer, Sets& sets, const Layer& layer, size_t l2) {
  for (const bool last : {false, true}) {
    if (!run.order(last)) continue;
    int32_t laid = -1;
    for (const Type& type : kTypes) {
      if (!run.type(type.name)) continue;
      const ctconv_cuda_problem p = problem_of(layer, type.dtype, last);
      for (const std::string& choice : choices_of(run, type)) {
        if (run.late()) return false;
        run.survive(layer.id + " " + type.name + (last ? " last " : " first ") + choice, [&] {
          if (laid != type.dtype) {
            make_sets(sets, p, l2, run.seed);
            laid = type.dtype;
          }
          one(run, timer, sets, {layer, p, last, type.tf32, type.name, choice});
        });
      }
    }
  }
  return true;
}

}  // namespace

void run_ceilings(Run& run) {
  Timer timer;
  const size_t bytes = size_t{1} << 30;
  Guarded from(bytes), to(bytes);
  std::vector<double> copies, sets, launches;
  for (int i = 0; i < 12; ++i) {
    copies.push_back(timer.seconds(
        [&] { must(cudaMemcpyAsync(to.data(), from.data(), bytes, cudaMemcpyDeviceToDevice, timer.stream), "copy"); }));
  }
  for (int i = 0; i < 12; ++i)
    sets.push_back(timer.seconds([&] { must(cudaMemsetAsync(to.data(), 0, bytes, timer.stream), "set"); }));
  for (int i = 0; i < 12; ++i) {
    launches.push_back(timer.seconds([&] {
      for (int e = 0; e < 200; ++e) must(cudaMemsetAsync(to.data(), 0, 4, timer.stream), "launch");
    }) / 200);
  }
  int l2 = 0, sm = 0, clock = 0;
  must(cudaDeviceGetAttribute(&l2, cudaDevAttrL2CacheSize, run.ordinal), "L2");
  must(cudaDeviceGetAttribute(&sm, cudaDevAttrMultiProcessorCount, run.ordinal), "multiprocessors");
  if (cudaDeviceGetAttribute(&clock, cudaDevAttrClockRate, run.ordinal) != cudaSuccess) cudaGetLastError();
  run.report["ceilings"] = {{"copy_bytes_per_second", 2.0 * static_cast<double>(bytes) / median(copies)},
                            {"write_bytes_per_second", static_cast<double>(bytes) / median(sets)},
                            {"launch_us", 1e6 * median(launches)},
                            {"l2_bytes", l2},
                            {"processors", sm},
                            {"clock_khz", clock}};
  std::printf("copy %.0f GB/s (read + write), fill %.0f GB/s, small launch %.2f us\n",
              2e-9 * static_cast<double>(bytes) / median(copies), 1e-9 * static_cast<double>(bytes) / median(sets),
              1e6 * median(launches));
  run.save();
}

void run_bench(Run& run) {
  int l2 = 0;
  must(cudaDeviceGetAttribute(&l2, cudaDevAttrL2CacheSize, run.ordinal), "L2");
  Timer timer;
  Sets sets;
  int64_t item = 0;
  for (const Layer& layer : run.layers) {
    if (!run.wanted(layer) || !run.mine(item++)) continue;
    if (run.late() || !one_layer(run, timer, sets, layer, static_cast<size_t>(l2))) {
      run.report["not_reached"].push_back(layer.id);
      continue;
    }
    run.save();
  }
  if (run.report.contains("not_reached"))
    std::printf("NOT REACHED before the deadline: %s\n", run.report["not_reached"].dump().c_str());
}

}  // namespace ctconv::cuda::testing
