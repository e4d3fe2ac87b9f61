// SPDX-License-Identifier: Apache-2.0
// How one phase is computed along one axis: the kinds of short correlations, as data.
//
//   A tile is `outputs` neighbouring outputs of a phase. It reads inputs d0, d1, ... and multiplies `points` values:
//     kOne    y0 = d0 g0                                                     one tap, tiles of one output
//     kRaw    yj = dj g0                                       j < 3         one tap beside phases of two
//     kTwo    yj = dj g0 + dj+1 g1                             j < 3         two taps
//     kThree  yj = dj g0 + dj+1 g1 + dj+2 g2                   j < 2         three taps
//     kPair   yj = dj g0 + dj+1 g1                             j < 2         two taps beside phases of three
//   kTwo, kThree:  v = d0-d2, d1+d2, d2-d1, d3-d1;   kPair: v = d0-d1, d1, d2-d1;   others: v = d
//   kTwo    u = g0, (g0+g1)/2, (g0-g1)/2, g1           y = m0+(m1+m2), m1-m2, (m1+m2)+m3
//   kThree  u = g0, (g0+g2+g1)/2, (g0+g2-g1)/2, g2     y = m0+(m1+m2), (m1-m2)+m3
//   kPair   u = g0, g0+g1, g1                          y = m0+m1, m1+m2
//   The last tap of g reads the newest input: g0 is the tap of the oldest one.
#pragma once

#include <cstdint>

namespace ctconv::winograd {

enum class Kind : int8_t { kOne, kRaw, kTwo, kThree, kPair };
inline constexpr int kKinds = 5;

struct KindRow {
  int taps, inputs, points, outputs;
  int first;  // of the tile's inputs along the axis, the first that this kind reads
};
inline constexpr KindRow kKindRows[kKinds] = {
    {1, 1, 1, 1, 0}, {1, 3, 3, 3, 1}, {2, 4, 4, 3, 0}, {3, 4, 4, 2, 0}, {2, 3, 3, 2, 1},
};
constexpr const KindRow& row_of(Kind k) { return kKindRows[static_cast<int>(k)]; }

inline constexpr int kMostInputs = 4, kMostPoints = 4, kMostOutputs = 3, kMostTaps = 3;

}  // namespace ctconv::winograd
