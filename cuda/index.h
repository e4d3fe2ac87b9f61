// SPDX-License-Identifier: Apache-2.0
// Which taps and inputs meet an output position: the index arithmetic every kernel of ours shares.
//
//   in:  one axis (i, o, k, s, d, lo), an output o;   out: taps t, t + step, ... with inputs i, i - input_step, ...
//   i*s + t*d - lo == o * every;  `every` is 1 but for data gradients (exchange.h).
//   With g = gcd(s, d): taps of one phase are s/g apart, their inputs d/g.
//   Host and device run the same functions; tests compare them with a scan of all (i, t).
#pragma once

#include <numeric>

#include "cuda/module.h"
#include "cuda/scalar.h"

namespace ctconv::cuda {

// Division by a constant of the launch: exact for 0 <= n < 2^31 and 1 <= d <= 2^31.
// q = (n * magic) >> (31 + L), magic = ceil(2^(31+L) / d), L = ceil(log2 d): one multiplication, of which the high
// word.
struct Divider {
  uint32_t divisor = 1, magic = uint32_t{1} << 31, shift = 0;
  static Divider of(uint32_t d) {
    uint32_t l = 0;
    while ((uint64_t{1} << l) < d) ++l;
    return {d, static_cast<uint32_t>(((uint64_t{1} << (31 + l)) + d - 1) / d), l};
  }
  CTCONV_HD uint32_t divide(uint32_t n) const {
    return static_cast<uint32_t>((static_cast<uint64_t>(n << 1) * magic) >> 32) >> shift;
  }
  // The remainder; *n becomes the quotient.
  CTCONV_HD uint32_t split(uint32_t* n) const {
    const uint32_t q = divide(*n), r = *n - q * divisor;
    *n = q;
    return r;
  }
};
using SmallDivider = Divider;

// What AxisMap divides by: a Divider for 31-bit indices, the machine's own division for 64 bits.
struct WideDivider {
  int64_t divisor = 1;
  static WideDivider of(int64_t d) { return {d}; }
  CTCONV_HD int64_t quotient(int64_t n) const { return n / divisor; }
};
struct NarrowDivider {
  Divider by;
  static NarrowDivider of(int64_t d) { return {Divider::of(static_cast<uint32_t>(d))}; }
  CTCONV_HD int32_t quotient(int32_t n) const { return static_cast<int32_t>(by.divide(static_cast<uint32_t>(n))); }
};
template <class Int>
struct AxisDividerOf {
  using type = WideDivider;
};
template <>
struct AxisDividerOf<int32_t> {
  using type = NarrowDivider;
};

template <class Int>
struct Taps {
  Int t, i, count;  // first tap, its input, number of taps that meet a real input
};

template <class Int>
struct AxisMap {
  using Divide = typename AxisDividerOf<Int>::type;
  Int i, o, k, s, d, lo;
  Int gcd, tap_step, input_step, inverse;  // inverse of d/g modulo s/g
  Int lift;                                // a multiple of s that keeps reach - t*d of every phase at or above 0
  Int lift_inputs;                         // lift / s
  Int every;                               // outputs 0, every, 2 * every, ... of the un-skipped axis
  Divide by_s, by_gcd, by_tap_step, by_d;

  // Host only; exact for every legal axis (the un-cropped extent and lift fit Int; where d > 1, s/g <= kMostTurn for
  // 32 bits and s <= 2^31 for 64).
  static constexpr int64_t kMostTurn = 32768;
  static AxisMap of(const ctconv_cuda_axis& a) {
    AxisMap m{};
    m.i = static_cast<Int>(a.i);
    m.o = static_cast<Int>(a.o);
    m.k = static_cast<Int>(a.k);
    m.s = static_cast<Int>(a.s);
    m.d = static_cast<Int>(a.d);
    m.lo = static_cast<Int>(a.lo);
    m.every = static_cast<Int>(1 + a.skip);
    const int64_t g = std::gcd(a.s, a.d);
    m.gcd = static_cast<Int>(g);
    m.tap_step = static_cast<Int>(a.s / g);
    m.input_step = static_cast<Int>(a.d / g);
    int64_t r0 = a.s / g, r1 = (a.d / g) % (a.s / g), u0 = 0, u1 = 1;
    while (r1 != 0) {
      const int64_t q = r0 / r1, r2 = r0 - q * r1, u2 = u0 - q * u1;
      r0 = r1;
      r1 = r2;
      u0 = u1;
      u1 = u2;
    }
    m.inverse = static_cast<Int>(u0 < 0 ? u0 + a.s / g : u0);
    const int64_t highest = (a.s / g < a.k ? a.s / g : a.k) - 1;  // first tap of a phase
    const int64_t below = highest * a.d + (a.lo < 0 ? -a.lo : 0);
    m.lift_inputs = static_cast<Int>((below + a.s - 1) / a.s);
    m.lift = static_cast<Int>(m.lift_inputs * a.s);
    m.by_s = Divide::of(a.s);
    m.by_gcd = Divide::of(g);
    m.by_tap_step = Divide::of(a.s / g);
    m.by_d = Divide::of(a.d);
    return m;
  }

  // First tap, at or above 0, that reaches `reach` >= 0 from any input; -1 where none does.
  CTCONV_HD Int first_tap(Int reach) const {
    if (d == 1) return reach - by_s.quotient(reach) * s;
    const Int whole = by_gcd.quotient(reach);
    if (whole * gcd != reach) return -1;
    const Int turn = (whole - by_tap_step.quotient(whole) * tap_step) * inverse;
    return turn - by_tap_step.quotient(turn) * tap_step;
  }

  // All taps of the phase of `out`, whatever their input: out + q*s has the same taps and inputs q higher.
  CTCONV_HD Taps<Int> phase(Int out) const {
    const Int reach = out * every + lo + lift;
    const Int t = first_tap(reach);
    if (t < 0 || t >= k) return {0, 0, 0};
    return {t, by_s.quotient(reach - t * d) - lift_inputs,
            by_tap_step.quotient(k - 1 - t) + 1};  // the division by s is exact, the input may lie outside [0, i)
  }

  CTCONV_HD Taps<Int> at(Int out) const {
    const Int reach = out * every + lo;
    if (reach < 0) return {0, 0, 0};
    if (d == 1) return at_unit(reach);
    Int t = first_tap(reach);
    if (t < 0) return {0, 0, 0};
    const Int above = reach - s * (i - 1);  // t*d >= above keeps the input inside
    if (above > t * d) {
      const Int behind = by_d.quotient(above + d - 1) - t;
      t += by_tap_step.quotient(behind + tap_step - 1) * tap_step;
    }
    const Int most = by_d.quotient(reach), last = most < k - 1 ? most : k - 1;
    if (t > last) return {0, 0, 0};
    return {t, by_s.quotient(reach - t * d), by_tap_step.quotient(last - t) + 1};
  }

 private:
  // d == 1: input reach/s with tap reach%s, then one input lower and s taps higher each.
  CTCONV_HD Taps<Int> at_unit(Int reach) const {
    Int input = by_s.quotient(reach);
    Int t = reach - input * s;
    if (input >= i) {
      t += (input - i + 1) * s;
      input = i - 1;
    }
    if (t >= k) return {0, 0, 0};
    const Int taps = by_s.quotient(k - 1 - t) + 1;
    return {t, input, taps < input + 1 ? taps : input + 1};
  }
};

// Elements from one tap of d or h to the next, worked out by the host: in x (downwards, so negative) and in the packed
// weights, of which `row`, `plane` and `volume` hold all taps of w, of h and w, of d, h and w.
struct TapSteps {
  int64_t x_d, x_h;
  int32_t w_d, w_h, row, plane, volume;

  // Host only: strides of x over d and h, `tap` elements between two taps of w. The volume fits Int.
  static TapSteps of(const AxisMap<int32_t> (&axis)[3], int64_t xs_d, int64_t xs_h, int32_t tap) {
    TapSteps t{};
    t.row = axis[2].k * tap;
    t.plane = t.row * axis[1].k;
    t.volume = t.plane * axis[0].k;
    t.x_d = -axis[0].input_step * xs_d;
    t.x_h = -axis[1].input_step * xs_h;
    t.w_d = axis[0].tap_step < axis[0].k ? axis[0].tap_step * t.plane : 0;  // else there is no second tap
    t.w_h = axis[1].tap_step < axis[1].k ? axis[1].tap_step * t.row : 0;
    return t;
  }
};

}  // namespace ctconv::cuda
