// SPDX-License-Identifier: Apache-2.0
// Packing weights; see pack.h.
//
//   A task packs the tiles of one block and chunk.
#include <array>
#include <atomic>
#include <bit>

#include "src/base/checked.h"
#include "src/engine/tiles/pack.h"
#include "src/engine/tiles/split.h"
#include "src/engine/tiles/values.h"

namespace ctconv::tiles {
namespace {

uint16_t bits_of(uint16_t v) { return v; }
uint32_t bits_of(float v) { return std::bit_cast<uint32_t>(v); }
float widened(uint16_t v, Dtype t) { return t == Dtype::kF16 ? f16_to_f32(v) : bf16_to_f32(v); }
float widened(float v, Dtype) { return v; }

// All taps of a chunk of a block: [tap][part][half][pair][row][2].
template <class T>
bool pack_chunk(const Layout& k, const T* w, const RowBlock& b, int64_t chunk, uint16_t* out) {
  const Problem& p = k.p;
  const TapList& list = at(k.lists, b.list);
  const int64_t c0 = chunk * kChannels, channels = std::min(kChannels, p.ci - c0);
  std::array<int64_t, kRows> place{};
  for (int32_t r = 0; r < b.rows; ++r) {
    const Row& row = at(k.units.rows, b.row + r);
    at(place, r) = row.c * p.w.co + k.grid[0].phase(row.d).t0 * p.w.tap[0] + k.grid[1].phase(row.h).t0 * p.w.tap[1] +
                   k.grid[2].phase(row.w).t0 * p.w.tap[2];
  }
  kit::MagnitudeJudge<decltype(bits_of(T()))> judge(weight_range(p.types.w));
  const int64_t parts = k.split.parts, part = b.halves() * kTile;
  for (const int64_t tap : list.w_tap) {
    std::fill_n(out, parts * part, 0);
    for (int64_t c = 0; c < channels; ++c) {
      const T* from = w + (c0 + c) * p.w.ci + tap;
      for (int32_t r = 0; r < b.rows; ++r) {
        const T value = from[at(place, r)];
        judge.look(bits_of(value));
        uint16_t split_in[kMostParts];
        split(widened(value, p.types.w), parts, split_in);
        uint16_t* to = out + (r / kHalf) * kTile + (c / 2) * kChannels + (r % kHalf) * 2 + c % 2;
        for (int64_t q = 0; q < parts; ++q) to[q * part] = split_in[q];
      }
    }
    out += parts * part;
  }
  return judge.fit();
}

}  // namespace

std::string packing_key(const Layout& k) {
  std::string key = "tiles/" + std::to_string(k.split.parts) + "/" + name_of(k.p.types.w) + "/" +
                    std::to_string(k.units.count()) + "x" + std::to_string(k.units.blocks.size());
  for (const kit::AxisPhases& a : k.grid) {
    key += "/s" + std::to_string(a.s) + "f" + std::to_string(a.first_f) + "x" + std::to_string(a.count());
  }
  return key;
}

Result<bool> pack_weights(const Layout& k, const void* w, uint16_t* packed, const Runner& runner) {
  std::atomic<bool> fit{true};
  const int64_t blocks = std::ssize(k.units.blocks);
  const bool ok = runner(k.p.groups * blocks * k.chunks, [&](int64_t index, int32_t) {
    const int64_t chunk = index % k.chunks, g = index / k.chunks / blocks;
    const RowBlock& b = at(k.units.blocks, index / k.chunks % blocks);
    const int64_t own = at(k.lists, b.list).taps() * b.halves() * kTile * k.split.parts;
    uint16_t* out = packed + g * k.units.weights + b.weight + chunk * own;
    const int64_t at_group = g * k.p.w.g;
    const bool good = k.p.types.w == Dtype::kF32
                          ? pack_chunk(k, static_cast<const float*>(w) + at_group, b, chunk, out)
                          : pack_chunk(k, static_cast<const uint16_t*>(w) + at_group, b, chunk, out);
    if (!good) fit.store(false, std::memory_order_relaxed);
  });
  if (!ok) return runner_broke();
  return fit.load();
}

}  // namespace ctconv::tiles
