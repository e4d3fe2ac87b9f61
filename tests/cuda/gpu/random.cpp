// Random problems on the device: uneven and negative lo, rims, tails, dilation with stride, views, weight orders,
// activations.
//
//   exact kernels: the bits of the scalar scan (tanh and sigmoid included)
//   cudnn:         equality on small integers
#include <cstdio>

#include "tests/cuda/gpu/device_memory.h"
#include "tests/cuda/gpu/run.h"

namespace ctconv::cuda::testing {
namespace {

template <class T>
void one(Run& run, uint64_t seed, Limits limits, const char* kernel, bool exact, int* ran) {
  Random r(seed);
  Case<T> c;
  c.p = random_problem(r, dtype_of<T>(), limits);
  if (!exact) c.p.activation = c.p.activation >= 3 ? 1 : c.p.activation, c.p.alpha = 0.5;
  fill(r, &c, !exact, false);
  ctconv_cuda_options o{};
  o.workspace_limit = SIZE_MAX, o.kernel = kernel, o.allow_tf32 = !exact, o.weights_per_call = r() % 2 == 0;
  const std::string name = "random " + std::to_string(seed) + " " + dtype_name(c.p.dtype) + " " + kernel;
  auto planned = run.module->plan(run.ordinal, c.p, o);
  if (!planned.ok()) {
    const Code code = planned.status().code();
    if (code != Code::UNSUPPORTED_ENGINE && code != Code::DEVICE_NO_PLAN)
      run.check(false, name + ": " + planned.status().detail().message);
    return;
  }
  ++*ran;
  const CudaPlan& plan = **planned;
  const bool element = c.p.bias == CTCONV_CUDA_BIAS_ELEMENT;
  const size_t shift = r() % 3 == 0 ? sizeof(T) : 0;  // some pointers are only element-aligned
  Guarded x(c.x.size() * sizeof(T), shift), w(c.w.size() * sizeof(T), shift), y(c.y.size() * sizeof(T), shift);
  Guarded bias(element ? c.bias_element.size() * sizeof(T) : c.bias.size() * sizeof(Accumulator<T>));
  Guarded packed(std::max<size_t>(16, plan.packed_bytes())), workspace(std::max<size_t>(16, plan.workspace_bytes()));
  x.write(c.x.data()), w.write(c.w.data());
  bias.write(element ? static_cast<const void*>(c.bias_element.data()) : c.bias.data());
  ctconv_cuda_call call{x.data(), w.data(), nullptr, bias.data(), y.data(), workspace.data(), nullptr};
  if (!o.weights_per_call && plan.packed_bytes()) {
    must(plan.pack(w.data(), packed.data(), nullptr), "pack");
    call.packed = packed.data();
  }
  must(plan.execute(call), name.c_str());
  must(cudaDeviceSynchronize(), name.c_str());
  const std::vector<T> got = y.read<T>();
  std::vector<T> expected(c.y.size(), poison<T>());
  for_each_output(c.p, [&](int64_t at, bool core, int64_t n, int64_t ch, int64_t d, int64_t h, int64_t v) {
    expected[static_cast<size_t>(at)] = core ? finish(c, ch, plain_sum(c, n, ch, d, h, v)) : narrow<T>(0);
  });
  int64_t wrong = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const bool zeros =
        !exact && widen(got[i]) == 0 && widen(expected[i]) == 0;  // the sign of a zero sum is cuDNN's own
    wrong += !zeros && !same_bits(got[i], expected[i]);
  }
  run.check(wrong == 0, name + ": " + std::to_string(wrong) + " elements differ; " + plan.describe());
  run.check(y.guards_whole(), name + ": wrote outside y");
}

}  // namespace

void run_random(Run& run) {
  const int rounds = run.quick ? 12 : 120;
  for (const char* kernel : kernel_names()) {
    const std::string k = kernel;
    const bool exact = k != "cudnn" && k != "shuffle-tensor";
    Limits limits;
    limits.k_is_s = k == "shuffle" || k == "shuffle-tensor";
    limits.depthwise = k == "pixel";
    int ran = 0;
    for (int s = 0; s < rounds; ++s) {
      const uint64_t seed = run.seed * 1000003 + static_cast<uint64_t>(s) * 8;
      one<float>(run, seed, limits, kernel, exact, &ran);
      one<F16>(run, seed + 1, limits, kernel, exact, &ran);
      one<Bf16>(run, seed + 2, limits, kernel, exact, &ran);
      one<double>(run, seed + 3, limits, kernel, exact, &ran);
    }
    std::printf("random problems, %-15s %d run, %d failures so far\n", kernel, ran, run.failures);
    run.check(ran > rounds / 4, k + ": hardly any random problem reached it");
    run.report["random"][k] = ran;
  }
}

}  // namespace ctconv::cuda::testing
