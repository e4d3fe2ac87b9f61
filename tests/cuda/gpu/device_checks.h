// SPDX-License-Identifier: Apache-2.0
// What the GPU tests do on the device beside the module: made-up data, and checks that copy back a few numbers only.
//
//   in:  device memory, a stream
//   out: device memory; counts are added to *count (device memory, set to 0 by the caller)
//   Nothing here is the module's: an index or a conversion wrong in both at once is unlikely to agree.
//   Throws std::runtime_error where a launch fails.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#ifdef __CUDACC__
#define CTCONV_TEST_HD __host__ __device__
#else
#define CTCONV_TEST_HD
#endif

namespace ctconv::cuda::testing {

// Element `index` of made-up tensor `seed`. eight_bits: -127..127 / 64, held exactly by f16 and bf16; else 24 bits in
// [-1, 1), so that rounding an operand to TF32 shows.
CTCONV_TEST_HD inline float value_at(uint64_t seed, bool eight_bits, uint64_t index) {
  uint64_t z = seed * 0xd1342543de82ef95u + (index + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  if (eight_bits) return static_cast<float>(static_cast<int>((z >> 33) % 255) - 127) * 0.015625f;
  return static_cast<float>(static_cast<int>(z >> 40) - (1 << 23)) * 1.1920928955078125e-7f;  // 2^-23
}

struct Fill {
  int32_t dtype;      // CTCONV_CUDA_...
  int64_t extent[5];  // n, c, d, h, w: the order that elements are counted in
  int64_t stride[5];  // where they go, in elements
  uint64_t seed;
  bool eight_bits;
};
void fill_on_device(void* to, const Fill& fill, cudaStream_t stream);
// Elements of y that are Inf or NaN: poison left, or a wrong sum.
void count_not_finite(const void* y, int32_t dtype, int64_t elements, unsigned long long* count, cudaStream_t stream);
// Bytes that are not 0xff.
void count_touched(const void* guard, size_t bytes, unsigned long long* count, cudaStream_t stream);
// Elements whose bits differ; bytes is a multiple of 2.
void count_different(const void* a, const void* b, size_t bytes, unsigned long long* count, cudaStream_t stream);
// to[e] = from[offset[e]], elements of 2, 4 or 8 bytes.
void gather_on_device(void* to, const void* from, size_t element, const int64_t* offset, int64_t elements,
                      cudaStream_t stream);

}  // namespace ctconv::cuda::testing
