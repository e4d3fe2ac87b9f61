// SPDX-License-Identifier: Apache-2.0
// The taps of one axis that meet a real input element at one output position.
//
//   in:  an Axis, an output o
//   out: the taps t with i*s + t*d - lo == o for some 0 <= i < axis.i, as a progression, and their inputs
//   The taps of o are t0, t0 + s/g, t0 + 2s/g ... with g = gcd(s, d); their inputs go down by d/g.
//   Any sign of lo; no product leaves 63 bits.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>

#include "src/base/checked.h"
#include "src/problem/problem.h"

namespace ctconv::reference {

using Int128 = __int128;

// The taps that meet a real input element at one output position.
struct Taps {
  int64_t first = 0, count = 0;  // first, first + tap_step, ...
  int64_t i = 0;                 // input of the first tap; the next one is i - input_step
};

class AxisTaps {
 public:
  AxisTaps() = default;
  explicit AxisTaps(const Axis& axis) : axis_(axis) {
    const int64_t g = std::gcd(axis.s, axis.d);
    gcd_ = g;
    tap_step = axis.s / g;
    input_step = axis.d / g;
    // inverse of d/g modulo s/g, by the extended Euclidean algorithm
    int64_t r0 = tap_step, r1 = input_step % tap_step, u0 = 0, u1 = 1;
    while (r1 != 0) {
      const int64_t q = r0 / r1;
      r0 = std::exchange(r1, r0 - q * r1);
      u0 = std::exchange(u1, u0 - q * u1);
    }
    inverse_ = u0 < 0 ? u0 + tap_step : u0;
  }

  Taps at(int64_t o) const {
    const int64_t reach = o + axis_.lo;  // == i*s + t*d; the un-cropped extent fits int64, so this does
    if (reach < 0 || reach % gcd_ != 0) return {};
    Int128 t = least_tap(reach / gcd_ % tap_step);
    const int64_t above = reach - axis_.s * (axis_.i - 1);  // t*d >= above keeps i inside
    if (above > t * axis_.d) {
      const auto behind = static_cast<int64_t>(ceil_div(above, axis_.d) - t);
      t += Int128{ceil_div(behind, tap_step)} * tap_step;
    }
    const int64_t last = std::min(reach / axis_.d, axis_.k - 1);
    if (t > last) return {};
    const auto first = static_cast<int64_t>(t);
    return {first, (last - first) / tap_step + 1, (reach - first * axis_.d) / axis_.s};
  }

  int64_t tap_step = 1, input_step = 1;

 private:
  // Of a phase: phase * inverse modulo the step. Divisions of 128 bits are slow, and hardly ever needed.
  Int128 least_tap(int64_t phase) const {
    constexpr int64_t kSmall = int64_t{1} << 31;
    if (tap_step < kSmall) return phase * inverse_ % tap_step;
    return Int128{phase} * inverse_ % tap_step;
  }

  Axis axis_;
  int64_t gcd_ = 1, inverse_ = 0;
};

}  // namespace ctconv::reference
