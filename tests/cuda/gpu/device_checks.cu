// SPDX-License-Identifier: Apache-2.0
// See device_checks.h. Compiled by nvcc for a device, and as C++ for the rehearsal, where a kernel is a loop.
#include <stdexcept>
#include <string>

#include "cuda/module.h"
#include "tests/cuda/gpu/device_checks.h"
#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#else
#include "src/base/half.h"
#endif

namespace ctconv::cuda::testing {
namespace {

// Calls f(i) for 0 <= i < elements and adds what it answers to *count.
#ifdef __CUDACC__
template <class F>
__global__ void each_kernel(F f, int64_t elements, unsigned long long* count) {
  unsigned long long found = 0;
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < elements; i += step) found += f(i);
  if (count != nullptr && found != 0) atomicAdd(count, found);
}
template <class F>
void each(const char* what, const F& f, int64_t elements, unsigned long long* count, cudaStream_t stream) {
  if (elements <= 0) return;
  const int64_t blocks = (elements + 255) / 256;
  each_kernel<<<static_cast<unsigned>(blocks < 4096 ? blocks : 4096), 256, 0, stream>>>(f, elements, count);
  const cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess) throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(error));
}
#else
template <class F>
void each(const char*, const F& f, int64_t elements, unsigned long long* count, cudaStream_t) {
  for (int64_t i = 0; i < elements; ++i) {
    const unsigned long long found = f(i);
    if (count != nullptr) *count += found;
  }
}
#endif

CTCONV_TEST_HD uint16_t half_bits(float v, bool bf16) {
#ifdef __CUDACC__
  if (bf16) {
    const __nv_bfloat16_raw raw = __float2bfloat16_rn(v);
    return raw.x;
  }
  const __half_raw raw = __float2half_rn(v);
  return raw.x;
#else
  return bf16 ? f32_to_bf16(v) : f32_to_f16(v);
#endif
}

struct FillEach {
  void* to;
  Fill fill;
  CTCONV_TEST_HD unsigned operator()(int64_t i) const {
    int64_t rest = i, at = 0;
    for (int a = 4; a >= 0; --a) {
      at += rest % fill.extent[a] * fill.stride[a];
      rest /= fill.extent[a];
    }
    const float v = value_at(fill.seed, fill.eight_bits, static_cast<uint64_t>(i));
    if (fill.dtype == CTCONV_CUDA_F64) {
      static_cast<double*>(to)[at] = static_cast<double>(v);
    } else if (fill.dtype == CTCONV_CUDA_F32) {
      static_cast<float*>(to)[at] = v;
    } else {
      static_cast<uint16_t*>(to)[at] = half_bits(v, fill.dtype == CTCONV_CUDA_BF16);
    }
    return 0;
  }
};

template <class U>
struct NotFinite {
  const U* y;
  U exponent;
  CTCONV_TEST_HD unsigned operator()(int64_t i) const { return (y[i] & exponent) == exponent ? 1u : 0u; }
};

struct Touched {
  const unsigned char* guard;
  CTCONV_TEST_HD unsigned operator()(int64_t i) const { return guard[i] != 0xff ? 1u : 0u; }
};

template <class U>
struct Different {
  const U *a, *b;
  CTCONV_TEST_HD unsigned operator()(int64_t i) const { return a[i] != b[i] ? 1u : 0u; }
};

template <class U>
struct Gather {
  U* to;
  const U* from;
  const int64_t* offset;
  CTCONV_TEST_HD unsigned operator()(int64_t i) const {
    to[i] = from[offset[i]];
    return 0;
  }
};

template <class U>
void gather_as(void* to, const void* from, const int64_t* offset, int64_t elements, cudaStream_t stream) {
  each("gather", Gather<U>{static_cast<U*>(to), static_cast<const U*>(from), offset}, elements, nullptr, stream);
}

}  // namespace

void fill_on_device(void* to, const Fill& fill, cudaStream_t stream) {
  int64_t elements = 1;
  for (const int64_t e : fill.extent) elements *= e;
  each("fill", FillEach{to, fill}, elements, nullptr, stream);
}

void count_not_finite(const void* y, int32_t dtype, int64_t elements, unsigned long long* count, cudaStream_t stream) {
  switch (dtype) {
    case CTCONV_CUDA_F64: {
      const NotFinite<uint64_t> f{static_cast<const uint64_t*>(y), 0x7ff0000000000000u};
      return each("finite", f, elements, count, stream);
    }
    case CTCONV_CUDA_F32: {
      const NotFinite<uint32_t> f{static_cast<const uint32_t*>(y), 0x7f800000u};
      return each("finite", f, elements, count, stream);
    }
    default: {
      const auto exponent = static_cast<uint16_t>(dtype == CTCONV_CUDA_F16 ? 0x7c00 : 0x7f80);
      const NotFinite<uint16_t> f{static_cast<const uint16_t*>(y), exponent};
      return each("finite", f, elements, count, stream);
    }
  }
}

void count_touched(const void* guard, size_t bytes, unsigned long long* count, cudaStream_t stream) {
  each("guards", Touched{static_cast<const unsigned char*>(guard)}, static_cast<int64_t>(bytes), count, stream);
}

void count_different(const void* a, const void* b, size_t bytes, unsigned long long* count, cudaStream_t stream) {
  if (bytes % 4 == 0) {
    const Different<uint32_t> f{static_cast<const uint32_t*>(a), static_cast<const uint32_t*>(b)};
    return each("compare", f, static_cast<int64_t>(bytes / 4), count, stream);
  }
  const Different<uint16_t> f{static_cast<const uint16_t*>(a), static_cast<const uint16_t*>(b)};
  each("compare", f, static_cast<int64_t>(bytes / 2), count, stream);
}

void gather_on_device(void* to, const void* from, size_t element, const int64_t* offset, int64_t elements,
                      cudaStream_t stream) {
  if (element == 8) return gather_as<uint64_t>(to, from, offset, elements, stream);
  if (element == 4) return gather_as<uint32_t>(to, from, offset, elements, stream);
  gather_as<uint16_t>(to, from, offset, elements, stream);
}

}  // namespace ctconv::cuda::testing
