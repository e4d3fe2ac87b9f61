// Values that the units may multiply: found before a call, so that another engine computes the others.
//
//   fit:  0, and magnitudes within a range of x and one of w, so that no product and no sum of any length overflows,
//         and none falls into the subnormal numbers, which the units take for zero
//   not:  Inf, NaN, subnormal numbers, and what lies beyond the ranges
//   bf16: |x| in [2^-62, 2^60), |w| in [2^-50, 2^44): every product and sum is a multiple of 2^-126 and below 2^127
//   f32:  |x| in [2^-50, 2^60), |w| in [2^-46, 2^44): parts of both are normal numbers, and what products of parts lose
//         to zero is below 2^-29 of the product of the values
//   f16:  all finite numbers
//   in:  weights as packed, x as the caller's layout says;   out: whether every value is fit
#pragma once

#include <cstdint>

#include "src/base/runner.h"
#include "src/problem/problem.h"

namespace ctconv::tiles {

// Magnitudes 2^low <= |v| < 2^high.
struct ValueRange {
  int low, high;
};
constexpr ValueRange input_range(Dtype t) { return t == Dtype::kF32 ? ValueRange{-50, 60} : ValueRange{-62, 60}; }
constexpr ValueRange weight_range(Dtype t) { return t == Dtype::kF32 ? ValueRange{-46, 44} : ValueRange{-50, 44}; }

// Looks at the bit patterns of bf16, f16 (uint16_t) or f32 (uint32_t) values.
template <class Bits>
class Judge {
 public:
  Judge(Dtype type, ValueRange range)
      : low_(type == Dtype::kF16 ? Bits{1} : power(range.low)),
        most_(static_cast<Bits>((type == Dtype::kF16 ? kF16Infinity : power(range.high)) - low_ - 1)) {}

  void look(Bits bits) {
    const auto magnitude = static_cast<Bits>(bits & kMagnitude);
    const auto above = static_cast<Bits>(magnitude == 0 ? 0 : magnitude - low_);  // wraps below the range
    largest_ = above > largest_ ? above : largest_;
  }
  bool fit() const { return largest_ <= most_; }

 private:
  static constexpr auto kMagnitude = static_cast<Bits>(static_cast<Bits>(~Bits{0}) >> 1);
  static constexpr Bits power(int exponent) {
    return static_cast<Bits>(static_cast<uint32_t>(exponent + 127) << (8 * sizeof(Bits) - 9));
  }
  static constexpr auto kF16Infinity = static_cast<Bits>(0x7c00u);
  Bits low_, most_, largest_ = 0;
};

inline constexpr const char* kWeightsNotFit =
    "the weight holds an Inf or NaN, or a number too small or too large for bf16 products";

// *broken: the runner did not keep its contract.
bool fit_input(const Problem& p, const void* x, const Runner& runner, bool* broken);

}  // namespace ctconv::tiles
