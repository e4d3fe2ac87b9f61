// SPDX-License-Identifier: Apache-2.0
// The reference engine: each output element gathers its own taps.
//
//   in:  raw x and w by their strides, bias dense
//   out: the core of y, every element written once
//   acc = +0
//   for ci: for taps t (d, h, w) that meet an input i with i*s + t*d - lo == o:  acc = fma(x[ci,i], w[ci,c,t], acc)
//   y = round(act(acc + bias)), bias +0 where absent
//   f16, bf16: all of it in f32, rounded once at the store; f64 in f64
//
//   The gradients stand in gradient_x.cpp and gradient_w.cpp.
//   packs: nothing;   scratch: none (so it runs under any workspace limit);   refuses: nothing
//   Tasks are (n x channel x block of rows); each element is one task's own, so the split cannot change a bit.
#include "src/engine/reference/reference.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "src/base/activation.h"
#include "src/base/elements.h"
#include "src/engine/reference/cost.h"
#include "src/engine/reference/gradients.h"
#include "src/engine/reference/taps.h"

namespace ctconv {
namespace {

using reference::AxisTaps;
using reference::Taps;

struct Job {
  const Problem* p;
  AxisTaps axis[3];
  const Operands* memory;
  int64_t row_blocks, rows_per_block;
};

template <class T>
inline T activate(const Activation& act, T v) {
  switch (act.kind) {
    case Activation::kNone:
      return v;
    case Activation::kRelu:
      return relu(v);
    case Activation::kLeakyRelu:
      return leaky_relu(v, static_cast<T>(act.alpha));
    case Activation::kTanh:
      return tanh_exact_steps(v);
    case Activation::kSigmoid:
      return sigmoid_exact_steps(v);
    case Activation::kClip:
      return clip(v, static_cast<T>(act.alpha), static_cast<T>(act.beta));
  }
  return v;
}

#define CTCONV_INLINE [[gnu::always_inline]] inline
#define CTCONV_ALWAYS __attribute__((always_inline))

// kCount neighbours of one w phase (same taps, inputs one apart): kCount independent chains, each in the fixed order.
template <class E, int kCount, bool kUnit>
CTCONV_INLINE void chains(const Job& job, const typename E::Stored* x, const typename E::Stored* w, const Taps (&t)[3],
                          typename E::Acc* acc) {
  const Problem& p = *job.p;
  const int64_t neighbour = kUnit ? 1 : p.x.axis[2];
  typename E::Acc sum[kCount] = {};
  const bool met = t[0].count * t[1].count * t[2].count != 0;
  for (int64_t ci = 0; met && ci < p.ci; ++ci) {
    for (int64_t a = 0; a < t[0].count; ++a) {
      for (int64_t b = 0; b < t[1].count; ++b) {
        const auto* xr = x + ci * p.x.c + (t[0].i - a * job.axis[0].input_step) * p.x.axis[0] +
                         (t[1].i - b * job.axis[1].input_step) * p.x.axis[1] + t[2].i * p.x.axis[2];
        const auto* wr = w + ci * p.w.ci + (t[0].first + a * job.axis[0].tap_step) * p.w.tap[0] +
                         (t[1].first + b * job.axis[1].tap_step) * p.w.tap[1] + t[2].first * p.w.tap[2];
        for (int64_t c = 0; c < t[2].count; ++c) {
          const auto tap = E::load(wr[c * job.axis[2].tap_step * p.w.tap[2]]);
          const auto* xc = xr - c * job.axis[2].input_step * p.x.axis[2];
          for (int v = 0; v < kCount; ++v) sum[v] = std::fma(E::load(xc[v * neighbour]), tap, sum[v]);
        }
      }
    }
  }
  for (int v = 0; v < kCount; ++v) acc[v] = sum[v];
}

template <class E, int kCount>
CTCONV_INLINE void block(const Job& job, const typename E::Stored* x, const typename E::Stored* w, const Taps (&t)[3],
                         typename E::Acc bias, typename E::Stored* y) {
  const Problem& p = *job.p;
  typename E::Acc acc[kCount];
  if (kCount > 1 && p.x.axis[2] == 1) {
    chains<E, kCount, true>(job, x, w, t, acc);
  } else {
    chains<E, kCount, false>(job, x, w, t, acc);
  }
  for (int v = 0; v < kCount; ++v) {
    y[v * p.axis[2].s * p.y.axis[2]] = E::store(activate<typename E::Acc>(p.epilogue.activation, acc[v] + bias));
  }
}

template <class E>
CTCONV_INLINE void task(const Job& job, int64_t index) {
  const Problem& p = *job.p;
  const int64_t rows = p.axis[0].o * p.axis[1].o, channels = p.groups * p.co;
  const int64_t begin = index % job.row_blocks * job.rows_per_block;
  const int64_t end = std::min(rows, begin + job.rows_per_block);
  const int64_t channel = index / job.row_blocks % channels, n = index / job.row_blocks / channels;
  const int64_t g = channel / p.co;
  using Stored = typename E::Stored;
  const auto* x = static_cast<const Stored*>(job.memory->x) + n * p.x.n + g * p.ci * p.x.c;
  const auto* w = static_cast<const Stored*>(job.memory->w) + g * p.w.g + channel % p.co * p.w.co;
  auto* y = static_cast<Stored*>(job.memory->y) + n * p.y.n + channel * p.y.c;
  const auto* biases = static_cast<const typename E::Acc*>(job.memory->bias);
  const typename E::Acc bias = p.epilogue.bias && biases != nullptr ? biases[channel] : typename E::Acc(0);

  const int64_t s = p.axis[2].s, ow = p.axis[2].o;
  for (int64_t row = begin; row < end; ++row) {
    const int64_t od = row / p.axis[1].o, oh = row % p.axis[1].o;
    Taps t[3] = {job.axis[0].at(od), job.axis[1].at(oh), {}};
    auto* yr = y + od * p.y.axis[0] + oh * p.y.axis[1];
    for (int64_t phase = 0; phase < std::min(s, ow); ++phase) {
      const int64_t positions = (ow - phase + s - 1) / s;
      for (int64_t m = 0; m < positions;) {
        const int64_t o = phase + m * s;
        t[2] = job.axis[2].at(o);
        // first and last of a block agree in their taps: so do all between, both ends of the range only grow with o
        const auto alike = [&](int64_t count) {
          if (m + count > positions || t[2].count == 0) return false;
          const Taps last = job.axis[2].at(o + (count - 1) * s);
          return last.first == t[2].first && last.count == t[2].count;
        };
        if (alike(16)) {
          block<E, 16>(job, x, w, t, bias, yr + o * p.y.axis[2]);
          m += 16;
        } else if (alike(4)) {
          block<E, 4>(job, x, w, t, bias, yr + o * p.y.axis[2]);
          m += 4;
        } else {
          block<E, 1>(job, x, w, t, bias, yr + o * p.y.axis[2]);
          m += 1;
        }
      }
    }
  }
}

CTCONV_INLINE void any_task(const Job& job, int64_t index) {
  elements::with_element(job.p->types.y, [&](auto e) CTCONV_ALWAYS { task<decltype(e)>(job, index); });
}

// Two builds of one source: where the CPU fuses, std::fma is an instruction, elsewhere the C library's (same bits).
void plain_task(const Job& job, int64_t index) { any_task(job, index); }
#if defined(__x86_64__)
[[gnu::target("avx2,fma")]] void fused_task(const Job& job, int64_t index) { any_task(job, index); }
bool cpu_fuses() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#else
void fused_task(const Job& job, int64_t index) { any_task(job, index); }
bool cpu_fuses() { return true; }
#endif

class ReferenceKernel final : public Kernel {
 public:
  ReferenceKernel(const Problem& p, int32_t threads) : p_(p), threads_(threads), fused_(cpu_fuses()) {
    for (int a = 0; a < 3; ++a) axis_[a] = AxisTaps(p.axis[a]);
    // About four tasks a thread, but rows stay whole.
    const int64_t rows = p.empty() ? 0 : p.axis[0].o * p.axis[1].o;
    const int64_t planes = p.empty() ? 0 : p.n * p.groups * p.co;
    const int64_t wanted = planes == 0 ? 1 : (4 * int64_t{threads} + planes - 1) / planes;
    rows_per_block_ = std::max<int64_t>(1, rows / std::max<int64_t>(1, wanted));
    row_blocks_ = (rows + rows_per_block_ - 1) / rows_per_block_;
    tasks_ = planes * row_blocks_;
  }

  std::string form() const override {
    return std::string("gather, one chain of fma an element, ") + (fused_ ? "fma instruction" : "libm fma") + ", " +
           std::to_string(tasks_) + " tasks";
  }

  Bits bits() const override { return Bits::kReference; }
  double estimated_seconds() const override {
    const double per_flop = fused_ ? reference::kFusedFlopCycles : reference::kLibraryFlopCycles;
    const double work = useful_flop(p_) * per_flop + static_cast<double>(p_.out_elements()) * reference::kElementCycles;
    return reference::seconds_of(work, threads_);
  }

  Status run(const Operands& memory, const Runner& runner) const override {
    if (p_.empty()) return {};
    Job job{&p_, {axis_[0], axis_[1], axis_[2]}, &memory, row_blocks_, rows_per_block_};
    const bool counted =
        runner(tasks_, [&](int64_t index, int32_t) { fused_ ? fused_task(job, index) : plain_task(job, index); });
    if (!counted) return runner_broke();
    return {};
  }

 private:
  Problem p_;
  AxisTaps axis_[3];
  int32_t threads_;
  bool fused_;
  int64_t rows_per_block_ = 1, row_blocks_ = 0, tasks_ = 0;
};

Result<std::unique_ptr<Kernel>> make(const Problem& problem, const PlanContext& context) {
  const int32_t threads = std::max(1, context.threads);
  switch (problem.written) {
    case Written::kY:
      return std::unique_ptr<Kernel>(std::make_unique<ReferenceKernel>(problem, threads));
    case Written::kX:
      return reference::gradient_x(problem, threads);
    case Written::kW:
      return reference::gradient_w(problem, threads);
  }
  return Status(Code::INTERNAL, "reference: an operand it has never heard of");
}

}  // namespace

const Engine kReferenceEngine = {"reference", Bits::kReference, kEveryFloat, make};

}  // namespace ctconv
