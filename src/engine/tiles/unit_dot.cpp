// SPDX-License-Identifier: Apache-2.0
// vdpbf16ps: sums of positions times rows in registers, pairs of channels of x as broadcasts, tiles of w as vectors.
//
//   in:  Block with one product; AVX-512 BF16
//   out: a chain a sum, from +0: chunks, taps, pairs of channels; then the bias
//   Subnormal operands and results are taken for zero; values.h keeps such operands away.
//   Twelve positions and two halves: 24 sums, two vectors of w and one of x in 32 registers.
#include "src/engine/tiles/unit.h"
#include "src/machine/machine.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>
#include <cstring>
#endif

namespace ctconv::tiles {
namespace {

#if defined(__x86_64__)
constexpr int64_t kPositions = 12;
constexpr int64_t kAhead = 4;  // taps: weights come from the last cache or from memory, page by page

#define CTCONV_DOT_TARGET gnu::target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")

[[CTCONV_DOT_TARGET]] inline __m512bh vector_at(const uint16_t* from) {
  return reinterpret_cast<__m512bh>(_mm512_loadu_si512(from));
}

[[CTCONV_DOT_TARGET]] inline __m512bh pair_at(const uint16_t* from) {
  int32_t pair;
  std::memcpy(&pair, from, sizeof pair);
  return reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
}

// One step: a pair of channels of R rows of P positions, H halves of rows of the block.
template <int R, int P, int H>
[[CTCONV_DOT_TARGET, gnu::always_inline]] inline void step(const uint16_t* const (&x)[R], int64_t k, const uint16_t* w,
                                                           __m512 (&sums)[R][P][H]) {
  __m512bh rows[H];
#pragma GCC unroll 2
  for (int h = 0; h < H; ++h) {
    rows[h] = vector_at(w + h * kTile + k * kChannels);
    _mm_prefetch(w + (kAhead * H + h) * kTile + k * kChannels, _MM_HINT_T0);
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 12
    for (int p = 0; p < P; ++p) {
      const __m512bh pair = pair_at(x[r] + 2 * k + p * kChannels);
#pragma GCC unroll 2
      for (int h = 0; h < H; ++h) sums[r][p][h] = _mm512_dpbf16_ps(sums[r][p][h], pair, rows[h]);
    }
  }
}

// Rows row[0 .. R) of a block, P positions of each from `first` on.
template <int R, int P, int H>
[[CTCONV_DOT_TARGET]] void sum_rows(const Block& b, const int64_t* row, int64_t first) {
  __m512 sums[R][P][H];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 12
    for (int p = 0; p < P; ++p) {
#pragma GCC unroll 2
      for (int h = 0; h < H; ++h) sums[r][p][h] = _mm512_setzero_ps();
    }
  }
  const uint16_t* w = b.w;
  for (int64_t c = 0; c < b.chunks; ++c) {
    const uint16_t* chunk = b.x + c * b.x_chunk + first * kChannels;
    const int64_t pairs = c + 1 < b.chunks ? kHalf : b.pairs;
    for (int64_t t = 0; t < b.taps; ++t, w += H * kTile) {
      const uint16_t* x[R];
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) x[r] = chunk + b.tap[t] + row[r];
      for (int64_t k = 0; k < pairs; ++k) step<R, P, H>(x, k, w, sums);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    float* to = b.sums + row[r] + first * kRows;
#pragma GCC unroll 12
    for (int p = 0; p < P; ++p) {
#pragma GCC unroll 2
      for (int h = 0; h < H; ++h) {
        const __m512 biased = _mm512_add_ps(sums[r][p][h], _mm512_loadu_ps(b.bias + h * kHalf));
        _mm512_storeu_ps(to + p * kRows + h * kHalf, biased);
      }
    }
  }
}

using SumRows = void (*)(const Block&, const int64_t*, int64_t);
template <int H>
constexpr SumRows kLong[kPositions] = {&sum_rows<1, 1, H>,  &sum_rows<1, 2, H>,  &sum_rows<1, 3, H>,
                                       &sum_rows<1, 4, H>,  &sum_rows<1, 5, H>,  &sum_rows<1, 6, H>,
                                       &sum_rows<1, 7, H>,  &sum_rows<1, 8, H>,  &sum_rows<1, 9, H>,
                                       &sum_rows<1, 10, H>, &sum_rows<1, 11, H>, &sum_rows<1, 12, H>};

// Several short rows at once: [positions - 1][rows - 1].
constexpr int64_t kShort = 6, kMostRows = 4;
template <int H>
constexpr SumRows kShortRows[kShort][kMostRows] = {
    {&sum_rows<1, 1, H>, &sum_rows<2, 1, H>, &sum_rows<3, 1, H>, &sum_rows<4, 1, H>},
    {&sum_rows<1, 2, H>, &sum_rows<2, 2, H>, &sum_rows<3, 2, H>, &sum_rows<4, 2, H>},
    {&sum_rows<1, 3, H>, &sum_rows<2, 3, H>, &sum_rows<3, 3, H>, &sum_rows<4, 3, H>},
    {&sum_rows<1, 4, H>, &sum_rows<2, 4, H>, &sum_rows<3, 4, H>, nullptr},
    {&sum_rows<1, 5, H>, &sum_rows<2, 5, H>, nullptr, nullptr},
    {&sum_rows<1, 6, H>, &sum_rows<2, 6, H>, nullptr, nullptr}};

template <int H>
void sum_halves(const Block& b) {
  if (b.width <= kShort && b.rows > 1) {
    const int64_t most = std::min(kMostRows, kPositions / b.width), pieces = (b.rows + most - 1) / most;
    for (int64_t i = 0; i < pieces; ++i) {
      const int64_t first = b.rows * i / pieces, last = b.rows * (i + 1) / pieces;
      kShortRows<H>[b.width - 1][last - first - 1](b, b.row + first, 0);
    }
    return;
  }
  const int64_t pieces = (b.width + kPositions - 1) / kPositions;
  for (int64_t r = 0; r < b.rows; ++r) {
    for (int64_t i = 0; i < pieces; ++i) {
      const int64_t first = b.width * i / pieces, last = b.width * (i + 1) / pieces;
      kLong<H>[last - first - 1](b, b.row + r, first);
    }
  }
}

void sum(const Block& b) { return b.halves == 2 ? sum_halves<2>(b) : sum_halves<1>(b); }

const char* missing() {
  static const bool there = __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") &&
                            __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  return there ? nullptr : "this CPU has no AVX-512 BF16";
}
#else
constexpr int64_t kPositions = 12;
void sum(const Block&) {}
const char* missing() { return "this CPU has no AVX-512 BF16"; }
#endif

void nothing() {}
double rate() { return machine().bf16; }

}  // namespace

const Unit kDotUnit{"vdpbf16ps", &missing, &rate, kPositions, true, &nothing, &sum, &nothing};

}  // namespace ctconv::tiles
