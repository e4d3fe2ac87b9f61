// Which taps and inputs meet an output position: the index arithmetic every kernel of ours shares.
//
//   in:  one axis (i, o, k, s, d, lo), an output o;   out: taps t, t + step, ... with inputs i, i - input_step, ...
//   i*s + t*d - lo == o.  With g = gcd(s, d): taps of one phase are s/g apart, their inputs d/g.
//   Host and device run the same functions; tests compare them with a scan of all (i, t).
#pragma once

#include <numeric>

#include "cuda/module.h"
#include "cuda/scalar.h"

namespace ctconv::cuda {

// Division by a constant of the launch: exact for 0 <= n < 2^31 and 1 <= d <= 2^31.
// q = (n * magic) >> (31 + L), magic = ceil(2^(31+L) / d), L = ceil(log2 d): one multiplication, of which the high word.
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

template <class Int>
struct Taps {
  Int t, i, count;  // first tap, its input, number of taps that meet a real input
};

template <class Int>
struct AxisMap {
  Int i, o, k, s, d, lo;
  Int gcd, tap_step, input_step, inverse;  // inverse of d/g modulo s/g

  // Host only; exact for every legal axis (the un-cropped extent fits Int).
  static AxisMap of(const ctconv_cuda_axis& a) {
    AxisMap m{};
    m.i = static_cast<Int>(a.i), m.o = static_cast<Int>(a.o), m.k = static_cast<Int>(a.k);
    m.s = static_cast<Int>(a.s), m.d = static_cast<Int>(a.d), m.lo = static_cast<Int>(a.lo);
    const int64_t g = std::gcd(a.s, a.d);
    m.gcd = static_cast<Int>(g), m.tap_step = static_cast<Int>(a.s / g), m.input_step = static_cast<Int>(a.d / g);
    int64_t r0 = a.s / g, r1 = (a.d / g) % (a.s / g), u0 = 0, u1 = 1;
    while (r1 != 0) {
      const int64_t q = r0 / r1, r2 = r0 - q * r1, u2 = u0 - q * u1;
      r0 = r1, r1 = r2, u0 = u1, u1 = u2;
    }
    m.inverse = static_cast<Int>(u0 < 0 ? u0 + a.s / g : u0);
    return m;
  }

  // All taps of the phase of `out`, whatever their input: out + q*s has the same taps and inputs q higher.
  CTCONV_HD Taps<Int> phase(Int out) const {
    const Int reach = out + lo;
    if (reach % gcd != 0) return {0, 0, 0};
    const Int turn = (reach / gcd % tap_step + tap_step) % tap_step;
    const Int t = static_cast<Int>(static_cast<int64_t>(turn) * inverse % tap_step);
    if (t >= k) return {0, 0, 0};
    return {t, (reach - t * d) / s,
            (k - 1 - t) / tap_step + 1};  // the division is exact, the input may lie outside [0, i)
  }

  CTCONV_HD Taps<Int> at(Int out) const {
    const Int reach = out + lo;
    if (reach < 0 || reach % gcd != 0) return {0, 0, 0};
    Int t = static_cast<Int>(static_cast<int64_t>(reach / gcd % tap_step) * inverse % tap_step);
    const Int above = reach - s * (i - 1);  // t*d >= above keeps the input inside
    if (above > t * d) {
      const Int behind = (above + d - 1) / d - t;
      t += (behind + tap_step - 1) / tap_step * tap_step;
    }
    const Int last = reach / d < k - 1 ? reach / d : k - 1;
    if (t > last) return {0, 0, 0};
    return {t, (reach - t * d) / s, (last - t) / tap_step + 1};
  }
};

}  // namespace ctconv::cuda
