// SPDX-License-Identifier: Apache-2.0
// Element types on both sides: the same source runs in a kernel and, compiled by the host compiler, in the tests.
//
//   in:  stored elements (f32, f64, f16 and bf16 as 16 bits)
//   out: accumulators (f32; f64 for f64), rounded once at the store
//   Conversions round to nearest even on both sides, so a kernel body gives the same bits on the CPU.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "src/base/half.h"

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#define CTCONV_HD __host__ __device__ __forceinline__
#define CTCONV_HD_CALL __host__ __device__ __noinline__  // rare and long: one copy, not one per output of a thread
#define CTCONV_UNROLL _Pragma("unroll")
#define CTCONV_NO_UNROLL _Pragma("unroll 1")
#else
#define CTCONV_HD inline
#define CTCONV_HD_CALL inline
#define CTCONV_UNROLL
#define CTCONV_NO_UNROLL
#endif

namespace ctconv::cuda {

struct F16 {
  uint16_t bits;
};
struct Bf16 {
  uint16_t bits;
};

template <class T>
struct AccumulatorOf {
  using type = float;
};
template <>
struct AccumulatorOf<double> {
  using type = double;
};
template <class T>
using Accumulator = typename AccumulatorOf<T>::type;

CTCONV_HD float widen(float v) { return v; }
CTCONV_HD double widen(double v) { return v; }
CTCONV_HD float widen(Bf16 v) {
#ifdef __CUDA_ARCH__
  return __uint_as_float(static_cast<uint32_t>(v.bits) << 16);
#else
  return bf16_to_f32(v.bits);
#endif
}
CTCONV_HD float widen(F16 v) {
#ifdef __CUDA_ARCH__
  return __half2float(__ushort_as_half(v.bits));
#else
  return f16_to_f32(v.bits);
#endif
}

template <class T>
CTCONV_HD T narrow(Accumulator<T> v) {
  return v;
}
template <>
CTCONV_HD F16 narrow<F16>(float v) {
#ifdef __CUDA_ARCH__
  return F16{__half_as_ushort(__float2half_rn(v))};
#else
  return F16{f32_to_f16(v)};
#endif
}
template <>
CTCONV_HD Bf16 narrow<Bf16>(float v) {
#ifdef __CUDA_ARCH__
  return Bf16{__bfloat16_as_ushort(__float2bfloat16_rn(v))};
#else
  return Bf16{f32_to_bf16(v)};
#endif
}

CTCONV_HD float fused(float a, float b, float c) { return fmaf(a, b, c); }
CTCONV_HD double fused(double a, double b, double c) { return fma(a, b, c); }

// True for all threads of the warp that come here together; on the CPU a thread is alone.
CTCONV_HD bool warp_all(bool v) {
#ifdef __CUDA_ARCH__
  return __all_sync(__activemask(), v);
#else
  return v;
#endif
}

// kCount elements moved at once where their address allows it.
template <class T, int kCount>
struct alignas(sizeof(T) * kCount) Pack {
  T v[kCount];
};

template <class T, int kCount>
CTCONV_HD bool aligned(const T* p) {
  return reinterpret_cast<uintptr_t>(p) % (sizeof(T) * kCount) == 0;
}

// A bias lies in the element type or in the accumulator type.
template <class T>
CTCONV_HD Accumulator<T> load_bias(const void* bias, bool accumulator, int64_t at) {
  if (!bias) return Accumulator<T>(0);
  return accumulator ? static_cast<const Accumulator<T>*>(bias)[at] : widen(static_cast<const T*>(bias)[at]);
}

}  // namespace ctconv::cuda
