// SPDX-License-Identifier: Apache-2.0
// Every layer, element type, order of axes and kernel that can, against f64 on the CPU; each plan runs twice.
//
//   fresh made-up data; y, its guards and the workspace hold NaN patterns before each run
//   on the device, over all of y: nothing left that is not finite, guards whole, the same bits in both runs
//   bound per sampled element: (K + 2) u_acc S + u_in S + u_out Y, S = sum |x w| + |b|, K = products of the element
//     u_acc 2^-23 (2^-52 in f64), u_in 2^-9 with TF32 else 0, u_out two roundings of the stored type: the larger of
//     |y| and |sum before the bias|, which a second pass for bias and activation reads back rounded
//   strict f32 data has 24 bits, so a TF32 plan that slipped in breaks the bound; half types get data they hold exactly
#include <cstdio>
#include <cstring>
#include <thread>

#include "tests/cuda/gpu/device_memory.h"
#include "tests/cuda/gpu/reference64.h"
#include "tests/cuda/gpu/run.h"

namespace ctconv::cuda::testing {
namespace {

enum Counter { kNotFinite, kGuards, kDifferent, kCounters = 8 };

// Kept from case to case; grows to the largest.
struct Memory {
  Guarded x, w, bias, y, again, packed, workspace, offsets;
  Guarded found;  // counters, then the sampled elements
  unsigned long long* count(Counter c) const { return static_cast<unsigned long long*>(found.data()) + c; }
  void* sampled() const { return static_cast<unsigned long long*>(found.data()) + kCounters; }
};

struct Data {
  Seeds seeds;
  Truth truth;
};

struct Type {
  const char* name;
  int32_t dtype;
  bool tf32, eight_bits;
};
constexpr Type kTypes[] = {{"f32", CTCONV_CUDA_F32, false, false},
                           {"tf32", CTCONV_CUDA_F32, true, false},
                           {"f16", CTCONV_CUDA_F16, false, true},
                           {"bf16", CTCONV_CUDA_BF16, false, true},
                           {"f64", CTCONV_CUDA_F64, false, false}};

struct Bound {
  double acc, in, out;
};
Bound bound_of(const Type& t) {
  switch (t.dtype) {
    case CTCONV_CUDA_F64:
      return {0x1p-52, 0, 0x1p-52};
    case CTCONV_CUDA_F32:
      return {0x1p-23, t.tf32 ? 0x1p-9 : 0, 0x1p-23};
    case CTCONV_CUDA_F16:
      return {0x1p-23, 0, 0x1p-10};
    default:
      return {0x1p-23, 0, 0x1p-7};
  }
}

double widened(const unsigned char* raw, int32_t dtype, size_t e) {
  const auto as = [&](auto v) {
    std::memcpy(&v, raw + e * sizeof(v), sizeof(v));
    return static_cast<double>(widen(v));
  };
  switch (dtype) {
    case CTCONV_CUDA_F64:
      return as(double{});
    case CTCONV_CUDA_F32:
      return as(float{});
    case CTCONV_CUDA_F16:
      return as(F16{});
    default:
      return as(Bf16{});
  }
}

void fill_inputs(Memory& m, const ctconv_cuda_problem& p, const Seeds& s) {
  const size_t size = element_bytes(p.dtype);
  Fill x{p.dtype, {}, {}, s.x, s.eight_bits};
  extents_of(p, false, x.extent);
  for (int a = 0; a < 5; ++a) x.stride[a] = p.x[a];
  const int64_t weights = weight_elements(p), channels = channels_out(p);
  const Fill w{p.dtype, {1, 1, 1, 1, weights}, {0, 0, 0, 0, 1}, s.w, s.eight_bits};
  const Fill bias{p.dtype, {1, 1, 1, 1, channels}, {0, 0, 0, 0, 1}, s.bias, s.eight_bits};
  m.x.resize(static_cast<size_t>(input_elements(p)) * size);
  m.w.resize(static_cast<size_t>(weights) * size);
  m.bias.resize(static_cast<size_t>(channels) * size);
  fill_on_device(m.x.data(), x, nullptr);
  fill_on_device(m.w.data(), w, nullptr);
  fill_on_device(m.bias.data(), bias, nullptr);
}

// Both runs and what the device says of them; the sampled elements come back raw.
std::vector<unsigned char> run_twice(Memory& m, const CudaPlan& plan, const ctconv_cuda_problem& p, size_t sampled,
                                     unsigned long long (&counts)[kCounters]) {
  const size_t size = element_bytes(p.dtype), bytes = static_cast<size_t>(core_elements(p)) * size;
  m.y.resize(bytes);
  m.again.resize(bytes);
  m.packed.resize(std::max<size_t>(plan.packed_bytes(), 16));
  m.workspace.resize(std::max<size_t>(plan.workspace_bytes(), 16));
  m.found.resize(kCounters * 8 + sampled * 8);
  must(cudaMemsetAsync(m.found.data(), 0, kCounters * 8, nullptr), "counters");
  if (plan.packed_bytes()) must(plan.pack(m.w.data(), m.packed.data(), nullptr), "pack");
  for (Guarded* y : {&m.y, &m.again}) {
    m.workspace.poison();
    must(plan.execute({m.x.data(), m.w.data(), plan.packed_bytes() ? m.packed.data() : nullptr, m.bias.data(),
                       y->data(), m.workspace.data(), nullptr}),
         "execute");
    count_not_finite(y->data(), p.dtype, core_elements(p), m.count(kNotFinite), nullptr);
    y->count_guards(m.count(kGuards), nullptr);
    m.workspace.count_guards(m.count(kGuards), nullptr);
  }
  m.packed.count_guards(m.count(kGuards), nullptr);
  for (const Guarded* in : {&m.x, &m.w, &m.bias}) in->count_guards(m.count(kGuards), nullptr);
  count_different(m.y.data(), m.again.data(), bytes, m.count(kDifferent), nullptr);
  gather_on_device(m.sampled(), m.y.data(), size, static_cast<const int64_t*>(m.offsets.data()),
                   static_cast<int64_t>(sampled), nullptr);
  std::vector<unsigned char> raw = m.found.read<unsigned char>();  // waits for all of the above
  std::memcpy(counts, raw.data(), sizeof(counts));
  raw.erase(raw.begin(), raw.begin() + kCounters * 8);
  return raw;
}

struct Judged {
  int64_t wrong = 0;
  double worst = 0;
  std::string first;
};

Judged judge(const ctconv_cuda_problem& p, const Type& type, const Truth& truth, const std::vector<int64_t>& sample,
             const std::vector<unsigned char>& raw) {
  const Bound bound = bound_of(type);
  const double products = static_cast<double>(p.ci) * static_cast<double>(p.axis[0].k * p.axis[1].k * p.axis[2].k);
  Judged j;
  for (size_t e = 0; e < sample.size(); ++e) {
    const double got = widened(raw.data(), p.dtype, e), want = truth.y[e], scale = truth.scale[e];
    const double allowed = ((products + 2) * bound.acc + bound.in) * scale +
                           bound.out * (std::max(std::fabs(want), std::fabs(truth.sum[e])) + scale * bound.acc) +
                           1e-30 + (p.dtype == CTCONV_CUDA_F16 ? 0x1p-24 : 0);
    const double error = std::fabs(got - want);
    if (std::isfinite(error)) j.worst = std::max(j.worst, error / allowed);
    if (error <= allowed) continue;
    if (++j.wrong == 1) {
      char text[160];
      std::snprintf(text, sizeof(text), "element %lld is %.9g, not %.9g", static_cast<long long>(sample[e]), got, want);
      j.first = text;
    }
  }
  return j;
}

void one(Run& run, Memory& m, const std::string& name, const ctconv_cuda_problem& p, const Type& type,
         const Truth& truth, const std::vector<int64_t>& sample, const char* kernel) {
  ctconv_cuda_options o{};
  o.allow_tf32 = type.tf32;
  o.workspace_limit = SIZE_MAX;
  o.kernel = kernel;
  o.reproducible = CTCONV_CUDA_DETERMINISTIC;
  auto planned = run.module->plan(run.ordinal, p, o);
  if (!planned.ok()) {
    const Code code = planned.status().code();
    if (kernel && (code == Code::UNSUPPORTED_ENGINE || code == Code::DEVICE_NO_PLAN))
      return;  // its own "can you?" says no
    run.check(false, name + ": " + planned.status().detail().message);
    return;
  }
  const CudaPlan& plan = **planned;
  unsigned long long counts[kCounters];
  const std::vector<unsigned char> raw = run_twice(m, plan, p, sample.size(), counts);
  const Judged j = judge(p, type, truth, sample, raw);
  const std::string plan_text = "; " + plan.describe();
  run.check(counts[kGuards] == 0, name + ": wrote outside y, workspace or packed weights" + plan_text);
  run.check(counts[kDifferent] == 0,
            name + ": two runs differ in " + std::to_string(counts[kDifferent]) + " places" + plan_text);
  run.check(counts[kNotFinite] == 0,
            name + ": " + std::to_string(counts[kNotFinite]) + " elements not finite in two runs" + plan_text);
  run.check(j.wrong == 0, name + ": " + std::to_string(j.wrong) + " of " + std::to_string(sample.size()) +
                              " elements outside the bound, worst " + std::to_string(j.worst) + " of it; " + j.first +
                              plan_text);
  nlohmann::json& ran = run.report["ran"][kernel ? kernel : "auto"];
  ran = ran.is_null() ? 1 : ran.get<int64_t>() + 1;
  run.report["correct"].push_back({{"case", name},
                                   {"elements", sample.size()},
                                   {"wrong", j.wrong},
                                   {"not_finite", counts[kNotFinite]},
                                   {"different", counts[kDifferent]},
                                   {"guards", counts[kGuards]},
                                   {"worst_of_bound", j.worst},
                                   {"plan", plan.describe()}});
}

// False: the deadline came first.
bool one_layer(Run& run, Memory& m, const Layer& layer, unsigned threads) {
  const ctconv_cuda_problem base = problem_of(layer, CTCONV_CUDA_F32, false);
  const std::vector<int64_t> sample = sample_of(base, run.seed);
  Data data[2];  // 24 bits; eight bits
  for (const bool eight : {false, true}) {
    const Seeds seeds = seeds_of(run.seed, eight);
    data[eight] = {seeds, truth_of(base, seeds, sample, threads)};
  }
  std::vector<const char*> kernels;
  for (const KernelRow& row : kernel_rows()) kernels.push_back(row.name);
  kernels.push_back(nullptr);
  for (const bool last : {false, true}) {
    if (!run.order(last)) continue;
    std::vector<int64_t> offsets(sample.size());
    const ctconv_cuda_problem laid = problem_of(layer, CTCONV_CUDA_F32, last);
    int64_t e[5];
    extents_of(laid, true, e);
    for (size_t s = 0; s < sample.size(); ++s) {
      int64_t rest = sample[s];
      for (int a = 4; a >= 0; --a) {
        offsets[s] += rest % e[a] * laid.y[a];
        rest /= e[a];
      }
    }
    m.offsets.resize(offsets.size() * 8);
    m.offsets.write(offsets.data());
    for (const Type& type : kTypes) {
      if (!run.type(type.name)) continue;
      const ctconv_cuda_problem p = problem_of(layer, type.dtype, last);
      if (!type.tf32 || !run.type("f32")) fill_inputs(m, p, data[type.eight_bits].seeds);  // else there since f32
      for (const char* kernel : kernels) {
        if (!run.choice(kernel ? kernel : "auto")) continue;
        if (run.late()) return false;
        const std::string name =
            layer.id + " " + type.name + (last ? " last " : " first ") + (kernel ? kernel : "auto");
        run.survive(name, [&] { one(run, m, name, p, type, data[type.eight_bits].truth, sample, kernel); });
      }
    }
  }
  return true;
}

}  // namespace

void run_correct(Run& run) {
  Memory memory;
  const unsigned threads =
      std::max(1u, std::thread::hardware_concurrency() / static_cast<unsigned>(std::max<int64_t>(1, run.slices)));
  run.report["not_reached"] = nlohmann::json::array();
  // Where nothing was left out by an option, each row must run somewhere: tools/gpu/merge.py looks.
  run.report["selected"] =
      run.quick || !run.only.empty() || !run.types.empty() || !run.orders.empty() || !run.choices.empty();
  for (const KernelRow& row : kernel_rows()) run.report["ran"][row.name] = 0;
  int64_t item = 0;
  for (const Layer& layer : run.layers) {
    if (!run.wanted(layer)) continue;
    const double flop = 2.0 * static_cast<double>(input_elements(layer.p)) * static_cast<double>(layer.p.co) *
                        static_cast<double>(layer.p.axis[0].k * layer.p.axis[1].k * layer.p.axis[2].k);
    if (run.quick && flop > 3e7) continue;
    if (!run.mine(item++)) continue;
    if (run.late() || !one_layer(run, memory, layer, threads)) {
      run.report["not_reached"].push_back(layer.id);
      continue;
    }
    run.save();
    std::printf("%7.2f s  %-28s correct so far, %d failures\n", run.seconds(), layer.id.c_str(), run.failures);
    std::fflush(stdout);
  }
  if (!run.report["not_reached"].empty())
    std::printf("NOT REACHED before the deadline: %s\n", run.report["not_reached"].dump().c_str());
}

}  // namespace ctconv::cuda::testing
