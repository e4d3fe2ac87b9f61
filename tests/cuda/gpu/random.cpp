// SPDX-License-Identifier: Apache-2.0
// Random problems on the device: uneven and negative lo, rims, tails, dilation with stride, views, weight orders,
// activations.
//
//   rows with the reference's bits: the bits of the scalar scan (tanh and sigmoid included)
//   other rows:                     equality on small integers
#include <cstdio>

#include "tests/cuda/gpu/device_memory.h"
#include "tests/cuda/gpu/run.h"

namespace ctconv::cuda::testing {
namespace {

struct Memory {  // kept from problem to problem
  Guarded x, w, bias, y, packed, workspace;
};

// Elements of y that differ from the scalar scan, which is also taken for the gaps of a view.
template <class T>
int64_t different(const Case<T>& c, const std::vector<T>& got, bool exact) {
  std::vector<T> expected(c.y.size(), poison<T>());
  for_each_output(c.p, [&](int64_t at, bool core, int64_t n, int64_t ch, int64_t d, int64_t h, int64_t v) {
    expected[static_cast<size_t>(at)] = core ? finish(c, ch, plain_sum(c, n, ch, d, h, v)) : narrow<T>(0);
  });
  int64_t wrong = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const bool zeros = !exact && widen(got[i]) == 0 && widen(expected[i]) == 0;  // the sign of a zero sum is theirs
    wrong += !zeros && !same_bits(got[i], expected[i]);
  }
  return wrong;
}

template <class T>
void execute(Memory& m, Random& r, const Case<T>& c, const CudaPlan& plan, bool weights_per_call) {
  const bool element = c.p.bias == CTCONV_CUDA_BIAS_ELEMENT;
  const size_t shift = r() % 3 == 0 ? sizeof(T) : 0;  // some pointers are only element-aligned
  m.x.resize(c.x.size() * sizeof(T), shift);
  m.w.resize(c.w.size() * sizeof(T), shift);
  m.y.resize(c.y.size() * sizeof(T), shift);
  m.bias.resize(element ? c.bias_element.size() * sizeof(T) : c.bias.size() * sizeof(Accumulator<T>));
  m.packed.resize(std::max<size_t>(16, plan.packed_bytes()));
  m.workspace.resize(std::max<size_t>(16, plan.workspace_bytes()));
  m.x.write(c.x.data());
  m.w.write(c.w.data());
  m.bias.write(element ? static_cast<const void*>(c.bias_element.data()) : c.bias.data());
  ctconv_cuda_call call{m.x.data(), m.w.data(), nullptr, m.bias.data(), m.y.data(), m.workspace.data(), nullptr};
  if (!weights_per_call && plan.packed_bytes()) {
    must(plan.pack(m.w.data(), m.packed.data(), nullptr), "pack");
    call.packed = m.packed.data();
  }
  must(plan.execute(call), "execute");
  must(cudaDeviceSynchronize(), "wait");
}

template <class T>
void one(Run& run, Memory& m, uint64_t seed, Limits limits, const KernelRow& row, int* ran) {
  Random r(seed);
  Case<T> c;
  const bool exact = row.reference_bits;
  c.p = random_problem(r, dtype_of<T>(), limits);
  if (!exact) {
    c.p.activation = c.p.activation >= 3 ? 1 : c.p.activation;
    c.p.alpha = 0.5;
  }
  fill(r, &c, !exact, false);
  ctconv_cuda_options o{};
  o.workspace_limit = SIZE_MAX;
  o.kernel = row.name;
  o.allow_tf32 = !exact;
  o.weights_per_call = r() % 2 == 0;
  const std::string name = "random " + std::to_string(seed) + " " + dtype_name(c.p.dtype) + " " + row.name;
  run.survive(name, [&] {
    auto planned = run.module->plan(run.ordinal, c.p, o);
    if (!planned.ok()) {
      const Code code = planned.status().code();
      if (code != Code::UNSUPPORTED_ENGINE && code != Code::DEVICE_NO_PLAN)
        run.check(false, name + ": " + planned.status().detail().message);
      return;
    }
    ++*ran;
    execute(m, r, c, **planned, o.weights_per_call != 0);
    const int64_t wrong = different(c, m.y.read<T>(), exact);
    run.check(wrong == 0, name + ": " + std::to_string(wrong) + " elements differ; " + (*planned)->describe());
    run.check(m.y.guards_whole() && m.workspace.guards_whole() && m.packed.guards_whole(),
              name + ": wrote outside y, workspace or packed weights; " + (*planned)->describe());
  });
}

}  // namespace

void run_random(Run& run) {
  Memory memory;
  const int rounds = run.quick ? std::min(run.rounds, 12) : run.rounds;
  for (const KernelRow& row : kernel_rows()) {
    if (!run.choice(row.name)) continue;
    Limits limits;
    limits.k_is_s = row.shapes == KernelRow::kStride;
    limits.depthwise = row.shapes == KernelRow::kDepthwise;
    int ran = 0, done = 0;
    for (int s = 0; s < rounds && !run.late(); ++s) {
      if (!run.mine(s)) continue;
      ++done;
      const uint64_t seed = run.seed * 1000003 + static_cast<uint64_t>(s) * 8;
      one<float>(run, memory, seed, limits, row, &ran);
      one<F16>(run, memory, seed + 1, limits, row, &ran);
      one<Bf16>(run, memory, seed + 2, limits, row, &ran);
      one<double>(run, memory, seed + 3, limits, row, &ran);
    }
    std::printf("%7.2f s  random problems, %-15s %d of %d run, %d failures so far\n", run.seconds(), row.name, ran,
                4 * done, run.failures);
    std::fflush(stdout);
    if (run.late()) run.report["not_reached"].push_back(std::string("random ") + row.name);
    if (done >= 8) run.check(ran > done / 4, std::string(row.name) + ": hardly any random problem reached it");
    run.report["random"][row.name] = ran;
    run.save();
  }
}

}  // namespace ctconv::cuda::testing
