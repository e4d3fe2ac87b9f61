// How calls behave around the arithmetic: streams, threads, graph capture, workspace limit, saved plans, lifetime,
// errors.
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

Op make_op(Run& run, const ctconv_cuda_problem& p, const char* kernel, bool tune = false) {
  Op op{p,
        nullptr,
        {},
        {},
        {},
        static_cast<size_t>(input_elements(p)) * element_bytes(p.dtype),
        static_cast<size_t>(core_elements(p)) * element_bytes(p.dtype)};
  ctconv_cuda_options o{};
  o.workspace_limit = SIZE_MAX, o.kernel = kernel, o.reproducible = CTCONV_CUDA_DETERMINISTIC, o.tuning = tune;
  auto planned = run.module->plan(run.ordinal, p, o);
  must(planned.ok() ? Status() : planned.take_status(), "plan");
  op.plan = std::move(*planned);
  Random r(5);
  std::vector<float> w(static_cast<size_t>(weight_elements(p))), bias(static_cast<size_t>(channels_out(p)));
  for (float& v : w) v = static_cast<float>(draw(r, -4, 4));
  for (float& v : bias) v = static_cast<float>(draw(r, -4, 4));
  op.w = Guarded(w.size() * 4), op.bias = Guarded(bias.size() * 4),
  op.packed = Guarded(std::max<size_t>(16, op.plan->packed_bytes()));
  op.w.write(w.data()), op.bias.write(bias.data());
  if (op.plan->packed_bytes()) must(op.plan->pack(op.w.data(), op.packed.data(), nullptr), "pack");
  must(cudaDeviceSynchronize(), "pack");
  return op;
}

Buffers make_buffers(const Op& op, uint64_t seed) {
  Buffers b{Guarded(op.x_bytes), Guarded(op.y_bytes), Guarded(std::max<size_t>(16, op.plan->workspace_bytes()))};
  Random r(seed);
  std::vector<float> x(op.x_bytes / 4);
  for (float& v : x) v = static_cast<float>(draw(r, -8, 8));
  b.x.write(x.data());
  return b;
}

Status go(const Op& op, const Buffers& b, cudaStream_t stream) {
  return op.plan->execute({b.x.data(), op.w.data(), op.plan->packed_bytes() ? op.packed.data() : nullptr,
                           op.bias.data(), b.y.data(), b.workspace.data(), stream});
}

void with_kernel(Run& run, const Layer& layer, const char* kernel) {
  const std::string name = layer.id + " " + kernel;
  const Op op = make_op(run, problem_of(layer, CTCONV_CUDA_F32, false), kernel);
  Buffers one = make_buffers(op, 1), two = make_buffers(op, 2);
  must(go(op, one, nullptr), "first run"), must(go(op, two, nullptr), "second run");
  must(cudaDeviceSynchronize(), "runs");
  const auto want1 = one.y.read<uint32_t>(), want2 = two.y.read<uint32_t>();

  cudaStream_t s1, s2;
  must(cudaStreamCreateWithFlags(&s1, cudaStreamNonBlocking), "stream"),
      must(cudaStreamCreateWithFlags(&s2, cudaStreamNonBlocking), "stream");
  one.y.poison(), two.y.poison();
  must(cudaDeviceSynchronize(), "poison");
  for (int i = 0; i < 50; ++i) must(go(op, one, s1), "stream 1"), must(go(op, two, s2), "stream 2");
  must(cudaDeviceSynchronize(), "two streams");
  run.check(one.y.read<uint32_t>() == want1 && two.y.read<uint32_t>() == want2, name + ": two streams");

  one.y.poison(), two.y.poison();
  must(cudaDeviceSynchronize(), "poison");
  bool fine[2] = {true, true};
  std::thread other([&] {
    for (int i = 0; i < 200; ++i) fine[1] = go(op, two, s2).ok() && fine[1];
  });
  for (int i = 0; i < 200; ++i) fine[0] = go(op, one, s1).ok() && fine[0];
  other.join();
  must(cudaDeviceSynchronize(), "two threads");
  run.check(fine[0] && fine[1] && one.y.read<uint32_t>() == want1 && two.y.read<uint32_t>() == want2,
            name + ": two threads");

  // Captured after the warm-up above; replayed on other data. The strictest mode: any allocation in execute would fail.
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  must(cudaStreamBeginCapture(s1, cudaStreamCaptureModeGlobal), "begin capture");
  const Status captured = go(op, one, s1);
  const cudaError_t ended = cudaStreamEndCapture(s1, &graph);
  run.check(captured.ok() && ended == cudaSuccess,
            name + ": capture: " + (captured.ok() ? cudaGetErrorString(ended) : captured.detail().message));
  if (captured.ok() && ended == cudaSuccess) {
    must(cudaGraphInstantiate(&exec, graph, 0), "instantiate");
    must(cudaMemcpy(one.x.data(), two.x.data(), op.x_bytes, cudaMemcpyDeviceToDevice), "new x");
    one.y.poison();
    must(cudaDeviceSynchronize(), "poison");
    must(cudaGraphLaunch(exec, s1), "replay");
    must(cudaDeviceSynchronize(), "replay");
    run.check(one.y.read<uint32_t>() == want2, name + ": graph replay on new data");
    size_t nodes = 0;
    must(cudaGraphGetNodes(graph, nullptr, &nodes), "nodes");
    run.report["graph_nodes"][name] = nodes;
    must(cudaGraphExecDestroy(exec), "graph"), must(cudaGraphDestroy(graph), "graph");
  }
  cudaGetLastError();
  must(cudaStreamDestroy(s1), "stream"), must(cudaStreamDestroy(s2), "stream");
}

}  // namespace

void run_behaviour(Run& run) {
  const auto layer = [&](const char* id) -> const Layer& {
    for (const Layer& l : run.layers) {
      if (l.id == id) return l;
    }
    throw std::runtime_error(std::string("no layer ") + id);
  };
  for (const char* kernel : kernel_names()) {
    const std::string k = kernel;
    if (k == "shuffle-tensor" || k == "pixel") continue;  // same host path as shuffle and cell
    with_kernel(run,
                layer(k == "shuffle"  ? "unet3d.k2s2.deep"
                      : k == "cell"   ? "dw.k4s2"
                      : k == "direct" ? "seed4.ex1"
                                      : "dcgan.512"),
                kernel);
    std::printf("behaviour, %-10s %d failures so far\n", kernel, run.failures);
  }
  const ctconv_cuda_problem p = problem_of(layer("dcgan.512"), CTCONV_CUDA_F32, false);
  {  // a plan made from a saved text is the plan it was saved from
    const Op op = make_op(run, p, "cudnn");
    auto text = op.plan->save();
    run.check(text.ok(), "saving a cuDNN plan");
    ctconv_cuda_options o{};
    o.workspace_limit = SIZE_MAX, o.saved_plan = text.ok() ? text->c_str() : nullptr;
    auto again = run.module->plan(run.ordinal, p, o);
    run.check(again.ok() && (*again)->describe().find("saved plan") != std::string::npos, "loading a saved cuDNN plan");
    o.saved_plan = "not a plan";
    run.check(run.module->plan(run.ordinal, p, o).ok(), "an unusable saved plan is ignored");
  }
  {  // workspace limits, weights of the call counted
    ctconv_cuda_options o{};
    for (const size_t limit : {size_t{1}, size_t{100000}, size_t{10000000}}) {
      for (const int per_call : {0, 1}) {
        o.workspace_limit = limit, o.weights_per_call = per_call;
        auto plan = run.module->plan(run.ordinal, p, o);
        run.check(plan.ok() && (*plan)->workspace_bytes() <= limit, "workspace limit " + std::to_string(limit));
      }
    }
  }
  {  // reference bits: the same bits as a scalar chain is run_random's business; here: only such kernels are taken
    ctconv_cuda_options o{};
    o.workspace_limit = SIZE_MAX, o.reproducible = CTCONV_CUDA_REFERENCE_BITS;
    auto plan = run.module->plan(run.ordinal, p, o);
    run.check(plan.ok() && (*plan)->describe().find("kernel: cudnn") == std::string::npos,
              "reference bits without cuDNN");
  }
  {  // measured choice runs, and destroy waits for work in flight
    Op op = make_op(run, p, nullptr, true);
    Buffers b = make_buffers(op, 3);
    for (int i = 0; i < 100; ++i) must(go(op, b, nullptr), "in flight");
    op.plan.reset();
    run.check(cudaStreamQuery(nullptr) == cudaSuccess, "destroy waits");
  }
  int count = 0;
  must(cudaGetDeviceCount(&count), "count");
  run.check(run.module->check_device(count).code() == Code::DEVICE_ORDINAL, "ordinal out of range");
  int host = 0;
  void* managed = nullptr;
  must(cudaMallocManaged(&managed, 64), "managed");
  const Guarded device(64);
  run.check(run.module->locate(&host)->kind == CTCONV_CUDA_NOT_A_DEVICE_POINTER &&
                run.module->locate(managed)->kind == CTCONV_CUDA_MANAGED_POINTER &&
                run.module->locate(device.data())->kind == CTCONV_CUDA_DEVICE_POINTER &&
                run.module->locate(device.data())->ordinal == run.ordinal,
            "where pointers lie");
  must(cudaFree(managed), "managed");
  run.check(run.module->allocate(run.ordinal, size_t{1} << 50).status().code() == Code::NO_MEMORY, "too much memory");
  if (count > 1) {
    must(cudaSetDevice(1 - run.ordinal), "other device");
    make_op(run, p, "cudnn");
    int now = -1;
    must(cudaGetDevice(&now), "current");
    run.check(now == 1 - run.ordinal, "the current device is kept");
    must(cudaSetDevice(run.ordinal), "device");
  }
}

}  // namespace ctconv::cuda::testing
