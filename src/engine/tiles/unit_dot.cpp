// vdpbf16ps: sums of positions times rows in registers, pairs of channels of x as broadcasts, tiles of w as vectors.
//
//   in:  Block with one product; AVX-512 BF16
//   out: a chain a sum, from +0: chunks, taps, pairs of channels; then the bias
//   Subnormal operands and results are taken for zero; values.h keeps such operands away.
//   Twelve positions and two halves: 24 sums, two vectors of w and one of x in 32 registers.
#include "src/engine/tiles/unit.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <cstring>
#endif

namespace ctconv::tiles {
namespace {

#if defined(__x86_64__)
constexpr int kPositions = 12;

#define CTCONV_DOT_TARGET gnu::target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")

[[CTCONV_DOT_TARGET]] inline __m512bh vector_at(const uint16_t* from) {
  return reinterpret_cast<__m512bh>(_mm512_loadu_si512(from));
}

[[CTCONV_DOT_TARGET]] inline __m512bh pair_at(const uint16_t* from) {
  int32_t pair;
  std::memcpy(&pair, from, sizeof pair);
  return reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
}

// One step: a pair of channels of P positions, H halves of rows.
template <int P, int H>
[[CTCONV_DOT_TARGET, gnu::always_inline]] inline void step(const uint16_t* x, const uint16_t* w, __m512 (&sums)[P][H]) {
  __m512bh rows[H];
#pragma GCC unroll 2
  for (int h = 0; h < H; ++h) rows[h] = vector_at(w + h * kTile);
#pragma GCC unroll 12
  for (int p = 0; p < P; ++p) {
    const __m512bh pair = pair_at(x + p * kChannels);
#pragma GCC unroll 2
    for (int h = 0; h < H; ++h) sums[p][h] = _mm512_dpbf16_ps(sums[p][h], pair, rows[h]);
  }
}

template <int P, int H>
[[CTCONV_DOT_TARGET]] void positions(const Block& b, int64_t first) {
  __m512 sums[P][H];
#pragma GCC unroll 12
  for (int p = 0; p < P; ++p) {
#pragma GCC unroll 2
    for (int h = 0; h < H; ++h) sums[p][h] = _mm512_setzero_ps();
  }
  const uint16_t* w = b.w;
  for (int64_t c = 0; c < b.chunks; ++c) {
    const uint16_t* x = b.x + c * b.x_chunk + first * kChannels;
    const int64_t pairs = c + 1 < b.chunks ? kHalf : b.pairs;
    for (int64_t t = 0; t < b.taps; ++t, w += H * kTile) {
      const uint16_t* line = x + b.tap[t];
      if (pairs == kHalf) {
        for (int64_t k = 0; k < kHalf; ++k) step<P, H>(line + 2 * k, w + k * kChannels, sums);
      } else {
        for (int64_t k = 0; k < pairs; ++k) step<P, H>(line + 2 * k, w + k * kChannels, sums);
      }
    }
  }
#pragma GCC unroll 12
  for (int p = 0; p < P; ++p) {
#pragma GCC unroll 2
    for (int h = 0; h < H; ++h) {
      const __m512 biased = _mm512_add_ps(sums[p][h], _mm512_loadu_ps(b.bias + h * kHalf));
      _mm512_storeu_ps(b.sums + (first + p) * kRows + h * kHalf, biased);
    }
  }
}

using Positions = void (*)(const Block&, int64_t);
template <int H>
constexpr Positions kCounts[kPositions] = {&positions<1, H>, &positions<2, H>,  &positions<3, H>,  &positions<4, H>,
                                           &positions<5, H>, &positions<6, H>,  &positions<7, H>,  &positions<8, H>,
                                           &positions<9, H>, &positions<10, H>, &positions<11, H>, &positions<12, H>};

void sum(const Block& b) {
  const auto& counts = b.halves == 2 ? kCounts<2> : kCounts<1>;
  const int64_t pieces = (b.positions + kPositions - 1) / kPositions;
  for (int64_t i = 0; i < pieces; ++i) {
    const int64_t first = b.positions * i / pieces, last = b.positions * (i + 1) / pieces;
    counts[last - first - 1](b, first);
  }
}

const char* missing() {
  static const bool there = __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") &&
                            __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  return there ? nullptr : "this CPU has no AVX-512 BF16";
}
#else
constexpr int kPositions = 12;
void sum(const Block&) {}
const char* missing() { return "this CPU has no AVX-512 BF16"; }
#endif

void nothing() {}

}  // namespace

const Unit kDotUnit{"vdpbf16ps", &missing, kPositions, &nothing, &sum, &nothing};

}  // namespace ctconv::tiles
