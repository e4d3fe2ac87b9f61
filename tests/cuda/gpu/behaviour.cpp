// SPDX-License-Identifier: Apache-2.0
// How calls behave around the arithmetic: streams, threads, graph capture, workspace limit, saved plans, lifetime,
// errors; and what a call costs the host.
//
//   out: report graph_nodes (kernels of one call), call_us (median host microseconds of one execute call, enqueue only)
#include <algorithm>
#include <cstdio>
#include <thread>

#include "tests/cuda/gpu/device_memory.h"
#include "tests/cuda/gpu/run.h"

namespace ctconv::cuda::testing {
namespace {

struct Op {
  ctconv_cuda_problem p;
  std::unique_ptr<CudaPlan> plan;
  Guarded w, bias, packed;
  size_t x_bytes, y_bytes;
};

struct Buffers {
  Guarded x, y, workspace;
};

Op op_of(const ctconv_cuda_problem& p, std::unique_ptr<CudaPlan> plan) {
  Op op{p,
        std::move(plan),
        {},
        {},
        {},
        static_cast<size_t>(input_elements(p)) * element_bytes(p.dtype),
        static_cast<size_t>(core_elements(p)) * element_bytes(p.dtype)};
  Random r(5);
  std::vector<float> w(static_cast<size_t>(weight_elements(p))), bias(static_cast<size_t>(channels_out(p)));
  for (float& v : w) v = static_cast<float>(draw(r, -4, 4));
  for (float& v : bias) v = static_cast<float>(draw(r, -4, 4));
  op.w = Guarded(w.size() * 4);
  op.bias = Guarded(bias.size() * 4);
  op.packed = Guarded(std::max<size_t>(16, op.plan->packed_bytes()));
  op.w.write(w.data());
  op.bias.write(bias.data());
  if (op.plan->packed_bytes()) must(op.plan->pack(op.w.data(), op.packed.data(), nullptr), "pack");
  must(cudaDeviceSynchronize(), "pack");
  return op;
}

Op make_op(Run& run, const ctconv_cuda_problem& p, const char* kernel, bool tune = false) {
  ctconv_cuda_options o{};
  o.workspace_limit = SIZE_MAX;
  o.kernel = kernel;
  o.reproducible = CTCONV_CUDA_DETERMINISTIC;
  o.tuning = tune;
  auto planned = run.module->plan(run.ordinal, p, o);
  must(planned.ok() ? Status() : planned.take_status(), "plan");
  return op_of(p, std::move(*planned));
}

Buffers make_buffers(const Op& op, uint64_t seed) {
  Buffers b{Guarded(op.x_bytes), Guarded(op.y_bytes), Guarded(std::max<size_t>(16, op.plan->workspace_bytes()))};
  Random r(seed);
  std::vector<float> x(op.x_bytes / 4);
  for (float& v : x) v = static_cast<float>(draw(r, -8, 8));
  b.x.write(x.data());
  must(cudaDeviceSynchronize(), "buffers");  // other streams do not wait for the legacy one
  return b;
}

Status go(const Op& op, const Buffers& b, cudaStream_t stream) {
  return op.plan->execute({b.x.data(), op.w.data(), op.plan->packed_bytes() ? op.packed.data() : nullptr,
                           op.bias.data(), b.y.data(), b.workspace.data(), stream});
}

struct Streams {
  cudaStream_t one = nullptr, two = nullptr;
  Streams() {
    must(cudaStreamCreateWithFlags(&one, cudaStreamNonBlocking), "stream");
    must(cudaStreamCreateWithFlags(&two, cudaStreamNonBlocking), "stream");
  }
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;
  ~Streams() {
    cudaStreamDestroy(one);
    cudaStreamDestroy(two);
  }
};

// Two sets of buffers and what one undisturbed run on the legacy stream wrote to each.
struct Pair {
  Buffers one, two;
  std::vector<uint32_t> want1, want2;
  Pair(const Op& op) : one(make_buffers(op, 1)), two(make_buffers(op, 2)) {
    must(go(op, one, nullptr), "first run");
    must(go(op, two, nullptr), "second run");
    must(cudaDeviceSynchronize(), "runs");
    want1 = one.y.read<uint32_t>();
    want2 = two.y.read<uint32_t>();
  }
  void poison() {
    one.y.poison();
    two.y.poison();
    must(cudaDeviceSynchronize(), "poison");
  }
  bool held() const { return one.y.read<uint32_t>() == want1 && two.y.read<uint32_t>() == want2; }
};

void two_streams(Run& run, const Op& op, Pair& pair, const Streams& s, const std::string& name) {
  pair.poison();
  for (int i = 0; i < 50; ++i) {
    must(go(op, pair.one, s.one), "stream 1");
    must(go(op, pair.two, s.two), "stream 2");
  }
  must(cudaDeviceSynchronize(), "two streams");
  run.check(pair.held(), name + ": two streams");
}

void two_threads(Run& run, const Op& op, Pair& pair, const Streams& s, const std::string& name) {
  pair.poison();
  std::string fault[2];
  const auto many = [&](const Buffers& b, cudaStream_t stream, std::string* first) {
    for (int i = 0; i < 200 && first->empty(); ++i) {
      const Status status = go(op, b, stream);
      if (!status.ok()) *first = status.detail().message;
    }
  };
  std::thread other([&] {
    if (cudaSetDevice(run.ordinal) == cudaSuccess) many(pair.two, s.two, &fault[1]);
  });
  many(pair.one, s.one, &fault[0]);
  other.join();
  must(cudaDeviceSynchronize(), "two threads");
  run.check(fault[0].empty() && fault[1].empty() && pair.held(), name + ": two threads " + fault[0] + fault[1]);
}

// Captured after the runs above; replayed on other data. The strictest mode: any allocation in execute would fail.
void capture(Run& run, const Op& op, Pair& pair, const Streams& s, const std::string& name) {
  must(go(op, pair.one, s.one), "warm-up");
  must(cudaDeviceSynchronize(), "warm-up");
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  must(cudaStreamBeginCapture(s.one, cudaStreamCaptureModeGlobal), "begin capture");
  const Status captured = go(op, pair.one, s.one);
  const cudaError_t ended = cudaStreamEndCapture(s.one, &graph);
  cudaGetLastError();
  run.check(captured.ok() && ended == cudaSuccess,
            name + ": capture: " + (captured.ok() ? cudaGetErrorString(ended) : captured.detail().message));
  if (!captured.ok() || ended != cudaSuccess) return;
  must(cudaGraphInstantiate(&exec, graph, 0), "instantiate");
  must(cudaMemcpy(pair.one.x.data(), pair.two.x.data(), op.x_bytes, cudaMemcpyDeviceToDevice), "new x");
  pair.poison();
  must(cudaGraphLaunch(exec, s.one), "replay");
  must(cudaDeviceSynchronize(), "replay");
  run.check(pair.one.y.read<uint32_t>() == pair.want2, name + ": graph replay on new data");
  size_t nodes = 0;
  must(cudaGraphGetNodes(graph, nullptr, &nodes), "nodes");
  run.report["graph_nodes"][name] = nodes;
  must(cudaGraphExecDestroy(exec), "graph");
  must(cudaGraphDestroy(graph), "graph");
}

// Host time of one call: bursts of 100 enqueues, each after a wait, so that the queue is never full.
void call_cost(Run& run, const Op& op, const Buffers& b, const Streams& s, const std::string& name) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> us;
  for (int burst = 0; burst < 20; ++burst) {
    must(cudaStreamSynchronize(s.one), "burst");
    for (int i = 0; i < 100; ++i) {
      const auto begin = Clock::now();
      must(go(op, b, s.one), "call");
      us.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
    }
  }
  must(cudaStreamSynchronize(s.one), "bursts");
  std::sort(us.begin(), us.end());
  run.report["call_us"][name] = us[us.size() / 2];
  std::printf("host time of one call, %-30s %6.2f us, 95th percentile %6.2f us\n", name.c_str(), us[us.size() / 2],
              us[us.size() * 95 / 100]);
}

void with_kernel(Run& run, const Layer& layer, const char* kernel) {
  const std::string name = layer.id + " " + kernel;
  const Op op = make_op(run, problem_of(layer, CTCONV_CUDA_F32, false), kernel);
  Pair pair(op);
  const Streams streams;
  run.survive(name + ": two streams", [&] { two_streams(run, op, pair, streams, name); });
  run.survive(name + ": two threads", [&] { two_threads(run, op, pair, streams, name); });
  run.survive(name + ": capture", [&] { capture(run, op, pair, streams, name); });
}

// The smallest problem a row takes, for the cost of a call: one tile's work, so that the device keeps up.
ctconv_cuda_problem tiny_problem(const KernelRow& row) {
  Layer layer;
  const int64_t s = row.shapes == KernelRow::kStride ? 2 : 1, k = row.shapes == KernelRow::kStride ? 2 : 3;
  const bool depthwise = row.shapes == KernelRow::kDepthwise;
  layer.p.n = 1;
  layer.p.groups = depthwise ? 16 : 1;
  layer.p.ci = depthwise ? 1 : 4;
  layer.p.co = depthwise ? 1 : 4;
  layer.p.rank = 2;
  layer.p.axis[0] = {1, 1, 1, 1, 1, 0, 0};
  for (int a = 1; a < 3; ++a) layer.p.axis[a] = {8, 7 * s + k, k, s, 1, 0, 0};
  layer.p.bias = CTCONV_CUDA_BIAS_ELEMENT;
  layer.p.bias_stride = 1;
  return problem_of(layer, CTCONV_CUDA_F32, depthwise);
}

void costs(Run& run) {
  const Streams streams;
  for (const KernelRow& row : kernel_rows()) {
    if (!run.choice(row.name)) continue;
    run.survive(std::string("cost of a call, ") + row.name, [&] {
      ctconv_cuda_options o{};
      o.workspace_limit = SIZE_MAX;
      o.kernel = row.name;
      o.allow_tf32 = !row.reference_bits;
      const ctconv_cuda_problem p = tiny_problem(row);
      auto planned = run.module->plan(run.ordinal, p, o);
      if (!planned.ok()) {
        run.report["call_us"][row.name] = planned.status().detail().message;
        return;
      }
      const Op op = op_of(p, std::move(*planned));
      const Buffers b = make_buffers(op, 4);
      for (int i = 0; i < 20; ++i) must(go(op, b, streams.one), "warm-up");
      call_cost(run, op, b, streams, row.name);
    });
  }
}

void saved_plans(Run& run, const ctconv_cuda_problem& p) {
  const Op op = make_op(run, p, "cudnn");
  auto text = op.plan->save();
  run.check(text.ok(), "saving a cuDNN plan" + (text.ok() ? std::string() : ": " + text.status().detail().message));
  ctconv_cuda_options o{};
  o.workspace_limit = SIZE_MAX;
  o.kernel = "cudnn";
  o.saved_plan = text.ok() ? text->c_str() : nullptr;
  auto again = run.module->plan(run.ordinal, p, o);
  run.check(again.ok() && (*again)->describe().find("saved plan") != std::string::npos, "loading a saved cuDNN plan");
  o.saved_plan = "not a plan";
  run.check(run.module->plan(run.ordinal, p, o).ok(), "an unusable saved plan is ignored");
}

// A later plan of the same kernel with smaller needs takes nothing from an earlier one: the first H200 runs failed
// here.
void later_plans(Run& run, const ctconv_cuda_problem& many_taps) {
  for (const char* kernel : {"gemm", "gemm-split", "fold"}) {
    const Op op = make_op(run, many_taps, kernel);
    const Buffers b = make_buffers(op, 7);
    ctconv_cuda_problem few = many_taps;
    for (auto& a : few.axis) {
      a.o = a.i;
      a.k = 1;
      a.s = 1;
      a.lo = 0;
    }
    ctconv_cuda_options o{};
    o.workspace_limit = SIZE_MAX;
    o.kernel = "gemm";
    run.check(run.module->plan(run.ordinal, few, o).ok(), std::string(kernel) + ": a later plan");
    const Status status = go(op, b, nullptr);
    run.check(status.ok() && cudaDeviceSynchronize() == cudaSuccess,
              std::string(kernel) + " after a later plan" + (status.ok() ? "" : ": " + status.detail().message));
  }
}

// Workspace limits, weights of the call counted.
void limits(Run& run, const ctconv_cuda_problem& p) {
  ctconv_cuda_options o{};
  for (const size_t limit : {size_t{1}, size_t{100000}, size_t{10000000}}) {
    for (const int per_call : {0, 1}) {
      o.workspace_limit = limit;
      o.weights_per_call = per_call;
      auto plan = run.module->plan(run.ordinal, p, o);
      run.check(plan.ok() && (*plan)->workspace_bytes() <= limit, "workspace limit " + std::to_string(limit));
    }
  }
}

void reference_bits(Run& run, const ctconv_cuda_problem& p) {  // the bits themselves are part random's business
  ctconv_cuda_options o{};
  o.workspace_limit = SIZE_MAX;
  o.reproducible = CTCONV_CUDA_REFERENCE_BITS;
  auto plan = run.module->plan(run.ordinal, p, o);
  run.check(plan.ok() && (*plan)->describe().find("kernel: cudnn") == std::string::npos,
            "reference bits without cuDNN");
}

// The measured choice runs, and destroy waits for work in flight.
void measured(Run& run, const ctconv_cuda_problem& p) {
  Op op = make_op(run, p, nullptr, true);
  Buffers b = make_buffers(op, 3);
  for (int i = 0; i < 100; ++i) must(go(op, b, nullptr), "in flight");
  op.plan.reset();
  run.check(cudaStreamQuery(nullptr) == cudaSuccess, "destroy waits");
}

void pointers(Run& run) {
  int host = 0;
  void* managed = nullptr;
  const Guarded device(64);
  const auto kind = [&](const void* p) {
    auto found = run.module->locate(p);
    return found.ok() ? *found : CudaPointer{-1, -1};
  };
  run.check(kind(&host).kind == CTCONV_CUDA_NOT_A_DEVICE_POINTER, "where a host pointer lies");
  run.check(kind(device.data()).kind == CTCONV_CUDA_DEVICE_POINTER && kind(device.data()).ordinal == run.ordinal,
            "where a device pointer lies");
  if (cudaMallocManaged(&managed, 64, cudaMemAttachGlobal) == cudaSuccess) {
    run.check(kind(managed).kind == CTCONV_CUDA_MANAGED_POINTER, "where a managed pointer lies");
    must(cudaFree(managed), "managed");
  } else {
    cudaGetLastError();
    std::printf("managed memory is not to be had here: not looked at\n");
  }
  auto huge = run.module->allocate(run.ordinal, size_t{1} << 50);
  run.check(!huge.ok() && huge.status().code() == Code::NO_MEMORY,
            "too much memory" + (huge.ok() ? std::string() : ": " + huge.status().detail().message));
}

void ordinals(Run& run, const ctconv_cuda_problem& p) {
  int count = 0;
  must(cudaGetDeviceCount(&count), "count");
  run.check(run.module->check_device(count).code() == Code::DEVICE_ORDINAL, "ordinal out of range");
  if (count < 2) return;
  const int away = run.ordinal == 0 ? 1 : 0;
  must(cudaSetDevice(away), "other device");
  ctconv_cuda_options o{};
  o.workspace_limit = SIZE_MAX;
  run.check(run.module->plan(run.ordinal, p, o).ok(), "a plan for another device than the current one");
  int now = -1;
  must(cudaGetDevice(&now), "current");
  run.check(now == away, "the current device is kept");
  must(cudaSetDevice(run.ordinal), "device");
}

}  // namespace

void run_behaviour(Run& run) {
  const auto layer = [&](const char* id) -> const Layer& {
    for (const Layer& l : run.layers) {
      if (l.id == id) return l;
    }
    throw std::runtime_error(std::string("no layer ") + id);
  };
  for (const KernelRow& row : kernel_rows()) {
    if (!row.behaviour_layer || !run.choice(row.name)) continue;
    run.survive(std::string("behaviour ") + row.name, [&] { with_kernel(run, layer(row.behaviour_layer), row.name); });
    run.save();
    std::printf("%7.2f s  behaviour, %-14s %d failures so far\n", run.seconds(), row.name, run.failures);
    std::fflush(stdout);
  }
  const ctconv_cuda_problem p = problem_of(layer("dcgan.512"), CTCONV_CUDA_F32, false);
  run.survive("saved plans", [&] { saved_plans(run, p); });
  run.survive("later plans", [&] { later_plans(run, p); });
  run.survive("workspace limits", [&] { limits(run, p); });
  run.survive("reference bits", [&] { reference_bits(run, p); });
  run.survive("measured choice", [&] { measured(run, p); });
  run.survive("ordinals", [&] { ordinals(run, p); });
  run.survive("pointers", [&] { pointers(run); });
  costs(run);
  run.save();
}

}  // namespace ctconv::cuda::testing
