// SPDX-License-Identifier: Apache-2.0
// pixel: channels-last layers that memory bounds: depthwise (with multiplier) and few input channels.
//
//   in:  x and y with unit channel stride, weights packed tap-channel [ci][d][h][w][group][co];   out: the core of y
//   A thread owns V neighbouring channels of kP outputs of one w phase (o, o+s, ...): one weight load serves kP sums.
//   Order per element: ci, taps d, h, w: the reference's bits.
//   refuses: groups that are neither 1 nor depthwise (ci = 1), more than 2^30 threads, extents or weights beyond 31
//            bits
#pragma once

#include "cuda/activation.h"
#include "cuda/index.h"

namespace ctconv::cuda {

inline constexpr int kPixelThreads = 128;
inline constexpr int kPixelP = 4;

struct PixelParams {
  const void *x, *w, *bias;  // w: packed
  void* y;
  uint32_t items;                             // threads wanted: n * od * oh * runs * channel vectors
  Divider by_vectors, by_runs, by_oh, by_od;  // in this order, fastest first
  Divider by_phases, by_co;                   // runs = phases * ceil(outputs of a phase / kP)
  int32_t groups, ci, co, vectors, runs, phases;
  int64_t bias_stride, xs[5], ys[5];
  AxisMap<int32_t> axis[3];
  TapSteps step;
  int64_t x_w, y_w;       // from one tap of w to the next in x, from one output of the phase to the next in y
  int64_t x_q;            // from one output of the phase to the next in x
  int32_t w_w, channels;  // from one tap of w to the next in the weights; groups * co
  ActParams act;
  int32_t bias_accumulator;
};

template <class T, int V>
CTCONV_HD Pack<T, V> load_pack(const T* p) {
  return *reinterpret_cast<const Pack<T, V>*>(p);
}

// Where a thread's outputs lie: channels c0 .. c0 + V - 1 of outputs o0, o0 + s, ...
struct PixelPlace {
  int32_t c0, o0, oh, od, n;
};

CTCONV_HD PixelPlace pixel_place(const PixelParams& p, uint32_t index, int v) {
  PixelPlace a;
  a.c0 = static_cast<int32_t>(p.by_vectors.split(&index)) * v;
  uint32_t run = p.by_runs.split(&index);
  a.oh = static_cast<int32_t>(p.by_oh.split(&index));
  a.od = static_cast<int32_t>(p.by_od.split(&index));
  a.n = static_cast<int32_t>(index);
  const auto phase = static_cast<int32_t>(p.by_phases.split(&run));
  a.o0 = static_cast<int32_t>(run) * kPixelP * p.axis[2].s + phase;
  return a;
}

// What a thread reads: its own channel of each output channel, or one value for all of them.
enum class PixelReads { kSame, kMultiplier, kDense };

// Sums of one tap: xp at input i of q = 0 and the first channel read, w at the thread's channels.
template <class T, int V, PixelReads kReads>
CTCONV_HD void pixel_tap(const PixelParams& p, const T* xp, const T* w, int32_t i, const int32_t (&from)[V],
                         Accumulator<T> (&acc)[kPixelP][V]) {
  const Pack<T, V> wv = load_pack<T, V>(w);
  CTCONV_UNROLL
  for (int q = 0; q < kPixelP; ++q) {
    if (static_cast<uint32_t>(i + q * p.axis[2].every) < static_cast<uint32_t>(p.axis[2].i)) {
      if constexpr (kReads == PixelReads::kSame) {
        const Pack<T, V> xv = load_pack<T, V>(xp);
        CTCONV_UNROLL
        for (int c = 0; c < V; ++c) acc[q][c] = fused(widen(xv.v[c]), widen(wv.v[c]), acc[q][c]);
      } else if constexpr (kReads == PixelReads::kMultiplier) {
        CTCONV_UNROLL
        for (int c = 0; c < V; ++c) acc[q][c] = fused(widen(xp[from[c]]), widen(wv.v[c]), acc[q][c]);
      } else {
        const Accumulator<T> xv = widen(*xp);
        CTCONV_UNROLL
        for (int c = 0; c < V; ++c) acc[q][c] = fused(xv, widen(wv.v[c]), acc[q][c]);
      }
    }
    xp += p.x_q;
  }
}

template <class T, int V, PixelReads kReads>
CTCONV_HD void pixel_sums(const PixelParams& p, const PixelPlace& a, Accumulator<T> (&acc)[kPixelP][V]) {
  const Taps<int32_t> td = p.axis[0].at(a.od), th = p.axis[1].at(a.oh), tw = p.axis[2].phase(a.o0);
  const TapSteps& step = p.step;
  [[maybe_unused]] int32_t from[V];  // input channel of each output channel
  if constexpr (kReads == PixelReads::kMultiplier) {
    CTCONV_UNROLL
    for (int c = 0; c < V; ++c) from[c] = static_cast<int32_t>(p.by_co.divide(static_cast<uint32_t>(a.c0 + c)));
  }
  const T* x = static_cast<const T*>(p.x) + a.n * p.xs[0] + td.i * p.xs[2] + th.i * p.xs[3] + tw.i * p.xs[4] +
               (kReads == PixelReads::kSame ? a.c0 : 0);
  const T* w = static_cast<const T*>(p.w) + a.c0 + td.t * step.plane + th.t * step.row + tw.t * p.channels;
  CTCONV_NO_UNROLL
  for (int32_t ci = 0; ci < p.ci; ++ci) {
    const T *xd = x, *wd = w;
    CTCONV_NO_UNROLL
    for (int32_t d = 0; d < td.count; ++d) {
      const T *xh = xd, *wh = wd;
      CTCONV_NO_UNROLL
      for (int32_t h = 0; h < th.count; ++h) {
        const T *xw = xh, *ww = wh;
        int32_t i = tw.i;
        CTCONV_NO_UNROLL
        for (int32_t e = 0; e < tw.count; ++e) {
          pixel_tap<T, V, kReads>(p, xw, ww, i, from, acc);
          xw += p.x_w;
          ww += p.w_w;
          i -= p.axis[2].input_step;
        }
        xh += step.x_h;
        wh += step.w_h;
      }
      xd += step.x_d;
      wd += step.w_d;
    }
    x += p.xs[1];
    w += step.volume;
  }
}

template <class T, int V>
CTCONV_HD void pixel_item(const PixelParams& p, uint32_t index) {
  using Acc = Accumulator<T>;
  const PixelPlace a = pixel_place(p, index, V);
  if (a.o0 >= p.axis[2].o) return;
  Acc acc[kPixelP][V], bias[V];
  CTCONV_UNROLL
  for (int e = 0; e < kPixelP * V; ++e) acc[e / V][e % V] = Acc(0);
  if (p.groups == 1) {
    pixel_sums<T, V, PixelReads::kDense>(p, a, acc);
  } else if (p.co == 1) {
    pixel_sums<T, V, PixelReads::kSame>(p, a, acc);
  } else {
    pixel_sums<T, V, PixelReads::kMultiplier>(p, a, acc);
  }
  CTCONV_UNROLL
  for (int c = 0; c < V; ++c) bias[c] = load_bias<T>(p.bias, p.bias_accumulator, (a.c0 + c) * p.bias_stride);
  T* y = static_cast<T*>(p.y) + a.n * p.ys[0] + a.od * p.ys[2] + a.oh * p.ys[3] + a.o0 * p.ys[4] + a.c0;
  CTCONV_UNROLL
  for (int q = 0; q < kPixelP; ++q) {
    if (a.o0 + q * p.axis[2].s < p.axis[2].o) {
      Acc sum[V];
      CTCONV_UNROLL
      for (int c = 0; c < V; ++c) sum[c] = acc[q][c] + bias[c];
      activate_all<Acc, V>(p.act, sum);
      Pack<T, V> out;
      CTCONV_UNROLL
      for (int c = 0; c < V; ++c) out.v[c] = narrow<T>(sum[c]);
      *reinterpret_cast<Pack<T, V>*>(y) = out;
    }
    y += p.y_w;
  }
}

}  // namespace ctconv::cuda
