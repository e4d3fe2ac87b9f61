// SPDX-License-Identifier: Apache-2.0
// direct: one thread, one output element; any strides, any geometry, 64-bit indices. The last row of the table.
//
//   in:      raw x, w, bias by their strides (weights as they lie)
//   out:     the core of y, every element written once
//   acc = +0; for ci: for taps (d, h, w) that meet an input: acc = fma(x, w, acc);  y = round(act(acc + bias))
//   bits:    the reference's
//   refuses: a stride of 2^31 or more (the phase product must fit 64 bits)
#pragma once

#include "cuda/activation.h"
#include "cuda/index.h"

namespace ctconv::cuda {

struct DirectParams {
  const void *x, *w, *bias;
  void* y;
  int64_t n, groups, ci, co, elements, bias_stride;
  int64_t xs[5], ys[5], ws[6];
  AxisMap<int64_t> axis[3];
  ActParams act;
  int32_t channel_fastest, bias_accumulator;
};

template <class T>
CTCONV_HD void direct_element(const DirectParams& p, int64_t index) {
  using Acc = Accumulator<T>;
  const int64_t channels = p.groups * p.co;
  int64_t rest = index, channel = 0;
  if (p.channel_fastest) {
    channel = rest % channels;
    rest /= channels;
  }
  const int64_t ow = rest % p.axis[2].o;
  rest /= p.axis[2].o;
  const int64_t oh = rest % p.axis[1].o;
  rest /= p.axis[1].o;
  const int64_t od = rest % p.axis[0].o;
  rest /= p.axis[0].o;
  if (!p.channel_fastest) {
    channel = rest % channels;
    rest /= channels;
  }
  const int64_t n = rest, g = channel / p.co;
  const Taps<int64_t> td = p.axis[0].at(od), th = p.axis[1].at(oh), tw = p.axis[2].at(ow);
  const T* x =
      static_cast<const T*>(p.x) + n * p.xs[0] + g * p.ci * p.xs[1] + td.i * p.xs[2] + th.i * p.xs[3] + tw.i * p.xs[4];
  const T* w = static_cast<const T*>(p.w) + g * p.ws[0] + channel % p.co * p.ws[2] + td.t * p.ws[3] + th.t * p.ws[4] +
               tw.t * p.ws[5];
  const int64_t xd = -p.axis[0].input_step * p.xs[2], wd = p.axis[0].tap_step * p.ws[3];
  const int64_t xh = -p.axis[1].input_step * p.xs[3], wh = p.axis[1].tap_step * p.ws[4];
  const int64_t xw = -p.axis[2].input_step * p.xs[4], ww = p.axis[2].tap_step * p.ws[5];
  Acc acc(0);
  for (int64_t ci = 0; ci < p.ci; ++ci) {
    for (int64_t a = 0; a < td.count; ++a) {
      for (int64_t b = 0; b < th.count; ++b) {
        const T* xr = x + ci * p.xs[1] + a * xd + b * xh;
        const T* wr = w + ci * p.ws[1] + a * wd + b * wh;
        for (int64_t c = 0; c < tw.count; ++c) acc = fused(widen(xr[c * xw]), widen(wr[c * ww]), acc);
      }
    }
  }
  const Acc bias = load_bias<T>(p.bias, p.bias_accumulator, channel * p.bias_stride);
  static_cast<T*>(p.y)[n * p.ys[0] + channel * p.ys[1] + od * p.ys[2] + oh * p.ys[3] + ow * p.ys[4]] =
      narrow<T>(activate<Acc>(p.act, acc + bias));
}

}  // namespace ctconv::cuda
