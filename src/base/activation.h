// SPDX-License-Identifier: Apache-2.0
// Activations built from correctly rounded operations only: the same bits on every machine and in every engine.
//
//   in:  a finished sum (bias added) in the accumulator type, f32 or f64
//   out: act(value) in the same type
//   relu        x < 0 ? 0 : x                       leaky  x < 0 ? alpha * x : x
//   clip        x < lo ? lo : x > hi ? hi : x       tanh   m / (m + 2) with the sign of x, m = expm1(2|x|)
//   sigmoid     e = exp(-|x|);  x < 0 ? e / (1 + e) : 1 / (1 + e)
//   A NaN comes out as a NaN. tanh and sigmoid err by less than 2.6 ulp (measured: 2.52 and 2.28).
//
// exp and expm1: z = n ln2 + r, |r| <= ln2/2, ln2 in two parts; expm1(r) = r + r^2 q(r). Only +, -, *, /, fma and
// integer operations appear, in a fixed order without branches, so a vector version that follows the same steps gives
// the same bits. (Functions of the C library do not: they differ between versions and machines.)
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace ctconv {

template <class T>
struct ActivationConstants;

template <>
struct ActivationConstants<float> {
  using Int = int32_t;
  static constexpr int kMantissa = 23, kBias = 127;
  static constexpr float kLog2E = 0x1.715476p+0f;
  static constexpr float kLn2Hi = 0x1.62e4p-1f, kLn2Lo = 0x1.7f7d1cp-20f;
  static constexpr float kRound = 0x1.8p+23f;  // adding it rounds to an integer, |x| < 2^22
  static constexpr float kTanhMax = 10.0f;     // tanh rounds to 1 from about 9.01
  static constexpr float kExpMax = 104.0f;     // exp(-104) rounds to 0
  // q(r) = (expm1(r) - r) / r^2 on |r| <= 0.3467, highest power first; near-minimax, error of expm1 below 3e-9.
  static constexpr float kQ[] = {0x1.a12516p-13f, 0x1.6d434ep-10f, 0x1.1110ep-7f, 0x1.5554e8p-5f, 0x1.555556p-3f, 0.5f};
};

template <>
struct ActivationConstants<double> {
  using Int = int64_t;
  static constexpr int kMantissa = 52, kBias = 1023;
  static constexpr double kLog2E = 0x1.71547652b82fep+0;
  static constexpr double kLn2Hi = 0x1.62e42feep-1, kLn2Lo = 0x1.a39ef35793c76p-33;
  static constexpr double kRound = 0x1.8p+52;
  static constexpr double kTanhMax = 22.0;
  static constexpr double kExpMax = 746.0;
  // Taylor: 1/13! ... 1/2!; the first term left out is below 1.2e-17 of expm1.
  static constexpr double kQ[] = {0x1.6124613a86d09p-33, 0x1.1eed8eff8d898p-29, 0x1.ae64567f544e4p-26,
                                  0x1.27e4fb7789f5cp-22, 0x1.71de3a556c734p-19, 0x1.a01a01a01a01ap-16,
                                  0x1.a01a01a01a01ap-13, 0x1.6c16c16c16c17p-10, 0x1.1111111111111p-7,
                                  0x1.5555555555555p-5,  0x1.5555555555555p-3,  0.5};
};

// 2^e for -kBias < e <= kBias.
template <class T>
inline T power_of_two(typename ActivationConstants<T>::Int e) {
  using C = ActivationConstants<T>;
  return std::bit_cast<T>(static_cast<typename C::Int>((e + C::kBias) << C::kMantissa));
}

// z = n ln2 + r; *n integral, returns expm1(r). |z| <= 1024.
template <class T>
inline T expm1_reduced(T z, typename ActivationConstants<T>::Int* n) {
  using C = ActivationConstants<T>;
  const T f = std::fma(z, C::kLog2E, C::kRound) - C::kRound;
  *n = static_cast<typename C::Int>(f);
  T r = std::fma(-f, C::kLn2Hi, z);
  r = std::fma(-f, C::kLn2Lo, r);
  T q = C::kQ[0];
  for (size_t i = 1; i < sizeof(C::kQ) / sizeof(T); ++i) q = std::fma(q, r, C::kQ[i]);
  return std::fma(r * r, q, r);
}

template <class T>
inline T relu(T x) {
  return x < T(0) ? T(0) : x;
}

template <class T>
inline T leaky_relu(T x, T alpha) {
  return x < T(0) ? alpha * x : x;
}

template <class T>
inline T clip(T x, T lo, T hi) {
  return x < lo ? lo : (x > hi ? hi : x);
}

template <class T>
inline T tanh_exact_steps(T x) {
  using C = ActivationConstants<T>;
  if (x != x) return x + x;
  T a = std::fabs(x);
  a = a < C::kTanhMax ? a : C::kTanhMax;
  typename C::Int n;
  const T p = expm1_reduced<T>(a + a, &n);
  const T scale = power_of_two<T>(n);
  const T m = std::fma(scale, p, scale - T(1));  // expm1(2a)
  return std::copysign(m / (m + T(2)), x);
}

template <class T>
inline T sigmoid_exact_steps(T x) {
  using C = ActivationConstants<T>;
  if (x != x) return x + x;
  T a = std::fabs(x);
  a = a < C::kExpMax ? a : C::kExpMax;
  typename C::Int n;
  const T p = expm1_reduced<T>(-a, &n);
  const typename C::Int half = n >> 1;  // two factors, so that a subnormal result is rounded once
  const T e = ((T(1) + p) * power_of_two<T>(half)) * power_of_two<T>(n - half);
  return (x < T(0) ? e : T(1)) / (T(1) + e);
}

}  // namespace ctconv
