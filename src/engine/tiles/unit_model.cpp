// SPDX-License-Identifier: Apache-2.0
// TDPBF16PS in software, to the bit: what the tile unit computes, on vectors of 16 rows.
//
//   in:  Block; AVX2 with FMA
//   out: sums from +0; per chunk, tap and product of parts:  c + (even + odd), where even and odd are chains of
//        multiply-adds from +0 over the 16 pairs; then the bias
//   Operands, every result and c are flushed to zero where subnormal, rounding is to nearest even: MXCSR with FTZ and
//   DAZ does that. NaN payloads may differ from the unit's.
#include "src/engine/tiles/unit.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <cstring>
#endif

namespace ctconv::tiles {
namespace {

#if defined(__x86_64__)
#define CTCONV_MODEL_TARGET gnu::target("avx2,fma")
constexpr int kLanes = 8;
constexpr unsigned kFlush = 0x9fc0;  // FTZ, DAZ, all exceptions masked, to nearest

class Flushing {
 public:
  Flushing() : before_(_mm_getcsr()) { _mm_setcsr(kFlush); }
  ~Flushing() { _mm_setcsr(before_); }
  Flushing(const Flushing&) = delete;
  Flushing& operator=(const Flushing&) = delete;

 private:
  const unsigned before_;
};

// One tile product of one position and eight rows.
[[CTCONV_MODEL_TARGET]] inline __m256 product(__m256 c, const uint16_t* x, const uint16_t* w) {
  __m256 even = _mm256_setzero_ps(), odd = _mm256_setzero_ps();
  const __m256i high = _mm256_set1_epi32(static_cast<int>(0xffff0000u));
  for (int64_t k = 0; k < kHalf; ++k) {
    int32_t bits;
    std::memcpy(&bits, x + 2 * k, sizeof bits);
    const __m256i a = _mm256_set1_epi32(bits);
    const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w + k * kChannels));
    even = _mm256_fmadd_ps(_mm256_castsi256_ps(_mm256_slli_epi32(a, 16)), _mm256_castsi256_ps(_mm256_slli_epi32(b, 16)),
                           even);
    odd = _mm256_fmadd_ps(_mm256_castsi256_ps(_mm256_and_si256(a, high)),
                          _mm256_castsi256_ps(_mm256_and_si256(b, high)), odd);
  }
  return _mm256_add_ps(c, _mm256_add_ps(even, odd));
}

[[CTCONV_MODEL_TARGET]] void sum_eight(const Block& b, int64_t position, int64_t lane) {
  const int64_t half = lane / kHalf, tile = half * kTile + lane % kHalf * 2, part = b.halves * kTile;
  __m256 c = _mm256_setzero_ps();
  const uint16_t* w = b.w + tile;
  for (int64_t chunk = 0; chunk < b.chunks; ++chunk) {
    for (int64_t t = 0; t < b.taps; ++t, w += b.w_parts * part) {
      const uint16_t* x = b.x + chunk * b.x_chunk + b.tap[t] + position * kChannels;
      for (const Product& p : b.products) c = product(c, x + p.x * b.x_part, w + p.w * part);
    }
  }
  _mm256_storeu_ps(b.sums + position * kRows + lane, c);
}

void sum_position(const Block& b, int64_t position) {
  {
    const Flushing flushing;
    for (int64_t lane = 0; lane < b.halves * kHalf; lane += kLanes) sum_eight(b, position, lane);
  }
  for (int64_t lane = 0; lane < b.halves * kHalf; ++lane) b.sums[position * kRows + lane] += b.bias[lane];
}

void sum(const Block& b) {
  for (int64_t r = 0; r < b.rows; ++r) {
    for (int64_t p = 0; p < b.width; ++p) sum_position(b, b.row[r] / kChannels + p);
  }
}

const char* missing() {
  static const bool there = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return there ? nullptr : "this CPU has no fused multiply-add on vectors";
}
#else
void sum(const Block&) {}
const char* missing() { return "this CPU is no x86-64"; }
#endif

void nothing() {}
constexpr int64_t kStep = 32;
constexpr double kRate = 0.02;  // nobody chooses it

}  // namespace

const Unit kModelUnit{"model of TDPBF16PS", &missing, []() { return kRate; }, kStep, false, &nothing, &sum, &nothing};

}  // namespace ctconv::tiles
