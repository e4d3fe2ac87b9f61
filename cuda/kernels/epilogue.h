// SPDX-License-Identifier: Apache-2.0
// epilogue: bias and activation in place, the rim no tap reaches, the zero tail. One pass over y, one launch.
//
//   in:  y whose interior box [lo, hi) holds plain sums
//   out: interior: act(y + bias); rest of the core: act(+0 + bias); tail: 0
//   Three ways through the same values: rows of one channel (channels-first), rows of channels (channels-last), any
//   strides. The first two need a dense y without rim and tail.
//   refuses: nothing
#pragma once

#include "cuda/activation.h"
#include "cuda/index.h"

namespace ctconv::cuda {

enum class EpilogueWay { kRows, kChannels, kAny };

struct EpilogueParams {
  void* y;
  const void* bias;
  int64_t bias_stride, elements;  // of the whole y, tail included
  int64_t n, channels;
  int64_t extent[3], core[3], lo[3], hi[3];  // y's rows; core rows; interior box inside the core
  int64_t ys[5];
  // below 2^31 elements: by elements of one channel (dense), channels, rows of y
  Divider by_plane, by_channels, by_extent[3];
  int32_t wide;  // 2^31 elements or more: the third way, by 64-bit divisions
  ActParams act;
  int32_t bias_accumulator;
  int32_t interior;  // 0: the interior is finished and only rim and tail are written
};

// kV consecutive elements of one channel row (channels-first).
template <class T, int kV>
CTCONV_HD void epilogue_rows(const EpilogueParams& p, uint32_t index) {
  using Acc = Accumulator<T>;
  uint32_t row = p.by_plane.divide(index * kV);
  const int64_t channel = p.by_channels.split(&row);
  const Acc bias = load_bias<T>(p.bias, p.bias_accumulator, channel * p.bias_stride);
  auto* y = static_cast<Pack<T, kV>*>(p.y) + index;
  Pack<T, kV> v = *y;
  Acc sum[kV];
  CTCONV_UNROLL
  for (int e = 0; e < kV; ++e) sum[e] = widen(v.v[e]) + bias;
  activate_all<Acc, kV>(p.act, sum);
  CTCONV_UNROLL
  for (int e = 0; e < kV; ++e) v.v[e] = narrow<T>(sum[e]);
  *y = v;
}

// kV consecutive channels of one position (channels-last).
template <class T, int kV>
CTCONV_HD void epilogue_channels(const EpilogueParams& p, uint32_t index) {
  using Acc = Accumulator<T>;
  uint32_t position = index * kV;
  const int64_t channel = p.by_channels.split(&position);
  auto* y = static_cast<Pack<T, kV>*>(p.y) + index;
  Pack<T, kV> v = *y;
  Acc sum[kV];
  CTCONV_UNROLL
  for (int e = 0; e < kV; ++e) {
    sum[e] = widen(v.v[e]) + load_bias<T>(p.bias, p.bias_accumulator, (channel + e) * p.bias_stride);
  }
  activate_all<Acc, kV>(p.act, sum);
  CTCONV_UNROLL
  for (int e = 0; e < kV; ++e) v.v[e] = narrow<T>(sum[e]);
  *y = v;
}

// n, channel, d, h, w of one element, in the order y lies.
CTCONV_HD void epilogue_place(const EpilogueParams& p, int64_t index, int64_t (&at)[5]) {
  const bool channel_fastest = p.ys[1] < p.ys[4] || p.extent[2] == 1;
  if (!p.wide) {
    auto rest = static_cast<uint32_t>(index);
    if (channel_fastest) at[1] = p.by_channels.split(&rest);
    CTCONV_UNROLL
    for (int a = 2; a >= 0; --a) at[2 + a] = p.by_extent[a].split(&rest);
    if (!channel_fastest) at[1] = p.by_channels.split(&rest);
    at[0] = rest;
    return;
  }
  int64_t rest = index;
  if (channel_fastest) {
    at[1] = rest % p.channels;
    rest /= p.channels;
  }
  CTCONV_UNROLL
  for (int a = 2; a >= 0; --a) {
    at[2 + a] = rest % p.extent[a];
    rest /= p.extent[a];
  }
  if (!channel_fastest) {
    at[1] = rest % p.channels;
    rest /= p.channels;
  }
  at[0] = rest;
}

template <class T>
CTCONV_HD void epilogue_any(const EpilogueParams& p, int64_t index) {
  using Acc = Accumulator<T>;
  int64_t at[5];
  epilogue_place(p, index, at);
  const int64_t d = at[2], h = at[3], w = at[4];
  const bool core = d < p.core[0] && h < p.core[1] && w < p.core[2];
  const bool inside = d >= p.lo[0] && d < p.hi[0] && h >= p.lo[1] && h < p.hi[1] && w >= p.lo[2] && w < p.hi[2];
  if (inside && !p.interior) return;
  T* y = static_cast<T*>(p.y) + at[0] * p.ys[0] + at[1] * p.ys[1] + d * p.ys[2] + h * p.ys[3] + w * p.ys[4];
  if (!core) {
    *y = narrow<T>(Acc(0));
    return;
  }
  const Acc sum = inside ? Acc(widen(*y)) : Acc(0);
  const Acc bias = load_bias<T>(p.bias, p.bias_accumulator, at[1] * p.bias_stride);
  *y = narrow<T>(activate<Acc>(p.act, sum + bias));
}

}  // namespace ctconv::cuda
