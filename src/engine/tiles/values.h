// SPDX-License-Identifier: Apache-2.0
// Values that the units may multiply: found before a call, so that another engine computes the others.
//
//   fit:  0, and magnitudes within a range of x and one of w, so that no product and no sum of any length overflows,
//         and none falls into the subnormal numbers, which the units take for zero
//   not:  Inf, NaN, subnormal numbers, and what lies beyond the ranges
//   bf16: |x| in [2^-62, 2^60), |w| in [2^-50, 2^44): every product and sum is a multiple of 2^-126 and below 2^127
//   f32:  |x| in [2^-50, 2^60), |w| in [2^-46, 2^44): parts of both are normal numbers, and what products of parts lose
//         to zero is below 2^-29 of the product of the values
//   f16:  all finite numbers
//   in:  an element type;   out: the magnitudes that are fit
#pragma once

#include "src/kit/value_scan.h"

namespace ctconv::tiles {

// Magnitudes 2^low <= |v| < 2^high.
constexpr kit::Magnitudes between(Dtype type, int low, int high) {
  return {kit::power_bits(type, low), kit::power_bits(type, high) - 1};
}
constexpr kit::Magnitudes input_range(Dtype t) {
  return t == Dtype::kF16 ? kit::finite_magnitudes(t) : between(t, t == Dtype::kF32 ? -50 : -62, 60);
}
constexpr kit::Magnitudes weight_range(Dtype t) {
  return t == Dtype::kF16 ? kit::finite_magnitudes(t) : between(t, t == Dtype::kF32 ? -46 : -50, 44);
}

inline constexpr const char* kWeightsNotFit =
    "the weight holds an Inf or NaN, or a number too small or too large for bf16 products";

}  // namespace ctconv::tiles
