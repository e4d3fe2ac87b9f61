// SPDX-License-Identifier: Apache-2.0
// The loop that times vdpbf16ps out of registers; see probe.h.
//
//   The sums start apart and the sum is handed out, so that a compiler keeps all of them. Both products of a pair have
//   one sign each and cancel: values stay near one, no denormal number slows the loop.
#include "src/machine/probe.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ctconv {
namespace {

#if defined(__x86_64__)
constexpr int kSums = 12;

[[gnu::target("avx512f,avx512bw,avx512vl,avx512bf16")]] float rounds(int64_t count) {
  // Pairs (1.5, -1.5) and (0.75, 0.75).
  const auto a = reinterpret_cast<__m512bh>(_mm512_set1_epi32(static_cast<int>(0xbfc03fc0u)));
  const auto b = reinterpret_cast<__m512bh>(_mm512_set1_epi32(0x3f403f40));
  __m512 sums[kSums];
#pragma GCC unroll 12
  for (int k = 0; k < kSums; ++k) sums[k] = _mm512_set1_ps(1.0f + 0.125f * static_cast<float>(k));
  for (int64_t i = 0; i < count; ++i) {
#pragma GCC unroll 12
    for (int k = 0; k < kSums; ++k) sums[k] = _mm512_dpbf16_ps(sums[k], a, b);
  }
  float all[kSums][16], total = 0;
#pragma GCC unroll 12
  for (int k = 0; k < kSums; ++k) _mm512_storeu_ps(all[k], sums[k]);
  for (const auto& sum : all) total += sum[0];
  return total;
}

bool has_dot() {
  return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}
#endif

}  // namespace

DotLoop dot_loop() {
#if defined(__x86_64__)
  if (has_dot()) return {.products = kSums, .rounds = &rounds};
#endif
  return {};
}

}  // namespace ctconv
