// SPDX-License-Identifier: Apache-2.0
// Whether all values of a tensor have magnitudes within a range, for engines that honour only such values.
//
//   in:  f32, bf16 or f16 values: a dense array, or x as the problem's layout says; a range of magnitudes
//   out: whether each value v is 0 or has low <= |v| <= most
//   Magnitudes are compared as bit patterns without the sign: they grow with the values, Inf and NaN are the largest.
//   Integer work without a branch, so that compilers make vectors of it.
#pragma once

#include <cstdint>

#include "src/base/runner.h"
#include "src/problem/problem.h"

namespace ctconv::kit {

// Bit patterns, 1 <= low <= most.
struct Magnitudes {
  uint32_t low = 1, most = 0;
};

// The bit pattern of 2^exponent, a normal number of f32 and bf16.
constexpr uint32_t power_bits(Dtype type, int exponent) {
  return static_cast<uint32_t>(exponent + 127) << (type == Dtype::kF32 ? 23 : 7);
}

// All finite numbers.
constexpr Magnitudes finite_magnitudes(Dtype type) {
  return {1, type == Dtype::kF32 ? 0x7f7fffffu : type == Dtype::kBf16 ? 0x7f7fu : 0x7bffu};
}

// Looks at one value after the other. Bits: uint32_t for f32, uint16_t for the others.
template <class Bits>
class MagnitudeJudge {
 public:
  explicit MagnitudeJudge(Magnitudes range)
      : low_(static_cast<Bits>(range.low - 1)), most_(static_cast<Bits>(range.most)) {}

  void look(Bits bits) {
    const auto magnitude = static_cast<Bits>(bits & kMagnitude);
    const auto below = static_cast<Bits>(magnitude - 1);  // of zero the largest number: it is never too small
    largest_ = magnitude > largest_ ? magnitude : largest_;
    least_ = below < least_ ? below : least_;
  }
  bool fit() const { return largest_ <= most_ && least_ >= low_; }

 private:
  static constexpr auto kMagnitude = static_cast<Bits>(static_cast<Bits>(~Bits{0}) >> 1);
  Bits low_, most_, largest_ = 0, least_ = static_cast<Bits>(~Bits{0});
};

bool all_within(Magnitudes range, Dtype type, const void* values, int64_t count);

// *broken: the runner did not keep its contract.
bool input_within(Magnitudes range, const Problem& p, const void* x, const Runner& runner, bool* broken);

}  // namespace ctconv::kit
