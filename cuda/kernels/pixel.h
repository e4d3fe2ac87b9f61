// pixel: channels-last layers that memory bounds: depthwise (with multiplier) and few input channels.
//
//   in:  x and y with unit channel stride, weights packed tap-channel [ci][d][h][w][group][co];   out: the core of y
//   A thread owns V neighbouring channels of kP outputs of one w phase (o, o+s, ...): one weight load serves kP sums.
//   Order per element: ci, taps d, h, w: the reference's bits.
//   refuses: groups that are neither 1 nor depthwise (ci = 1), extents beyond 31 bits
#pragma once

#include "cuda/activation.h"
#include "cuda/index.h"

namespace ctconv::cuda {

inline constexpr int kPixelThreads = 128;
inline constexpr int kPixelP = 4;

struct PixelParams {
  const void *x, *w, *bias;  // w: packed
  void* y;
  int64_t items, bias_stride;                        // threads wanted: n * od * oh * runs * channel vectors
  int32_t n, groups, ci, co, vectors, runs, phases;  // runs = phases * ceil(outputs of a phase / kP)
  int64_t xs[5], ys[5];
  AxisMap<int32_t> axis[3];
  ActParams act;
  int32_t bias_accumulator;
};

template <class T, int V>
CTCONV_HD Pack<T, V> load_pack(const T* p) {
  return *reinterpret_cast<const Pack<T, V>*>(p);
}

template <class T, int V>
CTCONV_HD void pixel_item(const PixelParams& p, int64_t index) {
  using Acc = Accumulator<T>;
  const auto vector = static_cast<int32_t>(index % p.vectors);
  int64_t rest = index / p.vectors;
  const auto run = static_cast<int32_t>(rest % p.runs);
  rest /= p.runs;
  const auto oh = static_cast<int32_t>(rest % p.axis[1].o);
  rest /= p.axis[1].o;
  const auto od = static_cast<int32_t>(rest % p.axis[0].o);
  const int64_t n = rest / p.axis[0].o;
  const int32_t s = p.axis[2].s, channels = p.groups * p.co, c0 = vector * V;
  const int32_t o0 = run / p.phases * kPixelP * s + run % p.phases;
  if (o0 >= p.axis[2].o) return;
  const Taps<int32_t> td = p.axis[0].at(od), th = p.axis[1].at(oh), tw = p.axis[2].phase(o0);
  const bool depthwise = p.groups > 1, same = depthwise && p.co == 1;
  const T* xn = static_cast<const T*>(p.x) + n * p.xs[0];
  const T* w = static_cast<const T*>(p.w) + c0;

  Acc acc[kPixelP][V];
  CTCONV_UNROLL
  for (int q = 0; q < kPixelP; ++q) {
    CTCONV_UNROLL
    for (int c = 0; c < V; ++c) acc[q][c] = Acc(0);
  }
  CTCONV_NO_UNROLL
  for (int32_t ci = 0; ci < p.ci; ++ci) {
    CTCONV_NO_UNROLL
    for (int32_t a = 0; a < td.count; ++a) {
      CTCONV_NO_UNROLL
      for (int32_t b = 0; b < th.count; ++b) {
        const T* xr = xn + (td.i - a * p.axis[0].input_step) * p.xs[2] + (th.i - b * p.axis[1].input_step) * p.xs[3];
        const int32_t d = td.t + a * p.axis[0].tap_step, h = th.t + b * p.axis[1].tap_step;
        CTCONV_NO_UNROLL
        for (int32_t e = 0; e < tw.count; ++e) {
          const int32_t t = tw.t + e * p.axis[2].tap_step, i0 = tw.i - e * p.axis[2].input_step;
          const int64_t tap = ((int64_t{ci} * p.axis[0].k + d) * p.axis[1].k + h) * p.axis[2].k + t;
          const Pack<T, V> wv = load_pack<T, V>(w + tap * channels);
          CTCONV_UNROLL
          for (int q = 0; q < kPixelP; ++q) {
            const int32_t i = i0 + q;
            if (i < 0 || i >= p.axis[2].i) continue;
            const T* xp = xr + i * p.xs[4];
            if (same) {
              const Pack<T, V> xv = load_pack<T, V>(xp + c0);
              CTCONV_UNROLL
              for (int c = 0; c < V; ++c) acc[q][c] = fused(widen(xv.v[c]), widen(wv.v[c]), acc[q][c]);
            } else if (depthwise) {
              CTCONV_UNROLL
              for (int c = 0; c < V; ++c) acc[q][c] = fused(widen(xp[(c0 + c) / p.co]), widen(wv.v[c]), acc[q][c]);
            } else {
              const Acc xv = widen(xp[ci]);
              CTCONV_UNROLL
              for (int c = 0; c < V; ++c) acc[q][c] = fused(xv, widen(wv.v[c]), acc[q][c]);
            }
          }
        }
      }
    }
  }
  T* y = static_cast<T*>(p.y) + n * p.ys[0] + od * p.ys[2] + oh * p.ys[3] + c0;
  CTCONV_UNROLL
  for (int q = 0; q < kPixelP; ++q) {
    const int32_t o = o0 + q * s;
    if (o >= p.axis[2].o) break;
    Pack<T, V> out;
    CTCONV_UNROLL
    for (int c = 0; c < V; ++c) {
      const Acc bias = load_bias<T>(p.bias, p.bias_accumulator, (c0 + c) * p.bias_stride);
      out.v[c] = narrow<T>(activate<Acc>(p.act, acc[q][c] + bias));
    }
    *reinterpret_cast<Pack<T, V>*>(y + o * p.ys[4]) = out;
  }
}

}  // namespace ctconv::cuda
