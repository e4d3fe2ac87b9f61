// SPDX-License-Identifier: Apache-2.0
// bias and activation of one finished sum: the steps of src/base/activation.h, spelt so that a kernel may call them.
//
//   in:  acc, bias in the accumulator type;   out: act(acc + bias)
//   A test compares every function with src/base/activation.h by ==. No product here meets a sum except inside fused().
#pragma once

#include "cuda/scalar.h"

namespace ctconv::cuda {

enum class Act : int32_t { kNone, kRelu, kLeakyRelu, kTanh, kSigmoid, kClip };  // = Activation::Kind

struct ActParams {
  Act kind = Act::kNone;
  double alpha = 0, beta = 0;
  float alpha32 = static_cast<float>(alpha), beta32 = static_cast<float>(beta);  // rounded once, on the host
};

CTCONV_HD float power_of_two(float, int32_t e) {
#ifdef __CUDA_ARCH__
  return __int_as_float((e + 127) << 23);
#else
  return std::bit_cast<float>((e + 127) << 23);
#endif
}
CTCONV_HD double power_of_two(double, int64_t e) {
#ifdef __CUDA_ARCH__
  return __longlong_as_double((e + 1023) << 52);
#else
  return std::bit_cast<double>((e + 1023) << 52);
#endif
}

struct Reduced32 {
  float value;
  int32_t n;
};
struct Reduced64 {
  double value;
  int64_t n;
};

CTCONV_HD Reduced32 expm1_reduced(float z) {
  constexpr float q[] = {0x1.a12516p-13f, 0x1.6d434ep-10f, 0x1.1110ep-7f, 0x1.5554e8p-5f, 0x1.555556p-3f, 0.5f};
  const float f = fused(z, 0x1.715476p+0f, 0x1.8p+23f) - 0x1.8p+23f;
  float r = fused(-f, 0x1.62e4p-1f, z);
  r = fused(-f, 0x1.7f7d1cp-20f, r);
  float s = q[0];
  CTCONV_UNROLL
  for (int i = 1; i < 6; ++i) s = fused(s, r, q[i]);
  return {fused(r * r, s, r), static_cast<int32_t>(f)};
}

CTCONV_HD Reduced64 expm1_reduced(double z) {
  constexpr double q[] = {0x1.6124613a86d09p-33, 0x1.1eed8eff8d898p-29, 0x1.ae64567f544e4p-26, 0x1.27e4fb7789f5cp-22,
                          0x1.71de3a556c734p-19, 0x1.a01a01a01a01ap-16, 0x1.a01a01a01a01ap-13, 0x1.6c16c16c16c17p-10,
                          0x1.1111111111111p-7,  0x1.5555555555555p-5,  0x1.5555555555555p-3,  0.5};
  const double f = fused(z, 0x1.71547652b82fep+0, 0x1.8p+52) - 0x1.8p+52;
  double r = fused(-f, 0x1.62e42feep-1, z);
  r = fused(-f, 0x1.a39ef35793c76p-33, r);
  double s = q[0];
  CTCONV_UNROLL
  for (int i = 1; i < 12; ++i) s = fused(s, r, q[i]);
  return {fused(r * r, s, r), static_cast<int64_t>(f)};
}

template <class T>
CTCONV_HD_CALL T tanh_steps(T x) {
  if (x != x) return x + x;
  const T limit = sizeof(T) == 8 ? T(22) : T(10);
  T a = x < T(0) ? -x : x;
  a = a < limit ? a : limit;
  const auto e = expm1_reduced(a + a);
  const T scale = power_of_two(T(0), e.n);
  const T m = fused(scale, e.value, scale - T(1));
  return copysign(m / (m + T(2)), x);
}

template <class T>
CTCONV_HD_CALL T sigmoid_steps(T x) {
  if (x != x) return x + x;
  const T limit = sizeof(T) == 8 ? T(746) : T(104);
  T a = x < T(0) ? -x : x;
  a = a < limit ? a : limit;
  const auto r = expm1_reduced(-a);
  const auto half = r.n >> 1;
  const T e = ((T(1) + r.value) * power_of_two(T(0), half)) * power_of_two(T(0), r.n - half);
  return (x < T(0) ? e : T(1)) / (T(1) + e);
}

CTCONV_HD float alpha_of(const ActParams& act, float) { return act.alpha32; }
CTCONV_HD double alpha_of(const ActParams& act, double) { return act.alpha; }
CTCONV_HD float beta_of(const ActParams& act, float) { return act.beta32; }
CTCONV_HD double beta_of(const ActParams& act, double) { return act.beta; }

// N values, the kind asked for once.
template <class T, int N>
CTCONV_HD void activate_all(const ActParams& act, T (&v)[N]) {
  switch (act.kind) {
    case Act::kRelu:
      CTCONV_UNROLL
      for (int e = 0; e < N; ++e) v[e] = v[e] < T(0) ? T(0) : v[e];
      break;
    case Act::kLeakyRelu: {
      const T alpha = alpha_of(act, T(0));
      CTCONV_UNROLL
      for (int e = 0; e < N; ++e) v[e] = v[e] < T(0) ? alpha * v[e] : v[e];
      break;
    }
    case Act::kTanh:
      CTCONV_UNROLL
      for (int e = 0; e < N; ++e) v[e] = tanh_steps(v[e]);
      break;
    case Act::kSigmoid:
      CTCONV_UNROLL
      for (int e = 0; e < N; ++e) v[e] = sigmoid_steps(v[e]);
      break;
    case Act::kClip: {
      const T alpha = alpha_of(act, T(0)), beta = beta_of(act, T(0));
      CTCONV_UNROLL
      for (int e = 0; e < N; ++e) v[e] = v[e] < alpha ? alpha : (v[e] > beta ? beta : v[e]);
      break;
    }
    default:
      break;
  }
}

template <class T>
CTCONV_HD T activate(const ActParams& act, T v) {
  T one[1] = {v};
  activate_all<T, 1>(act, one);
  return one[0];
}

}  // namespace ctconv::cuda
