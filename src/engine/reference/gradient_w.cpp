// SPDX-License-Identifier: Apache-2.0
// The weight gradient: each weight sums, over the batch and the input positions, what it multiplied.
//
//   in:  x and y (the gradient of the output) by their strides
//   out: w (the gradient of the weight), every element written once; with epilogue.bias also bias. Either may be null
//   terms of w[g, ci, co, t]: all (n, i) in the order n, d, h, w whose o = i*s + t*d - lo lies in the core
//   terms of bias[g*co + c]:  all (n, o) of the core in the same order, each times 1
//   The terms are numbered by their place (n, i) among all places, also those that are left out. kChainTerms places
//   are one chain:   part = +0;  part = fma(x, y, part) over the chain;   sum = sum + part, from sum = +0
//   w = round(sum);   bias = sum, in the accumulator's type
//   f16, bf16: all of it in f32; f64 in f64. w may be kept in f32. packs: nothing;   scratch: none;   refuses: nothing
//   Tasks are weights and channels of the bias; each is one task's own, so the split cannot change a bit.
#include <algorithm>
#include <cmath>
#include <string>

#include "src/base/checked.h"
#include "src/base/elements.h"
#include "src/engine/reference/cost.h"
#include "src/engine/reference/gradients.h"

namespace ctconv::reference {
namespace {

// A sum of chains; the place says which chain a term belongs to.
template <class Acc>
class ChainSum {
 public:
  void add(int64_t place, Acc a, Acc b) {
    if (place / kChainTerms != chain_) {
      close();
      chain_ = place / kChainTerms;
    }
    part_ = std::fma(a, b, part_);
  }
  Acc total() {
    close();
    return sum_;
  }

 private:
  void close() {
    sum_ = sum_ + part_;
    part_ = Acc(0);
  }
  Acc sum_ = Acc(0), part_ = Acc(0);
  int64_t chain_ = 0;
};

// The inputs of tap t whose output lies in the core.
struct Inputs {
  int64_t begin = 0, end = 0;
};

Inputs inputs_of(const Axis& a, int64_t t) {
  const int64_t at = t * a.d - a.lo;  // output of input 0
  return {std::max<int64_t>(0, ceil_div(-at, a.s)), std::min(a.i, floor_div(a.o - 1 - at, a.s) + 1)};
}

template <class E>
typename E::Acc weight_sum(const Problem& p, const typename E::Stored* x, const typename E::Stored* y,
                           const std::array<int64_t, 3>& t) {
  const auto& a = p.axis;
  const Inputs d = inputs_of(a[0], t[0]), h = inputs_of(a[1], t[1]), v = inputs_of(a[2], t[2]);
  const auto output = [&](size_t axis, int64_t i) { return (i * a[axis].s + t[axis] * a[axis].d - a[axis].lo); };
  ChainSum<typename E::Acc> sum;
  for (int64_t n = 0; n < p.n; ++n) {
    for (int64_t id = d.begin; id < d.end; ++id) {
      for (int64_t ih = h.begin; ih < h.end; ++ih) {
        const auto* xr = x + n * p.x.n + id * p.x.axis[0] + ih * p.x.axis[1];
        const auto* yr = y + n * p.y.n + output(0, id) * p.y.axis[0] + output(1, ih) * p.y.axis[1];
        const int64_t place = ((n * a[0].i + id) * a[1].i + ih) * a[2].i;
        for (int64_t iw = v.begin; iw < v.end; ++iw) {
          sum.add(place + iw, E::load(xr[iw * p.x.axis[2]]), E::load(yr[output(2, iw) * p.y.axis[2]]));
        }
      }
    }
  }
  return sum.total();
}

template <class E>
typename E::Acc bias_sum(const Problem& p, const typename E::Stored* y) {
  ChainSum<typename E::Acc> sum;
  const auto& a = p.axis;
  int64_t place = 0;
  for (int64_t n = 0; n < p.n; ++n) {
    for (int64_t d = 0; d < a[0].o; ++d) {
      for (int64_t h = 0; h < a[1].o; ++h) {
        const auto* yr = y + n * p.y.n + d * p.y.axis[0] + h * p.y.axis[1];
        for (int64_t v = 0; v < a[2].o; ++v) sum.add(place++, E::load(yr[v * p.y.axis[2]]), typename E::Acc(1));
      }
    }
  }
  return sum.total();
}

// Where a channel begins. An empty batch has no elements and may have any strides: they are not looked at.
template <class T>
const T* channel_at(const Problem& p, const void* from, int64_t channel, int64_t stride) {
  return static_cast<const T*>(from) + (p.n == 0 ? 0 : channel * stride);
}

template <class E>
void task(const Problem& p, const Operands& m, int64_t index) {
  using Stored = typename E::Stored;
  const int64_t weights = m.w != nullptr ? p.weight_elements() : 0;
  if (index >= weights) {
    const int64_t channel = index - weights;
    static_cast<typename E::Acc*>(m.bias)[channel] = bias_sum<E>(p, channel_at<Stored>(p, m.y, channel, p.y.c));
    return;
  }
  const std::array<int64_t, 3> t{index / (p.axis[1].k * p.axis[2].k) % p.axis[0].k, index / p.axis[2].k % p.axis[1].k,
                                 index % p.axis[2].k};
  const int64_t pair = index / p.taps(), co = pair % p.co, ci = pair / p.co % p.ci, g = pair / p.co / p.ci;
  const auto* x = channel_at<Stored>(p, m.x, g * p.ci + ci, p.x.c);
  const auto* y = channel_at<Stored>(p, m.y, g * p.co + co, p.y.c);
  const typename E::Acc sum = weight_sum<E>(p, x, y, t);
  const int64_t place =
      g * p.w.g + ci * p.w.ci + co * p.w.co + t[0] * p.w.tap[0] + t[1] * p.w.tap[1] + t[2] * p.w.tap[2];
  if (p.types.w == p.types.x) {
    static_cast<Stored*>(m.w)[place] = E::store(sum);
  } else {
    static_cast<typename E::Acc*>(m.w)[place] = sum;  // kept as wide as it was summed
  }
}

class GradientW final : public Kernel {
 public:
  GradientW(const Problem& p, int32_t threads) : p_(p), threads_(threads) {}

  std::string form() const override { return "gradient of w, chains of " + std::to_string(kChainTerms) + " places"; }
  Bits bits() const override { return Bits::kReference; }
  double estimated_seconds() const override { return seconds_of(useful_flop(p_) * kGradientFlopCycles, threads_); }

  Status run(const Operands& memory, const Runner& runner) const override {
    const int64_t biases = p_.epilogue.bias && memory.bias != nullptr ? p_.groups * p_.co : 0;
    const int64_t weights = memory.w != nullptr ? p_.weight_elements() : 0;
    const bool counted = runner(weights + biases, [&](int64_t index, int32_t) {
      elements::with_element(p_.types.x, [&](auto e) { task<decltype(e)>(p_, memory, index); });
    });
    return counted ? Status() : runner_broke();
  }

 private:
  Problem p_;
  int32_t threads_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> gradient_w(const Problem& problem, int32_t threads) {
  return std::unique_ptr<Kernel>(std::make_unique<GradientW>(problem, threads));
}

}  // namespace ctconv::reference
