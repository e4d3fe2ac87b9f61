// SPDX-License-Identifier: Apache-2.0
// relayout: a tensor into the order a GEMM kernel reads: [n][positions][groups * pitch] or [n][channels][positions].
//
//   in:  x by any strides (n, c, d, h, w)
//   out: dense copy; channels-last: each group's channels padded to `pitch` with zeros
//   A block moves a 32 x 32 tile of (channel, position) through shared memory: reads run along one, writes along the
//   other. Elements only move.
#pragma once

#include "cuda/index.h"

namespace ctconv::cuda {

inline constexpr int kRelayoutTile = 32, kRelayoutRows = 8;

struct RelayoutParams {
  const void* from;
  void* to;
  int32_t n, groups, ci, pitch;  // channels of a group, and with padding
  int32_t extent[3];             // d, h, w
  int32_t positions;
  int64_t stride[5];
  int32_t flat;  // positions lie stride[4] apart throughout
  Divider by_extent[3], by_pitch;
  int32_t to_last;           // 1: channels fastest in `to`
  int32_t channels_fastest;  // in `from`: threads read along channels
};

// Extent of the padded channel axis, as tiles see it.
CTCONV_HD int32_t relayout_channels(const RelayoutParams& p) { return p.groups * (p.to_last ? p.pitch : p.ci); }

// Offset in `from` of a position.
CTCONV_HD int64_t relayout_offset(const RelayoutParams& p, int32_t position) {
  if (p.flat) return position * p.stride[4];
  auto d = static_cast<uint32_t>(position);
  const uint32_t w = p.by_extent[2].split(&d), h = p.by_extent[1].split(&d);
  return d * p.stride[2] + h * p.stride[3] + w * p.stride[4];
}

template <class Bits>
CTCONV_HD Bits relayout_read(const RelayoutParams& p, int32_t n, int32_t channel, int32_t position) {
  if (position >= p.positions || channel >= relayout_channels(p)) return Bits(0);
  int32_t c = channel;
  if (p.to_last && p.pitch != p.ci) {
    auto g = static_cast<uint32_t>(channel);
    const auto at = static_cast<int32_t>(p.by_pitch.split(&g));
    if (at >= p.ci) return Bits(0);
    c = static_cast<int32_t>(g) * p.ci + at;
  }
  return static_cast<const Bits*>(p.from)[n * p.stride[0] + c * p.stride[1] + relayout_offset(p, position)];
}

template <class Bits>
CTCONV_HD void relayout_write(const RelayoutParams& p, int32_t n, int32_t channel, int32_t position, Bits v) {
  const int32_t channels = relayout_channels(p);
  if (position >= p.positions || channel >= channels) return;
  const int64_t image = int64_t{n} * channels * p.positions;
  static_cast<Bits*>(
      p.to)[image + (p.to_last ? int64_t{position} * channels + channel : int64_t{channel} * p.positions + position)] =
      v;
}

// tile[channel][position], one column more against bank conflicts.
template <class Bits>
struct RelayoutTile {
  Bits v[kRelayoutTile][kRelayoutTile + 1];
};

template <class Bits>
CTCONV_HD void relayout_load(const RelayoutParams& p, int32_t n, int32_t tile_c, int32_t tile_p, int32_t x, int32_t y,
                             RelayoutTile<Bits>& tile) {
  CTCONV_UNROLL
  for (int32_t turn = 0; turn < kRelayoutTile / kRelayoutRows; ++turn) {
    const int32_t row = y + turn * kRelayoutRows;
    const int32_t c = p.channels_fastest ? x : row, at = p.channels_fastest ? row : x;
    tile.v[c][at] = relayout_read<Bits>(p, n, tile_c * kRelayoutTile + c, tile_p * kRelayoutTile + at);
  }
}
template <class Bits>
CTCONV_HD void relayout_store(const RelayoutParams& p, int32_t n, int32_t tile_c, int32_t tile_p, int32_t x, int32_t y,
                              const RelayoutTile<Bits>& tile) {
  CTCONV_UNROLL
  for (int32_t turn = 0; turn < kRelayoutTile / kRelayoutRows; ++turn) {
    const int32_t row = y + turn * kRelayoutRows;
    const int32_t c = p.to_last ? x : row, at = p.to_last ? row : x;
    relayout_write<Bits>(p, n, tile_c * kRelayoutTile + c, tile_p * kRelayoutTile + at, tile.v[c][at]);
  }
}

}  // namespace ctconv::cuda
