// SPDX-License-Identifier: Apache-2.0
// fold: second half of the few-output-channels road. A GEMM left one product sum for every (input position, tap,
// channel) in the workspace; an output adds those of the taps that reach it.
//
//   in:  sums[(group * taps + tap) * co + c][n * input positions], accumulators (gemm.h, raw)
//   out: y = act(sum over taps d, h, w + bias): the core of y
//   x is read once whatever the number of taps and phases. Sums over ci come first, then over taps: not the
//   reference's bits; the same on every run.
//   refuses: what gemm_forms.cpp refuses
#pragma once

#include "cuda/activation.h"
#include "cuda/index.h"

namespace ctconv::cuda {

inline constexpr int kFoldThreads = 256;

struct FoldParams {
  const void *sums, *bias;
  void* y;
  int32_t n, groups, co, elements;  // elements of the core, below 2^31
  int32_t channels_fastest;
  AxisMap<int32_t> axis[3];
  Divider by_o[3], by_channels;
  int64_t positions;  // of all images: elements between two rows of sums
  int64_t ys[5], bias_stride;
  ActParams act;
  int32_t bias_accumulator;
};

template <class T>
CTCONV_HD void fold_element(const FoldParams& p, int32_t index) {
  using Acc = Accumulator<T>;
  auto rest = static_cast<uint32_t>(index);
  uint32_t channel = 0;
  if (p.channels_fastest) channel = p.by_channels.split(&rest);
  const auto ow = static_cast<int32_t>(p.by_o[2].split(&rest)), oh = static_cast<int32_t>(p.by_o[1].split(&rest));
  const auto od = static_cast<int32_t>(p.by_o[0].split(&rest));
  if (!p.channels_fastest) channel = p.by_channels.split(&rest);
  const auto n = static_cast<int32_t>(rest);
  const Taps<int32_t> td = p.axis[0].at(od), th = p.axis[1].at(oh), tw = p.axis[2].at(ow);
  const int32_t g = static_cast<int32_t>(channel) / p.co, c = static_cast<int32_t>(channel) - g * p.co;
  const int32_t kh = p.axis[1].k, kw = p.axis[2].k, taps = p.axis[0].k * kh * kw;
  const Acc* sums = static_cast<const Acc*>(p.sums);
  const int32_t image = n * p.axis[0].i;
  const int64_t tap_w = int64_t{p.axis[2].tap_step} * p.co * p.positions - p.axis[2].input_step;
  Acc sum(0);
  for (int32_t a = 0; a < td.count; ++a) {
    const int32_t d = td.t + a * p.axis[0].tap_step, id = image + td.i - a * p.axis[0].input_step;
    for (int32_t b = 0; b < th.count; ++b) {
      const int32_t h = th.t + b * p.axis[1].tap_step, ih = id * p.axis[1].i + th.i - b * p.axis[1].input_step;
      const int32_t row = (g * taps + (d * kh + h) * kw + tw.t) * p.co + c;
      const Acc* from = sums + row * p.positions + (int64_t{ih} * p.axis[2].i + tw.i);
      for (int32_t e = 0; e < tw.count; e += 4) {  // the loads of four taps are on their way together
        Acc v[4];
        CTCONV_UNROLL
        for (int q = 0; q < 4; ++q) {
          v[q] = Acc(0);
          if (e + q < tw.count) v[q] = from[(e + q) * tap_w];
        }
        CTCONV_UNROLL
        for (int q = 0; q < 4; ++q) {
          if (e + q < tw.count) sum += v[q];
        }
      }
    }
  }
  const Acc bias = load_bias<T>(p.bias, p.bias_accumulator, channel * p.bias_stride);
  static_cast<T*>(p.y)[n * p.ys[0] + channel * p.ys[1] + od * p.ys[2] + oh * p.ys[3] + ow * p.ys[4]] =
      narrow<T>(activate<Acc>(p.act, sum + bias));
}

}  // namespace ctconv::cuda
