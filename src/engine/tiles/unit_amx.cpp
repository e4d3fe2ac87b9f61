// SPDX-License-Identifier: Apache-2.0
// TDPBF16PS: tiles of 16 positions times 16 rows, sums in four of them.
//
//   in:  Block; AMX, with the kernel's leave (src/machine/amx.h)
//   out: the sums of unit_model.cpp, to the bit; whole tiles of 16 positions are written
//   A step is 32 positions times 32 rows: tiles 0 to 3 hold sums, 4 and 5 lines of x, 6 and 7 tiles of w.
//   A tile of x or w is loaded only where the next product needs another part.
//   begin loads the configuration of this thread's tiles, end gives them back: every task does both.
#include "src/engine/tiles/unit.h"
#include "src/machine/amx.h"
#include "src/machine/machine.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ctconv::tiles {
namespace {

constexpr int64_t kStep = 32;
// Vectors of products a cycle at the record's amx = 1; a share of them, which layers of 32 channels and more reached
// on a Sapphire Rapids kind of machine (611 to 662 of 1023 Gflop/s with six products).
constexpr double kTileRate = 16 * 0.62;

#if defined(__x86_64__)
#define CTCONV_AMX_TARGET gnu::target("avx512f,amx-tile,amx-bf16")

struct alignas(64) Configuration {
  uint8_t palette = 1, start = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(Configuration) == 64);

[[CTCONV_AMX_TARGET]] void begin() {
  const Configuration configuration;
  _tile_loadconfig(&configuration);
}
[[CTCONV_AMX_TARGET]] void end() { _tile_release(); }

constexpr int64_t kLineBytes = kChannels * 2, kSumBytes = kRows * 4;

// All products of one chunk and tap. W: halves of rows, P: tiles of positions.
template <int P, int W>
[[CTCONV_AMX_TARGET, gnu::always_inline]] inline void step(const Block& b, const uint16_t* x, const uint16_t* w) {
  int at_x = -1, at_w = -1;
  for (const Product& p : b.products) {
    if (p.x != at_x) {
      at_x = p.x;
      _tile_loadd(4, x + at_x * b.x_part, kLineBytes);
      if constexpr (P == 2) _tile_loadd(5, x + at_x * b.x_part + kHalf * kChannels, kLineBytes);
    }
    if (p.w != at_w) {
      at_w = p.w;
      _tile_loadd(6, w + at_w * W * kTile, kLineBytes);
      if constexpr (W == 2) _tile_loadd(7, w + at_w * W * kTile + kTile, kLineBytes);
    }
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (W == 2) _tile_dpbf16ps(1, 4, 7);
    if constexpr (P == 2) _tile_dpbf16ps(2, 5, 6);
    if constexpr (P == 2 && W == 2) _tile_dpbf16ps(3, 5, 7);
  }
}

template <int P, int W>
[[CTCONV_AMX_TARGET]] void sum_tiles(const Block& b, const uint16_t* first, float* sums) {
  _tile_zero(0);
  if constexpr (W == 2) _tile_zero(1);
  if constexpr (P == 2) _tile_zero(2);
  if constexpr (P == 2 && W == 2) _tile_zero(3);
  const uint16_t* w = b.w;
  for (int64_t c = 0; c < b.chunks; ++c) {
    for (int64_t t = 0; t < b.taps; ++t, w += b.w_parts * W * kTile) {
      step<P, W>(b, first + c * b.x_chunk + b.tap[t], w);
    }
  }
  _tile_stored(0, sums, kSumBytes);
  if constexpr (W == 2) _tile_stored(1, sums + kHalf, kSumBytes);
  if constexpr (P == 2) _tile_stored(2, sums + kHalf * kRows, kSumBytes);
  if constexpr (P == 2 && W == 2) _tile_stored(3, sums + kHalf * kRows + kHalf, kSumBytes);
  for (int64_t p = 0; p < P * kHalf; ++p) {
    for (int64_t h = 0; h < W; ++h) {
      float* to = sums + p * kRows + h * kHalf;
      _mm512_storeu_ps(to, _mm512_add_ps(_mm512_loadu_ps(to), _mm512_loadu_ps(b.bias + h * kHalf)));
    }
  }
}

void sum(const Block& b) {
  for (int64_t r = 0; r < b.rows; ++r) {
    for (int64_t p = 0; p < b.width; p += kStep) {
      const uint16_t* first = b.x + b.row[r] + p * kChannels;
      float* sums = b.sums + b.row[r] + p * kRows;
      const bool one = b.width - p <= kHalf;
      if (b.halves == 2) {
        one ? sum_tiles<1, 2>(b, first, sums) : sum_tiles<2, 2>(b, first, sums);
      } else {
        one ? sum_tiles<1, 1>(b, first, sums) : sum_tiles<2, 1>(b, first, sums);
      }
    }
  }
}
#else
void begin() {}
void end() {}
void sum(const Block&) {}
#endif

double rate() { return kTileRate * machine().amx; }

}  // namespace

const Unit kAmxUnit{"TDPBF16PS", &amx_missing, &rate, kStep, false, &begin, &sum, &end};

}  // namespace ctconv::tiles
