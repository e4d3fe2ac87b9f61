// SPDX-License-Identifier: Apache-2.0
// The loop that times TDPBF16PS out of tile registers; see probe.h.
//
//   Two sums over one pair of operand tiles of numbers of both signs: zeros would flatter the unit by a fifth.
#include "src/machine/amx.h"
#include "src/machine/probe.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ctconv {
namespace {

#if defined(__x86_64__)
constexpr int kSums = 4;

struct alignas(64) Configuration {
  uint8_t palette = 1, start = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16};
};

[[gnu::target("amx-tile,amx-bf16")]] float rounds(int64_t count) {
  const Configuration configuration;
  alignas(64) uint16_t operand[512];
  alignas(64) float sums[256];
  uint32_t noise = 1;
  for (uint16_t& v : operand) {  // magnitudes from 0.5 to 2, both signs
    noise = noise * 1664525u + 1013904223u;
    v = static_cast<uint16_t>(0x3f00u | (noise >> 16 & 0x80ffu));
  }
  _tile_loadconfig(&configuration);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, operand, 64);
  _tile_loadd(5, operand, 64);
  for (int64_t i = 0; i < count; ++i) {
    _tile_dpbf16ps(0, 4, 5);
    _tile_dpbf16ps(1, 4, 5);
    _tile_dpbf16ps(2, 4, 5);
    _tile_dpbf16ps(3, 4, 5);
  }
  _tile_stored(0, sums, 64);
  _tile_release();
  return sums[0];
}
#endif

}  // namespace

DotLoop amx_loop() {
#if defined(__x86_64__)
  if (amx_missing() == nullptr) return {.products = kSums, .rounds = &rounds};
#endif
  return {};
}

}  // namespace ctconv
