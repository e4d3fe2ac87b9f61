// epilogue: bias and activation in place, the rim no tap reaches, the zero tail. One pass over y, one launch.
//
//   in:  y whose interior box [lo, hi) holds plain sums
//   out: interior: act(y + bias); rest of the core: act(+0 + bias); tail: 0
//   Three ways through the same values: rows of one channel (channels-first), rows of channels (channels-last), any
//   strides. The first two need a dense y without rim and tail.
//   refuses: nothing
#pragma once

#include "cuda/activation.h"

namespace ctconv::cuda {

enum class EpilogueWay { kRows, kChannels, kAny };

struct EpilogueParams {
  void* y;
  const void* bias;
  int64_t bias_stride, elements;  // of the whole y, tail included
  int64_t n, channels;
  int64_t extent[3], core[3], lo[3], hi[3];  // y's rows; core rows; interior box inside the core
  int64_t ys[5];
  int64_t plane;  // elements of one channel, dense ways only
  ActParams act;
  int32_t bias_accumulator;
  int32_t interior;  // 0: the interior is finished and only rim and tail are written
};

// kV consecutive elements of one channel row (channels-first).
template <class T, int kV>
CTCONV_HD void epilogue_rows(const EpilogueParams& p, int64_t index) {
  using Acc = Accumulator<T>;
  const int64_t at = index * kV, channel = at / p.plane % p.channels;
  const Acc bias = load_bias<T>(p.bias, p.bias_accumulator, channel * p.bias_stride);
  auto* y = reinterpret_cast<Pack<T, kV>*>(static_cast<T*>(p.y) + at);
  Pack<T, kV> v = *y;
  CTCONV_UNROLL
  for (int e = 0; e < kV; ++e) v.v[e] = narrow<T>(activate<Acc>(p.act, widen(v.v[e]) + bias));
  *y = v;
}

// kV consecutive channels of one position (channels-last).
template <class T, int kV>
CTCONV_HD void epilogue_channels(const EpilogueParams& p, int64_t index) {
  using Acc = Accumulator<T>;
  const int64_t at = index * kV, channel = at % p.channels;
  auto* y = reinterpret_cast<Pack<T, kV>*>(static_cast<T*>(p.y) + at);
  Pack<T, kV> v = *y;
  CTCONV_UNROLL
  for (int e = 0; e < kV; ++e) {
    const Acc bias = load_bias<T>(p.bias, p.bias_accumulator, (channel + e) * p.bias_stride);
    v.v[e] = narrow<T>(activate<Acc>(p.act, widen(v.v[e]) + bias));
  }
  *y = v;
}

template <class T>
CTCONV_HD void epilogue_any(const EpilogueParams& p, int64_t index) {
  using Acc = Accumulator<T>;
  int64_t rest = index, channel = 0;
  const bool channel_fastest = p.ys[1] < p.ys[4] || p.extent[2] == 1;
  if (channel_fastest) channel = rest % p.channels, rest /= p.channels;
  const int64_t w = rest % p.extent[2];
  rest /= p.extent[2];
  const int64_t h = rest % p.extent[1];
  rest /= p.extent[1];
  const int64_t d = rest % p.extent[0];
  rest /= p.extent[0];
  if (!channel_fastest) channel = rest % p.channels, rest /= p.channels;
  const bool core = d < p.core[0] && h < p.core[1] && w < p.core[2];
  const bool inside = d >= p.lo[0] && d < p.hi[0] && h >= p.lo[1] && h < p.hi[1] && w >= p.lo[2] && w < p.hi[2];
  if (inside && !p.interior) return;
  T* y = static_cast<T*>(p.y) + rest * p.ys[0] + channel * p.ys[1] + d * p.ys[2] + h * p.ys[3] + w * p.ys[4];
  if (!core) {
    *y = narrow<T>(Acc(0));
    return;
  }
  const Acc sum = inside ? Acc(widen(*y)) : Acc(0);
  const Acc bias = load_bias<T>(p.bias, p.bias_accumulator, channel * p.bias_stride);
  *y = narrow<T>(activate<Acc>(p.act, sum + bias));
}

}  // namespace ctconv::cuda
