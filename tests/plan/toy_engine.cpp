// SPDX-License-Identifier: Apache-2.0
// An engine as a newcomer writes it: this file, and its line in a table of engines.
//
//   y = int8 x int8, summed in int32: as it is, or rescaled and rounded to f32;   in:  raw x, packed w, bias in int32
//   bits:    stable: sums of integers are the same in any order, and the rescale is one multiply and one add in f64
//   packs:   w as [group][co][tap][ci], one byte each, so that a sum runs over neighbours
//   refuses: any other type, an activation, a gradient (all by kKnown); an empty problem
//   Tasks are (n, output channel); each output is one task's own.
#include "tests/plan/toy_engine.h"

#include <array>

#include "src/base/checked.h"

namespace ctconv::test {
namespace {

constexpr Types kTypes[] = {{Dtype::kI8, Dtype::kI8, Dtype::kI32, Dtype::kI32},
                            {Dtype::kI8, Dtype::kI8, Dtype::kF32, Dtype::kI32}};
constexpr Knows kKnown{.written = kForwardOnly, .types = kTypes, .rescale = true};

class ToyKernel final : public Kernel {
 public:
  explicit ToyKernel(const Problem& p) : p_(p) {}

  std::string form() const override { return "plain sums of bytes"; }
  Bits bits() const override { return Bits::kStable; }
  double estimated_seconds() const override { return 1e-6 + useful_flop(p_) * 1e-9; }
  size_t packed_bytes() const override { return static_cast<size_t>(p_.weight_elements()); }
  std::string packing() const override { return "co, tap, ci"; }

  Result<bool> pack(const void* w, void* packed, const Runner&) const override {
    const auto* from = static_cast<const int8_t*>(w);
    auto* to = static_cast<int8_t*>(packed);
    for (int64_t channel = 0; channel < p_.groups * p_.co; ++channel) {
      for (int64_t tap = 0; tap < p_.taps(); ++tap) {
        const std::array<int64_t, 3> t = split(tap, &Axis::k);
        const auto* source = from + channel / p_.co * p_.w.g + channel % p_.co * p_.w.co + t[0] * p_.w.tap[0] +
                             t[1] * p_.w.tap[1] + t[2] * p_.w.tap[2];
        for (int64_t ci = 0; ci < p_.ci; ++ci) *to++ = source[ci * p_.w.ci];
      }
    }
    return true;
  }

  Status run(const Operands& m, const Runner& runner) const override {
    const int64_t channels = p_.groups * p_.co, points = p_.axis[0].o * p_.axis[1].o * p_.axis[2].o;
    const bool counted = runner(p_.n * channels, [&](int64_t task, int32_t) {
      const int64_t n = task / channels, channel = task % channels;
      for (int64_t point = 0; point < points; ++point) {
        const std::array<int64_t, 3> o = split(point, &Axis::o);
        const int64_t at = n * p_.y.n + channel * p_.y.c + along(o, p_.y.axis);
        const int32_t sum = sum_of(m, n, channel, o);
        if (p_.types.y == Dtype::kI32) {
          static_cast<int32_t*>(m.y)[at] = sum;
        } else {
          const double scaled = p_.epilogue.rescale.scale * sum;
          static_cast<float*>(m.y)[at] = static_cast<float>(scaled + p_.epilogue.rescale.zero_point);
        }
      }
    });
    return counted ? Status() : runner_broke();
  }

 private:
  // The point with that number, counted d, h, w over an extent of all axes.
  std::array<int64_t, 3> split(int64_t number, int64_t Axis::*extent) const {
    const int64_t h = p_.axis[1].*extent, w = p_.axis[2].*extent;
    return {number / (h * w), number / w % h, number % w};
  }
  static int64_t along(const std::array<int64_t, 3>& at, const std::array<int64_t, 3>& strides) {
    return at[0] * strides[0] + at[1] * strides[1] + at[2] * strides[2];
  }

  int32_t sum_of(const Operands& m, int64_t n, int64_t channel, const std::array<int64_t, 3>& o) const {
    const auto* x = static_cast<const int8_t*>(m.x) + n * p_.x.n + channel / p_.co * p_.ci * p_.x.c;
    const auto* w = static_cast<const int8_t*>(m.packed) + channel * p_.taps() * p_.ci;
    int32_t sum = p_.epilogue.bias && m.bias != nullptr ? static_cast<const int32_t*>(m.bias)[channel] : 0;
    for (int64_t tap = 0; tap < p_.taps(); ++tap, w += p_.ci) {
      const std::array<int64_t, 3> t = split(tap, &Axis::k);
      std::array<int64_t, 3> i;
      bool meets = true;
      for (size_t a = 0; a < 3; ++a) {
        const Axis& axis = p_.axis[a];
        const int64_t reach = o[a] + axis.lo - t[a] * axis.d;
        i[a] = floor_div(reach, axis.s);
        meets = meets && i[a] * axis.s == reach && i[a] >= 0 && i[a] < axis.i;
      }
      if (!meets) continue;
      const auto* from = x + along(i, p_.x.axis);
      for (int64_t ci = 0; ci < p_.ci; ++ci) sum += int32_t{from[ci * p_.x.c]} * w[ci];
    }
    return sum;
  }

  Problem p_;
};

Result<std::unique_ptr<Kernel>> make(const Problem& p, const PlanContext&) {
  if (p.empty()) return refuse("toy: the output is empty");
  if (p.types.y == Dtype::kI32 && !p.epilogue.rescale.identity()) return refuse("toy: no rescaled int32");
  return std::unique_ptr<Kernel>(std::make_unique<ToyKernel>(p));
}

}  // namespace

const Engine kToyEngine{"toy", Bits::kStable, kKnown, make};

}  // namespace ctconv::test
