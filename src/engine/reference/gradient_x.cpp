// SPDX-License-Identifier: Apache-2.0
// The data gradient: each input element gathers the outputs that its taps reached.
//
//   in:  y (the gradient of the output) and raw w by their strides
//   out: x (the gradient of the input), every element written once
//   acc = +0
//   for co: for taps t (d, h, w, each from the last to the first) whose o = i*s + t*d - lo lies in the core:
//           acc = fma(y[co,o], w[ci,co,t], acc)
//   x = round(acc + 0)
//   That is the forward pass's order: y is read from its end, so that without strides a gradient is a forward problem.
//   f16, bf16: all of it in f32, rounded once at the store; f64 in f64. Rows of y's tail are not read.
//   packs: nothing;   scratch: none;   refuses: nothing
//   Tasks are (n x input channel x row of d); each element is one task's own, so the split cannot change a bit.
#include <algorithm>
#include <cmath>
#include <string>

#include "src/base/checked.h"
#include "src/base/elements.h"
#include "src/engine/reference/cost.h"
#include "src/engine/reference/gradients.h"

namespace ctconv::reference {
namespace {

// The taps of input i whose output lies in the core: first .. last, every one of them; o of the first.
struct Reach {
  int64_t first = 0, count = 0, o = 0;
};

Reach reach_of(const Axis& a, int64_t i) {
  const int64_t at = i * a.s - a.lo;  // output of tap 0
  const int64_t first = std::max<int64_t>(0, ceil_div(-at, a.d));
  const int64_t last = std::min(a.k - 1, floor_div(a.o - 1 - at, a.d));
  if (last < first) return {};
  return {first, last - first + 1, at + first * a.d};
}

template <class E>
typename E::Acc gathered(const Problem& p, const typename E::Stored* y, const typename E::Stored* w,
                         const std::array<Reach, 3>& r) {
  typename E::Acc acc(0);
  const auto& [d, h, v] = r;
  for (int64_t co = 0; co < p.co; ++co) {
    for (int64_t a = d.count; a-- > 0;) {
      for (int64_t b = h.count; b-- > 0;) {
        const auto* yr = y + co * p.y.c + (d.o + a * p.axis[0].d) * p.y.axis[0] +
                         (h.o + b * p.axis[1].d) * p.y.axis[1] + v.o * p.y.axis[2];
        const auto* wr =
            w + co * p.w.co + (d.first + a) * p.w.tap[0] + (h.first + b) * p.w.tap[1] + v.first * p.w.tap[2];
        for (int64_t c = v.count; c-- > 0;) {
          acc = std::fma(E::load(yr[c * p.axis[2].d * p.y.axis[2]]), E::load(wr[c * p.w.tap[2]]), acc);
        }
      }
    }
  }
  return acc;
}

template <class E>
void task(const Problem& p, const Operands& m, int64_t index) {
  using Stored = typename E::Stored;
  const int64_t channels = p.groups * p.ci, id = index % p.axis[0].i;
  const int64_t channel = index / p.axis[0].i % channels, n = index / p.axis[0].i / channels;
  const int64_t g = channel / p.ci;
  const auto* y = static_cast<const Stored*>(m.y) + n * p.y.n + g * p.co * p.y.c;
  const auto* w = static_cast<const Stored*>(m.w) + g * p.w.g + channel % p.ci * p.w.ci;
  auto* x = static_cast<Stored*>(m.x) + n * p.x.n + channel * p.x.c + id * p.x.axis[0];
  std::array<Reach, 3> r{reach_of(p.axis[0], id)};
  for (int64_t ih = 0; ih < p.axis[1].i; ++ih) {
    r[1] = reach_of(p.axis[1], ih);
    for (int64_t iw = 0; iw < p.axis[2].i; ++iw) {
      r[2] = reach_of(p.axis[2], iw);
      x[ih * p.x.axis[1] + iw * p.x.axis[2]] = E::store(gathered<E>(p, y, w, r) + typename E::Acc(0));
    }
  }
}

class GradientX final : public Kernel {
 public:
  GradientX(const Problem& p, int32_t threads) : p_(p), threads_(threads) {}

  std::string form() const override { return "gradient of x, gather, one chain of fma an element"; }
  Bits bits() const override { return Bits::kReference; }
  double estimated_seconds() const override { return seconds_of(useful_flop(p_) * kGradientFlopCycles, threads_); }

  Status run(const Operands& memory, const Runner& runner) const override {
    const bool counted = runner(p_.n * p_.groups * p_.ci * p_.axis[0].i, [&](int64_t index, int32_t) {
      elements::with_element(p_.types.x, [&](auto e) { task<decltype(e)>(p_, memory, index); });
    });
    return counted ? Status() : runner_broke();
  }

 private:
  Problem p_;
  int32_t threads_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> gradient_x(const Problem& problem, int32_t threads) {
  return std::unique_ptr<Kernel>(std::make_unique<GradientX>(problem, threads));
}

}  // namespace ctconv::reference
