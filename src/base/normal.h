// SPDX-License-Identifier: Apache-2.0
// The inverse of the normal distribution function, in correctly rounded operations only (+ - * / sqrt fma): one result
// on every machine.
//
//   in:      p in (0, 1)
//   out:     z with P(N(0, 1) <= z) = p, relative error below 1e-14
//   refuses: nothing
//   Wichura, Algorithm AS 241 (PPND16), 1988: three rational approximations. Its logarithm is computed here, not by
//   the C library.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <initializer_list>

namespace ctconv {

// ln x for finite normal x > 0: x = m * 2^e with m in [sqrt(1/2), sqrt(2)), ln m = 2 atanh(s), s = (m-1)/(m+1), |s| <
// 0.172. The series in s^2 is cut where its terms fall below 2^-56.
inline double portable_log(double x) {
  uint64_t u = std::bit_cast<uint64_t>(x);
  int64_t e = static_cast<int64_t>(u >> 52) - 1023;
  double m = std::bit_cast<double>((u & 0x000fffffffffffffu) | 0x3ff0000000000000u);  // [1, 2)
  if (m > 1.4142135623730951) {
    m *= 0.5;
    ++e;
  }
  const double s = (m - 1) / (m + 1), z = s * s;
  double sum = 0;
  for (int n = 21; n >= 1; n -= 2) sum = std::fma(sum, z, 1.0 / n);
  const double k = static_cast<double>(e);
  return std::fma(k, 0x1.62e42fefa39efp-1, std::fma(k, 0x1.abc9e3b39803fp-56, 2 * s * sum));
}

inline double horner(double x, std::initializer_list<double> highest_first) {
  double r = 0;
  for (double c : highest_first) r = std::fma(r, x, c);
  return r;
}

inline double normal_quantile(double p) {
  const double q = p - 0.5;
  if (std::fabs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q *
           horner(r, {2.5090809287301226727e+3, 3.3430575583588128105e+4, 6.7265770927008700853e+4,
                      4.5921953931549871457e+4, 1.3731693765509461125e+4, 1.9715909503065514427e+3,
                      1.3314166789178437745e+2, 3.3871328727963666080e+0}) /
           horner(r, {5.2264952788528545610e+3, 2.8729085735721942674e+4, 3.9307895800092710610e+4,
                      2.1213794301586595867e+4, 5.3941960214247511077e+3, 6.8718700749205790830e+2,
                      4.2313330701600911252e+1, 1.0});
  }
  double r = std::sqrt(-portable_log(q < 0 ? p : 1 - p));
  double z = 0;
  if (r <= 5) {
    r -= 1.6;
    z = horner(r, {7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
                   1.27045825245236838258e+0, 3.64784832476320460504e+0, 5.76949722146069140550e+0,
                   4.63033784615654529590e+0, 1.42343711074968357734e+0}) /
        horner(r, {1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
                   1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940e+0,
                   2.05319162663775882187e+0, 1.0});
  } else {
    r -= 5;
    z = horner(r, {2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
                   2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e+0,
                   5.46378491116411436990e+0, 6.65790464350110377720e+0}) /
        horner(r, {2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
                   7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
                   5.99832206555887937690e-1, 1.0});
  }
  return q < 0 ? -z : z;
}

}  // namespace ctconv
