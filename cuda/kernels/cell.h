// cell: channels-first layers that memory bounds: depthwise, few input channels, few output channels.
//
//   in:  raw x with unit w stride, raw w by its strides, bias
//   out: core rows of y with unit w stride
//   A thread owns Q cells of S neighbouring outputs (all w phases of Q inputs) of CB channels: run = Q*S outputs.
//   o = cell*S + r - lo;  tap t = j*S + r reads input i = cell - j: one load serves S*CB sums, and slides over Q cells.
//   S = 0: one output a thread, its w taps by AxisMap (any stride and dilation).
//   Per element the order is ci, taps d, h, w: the reference's bits.
//   Weights of one (group, channel block) lie in shared memory as accumulators: [ci][kd][kh][kw, padded to S][CB];
//   padding is never multiplied (Inf and NaN stay honest).
//   refuses: other strides, lo < 0 with S > 0, weights above kCellShared bytes, extents beyond 31 bits
#pragma once

#include "cuda/activation.h"
#include "cuda/index.h"

namespace ctconv::cuda {

inline constexpr int kCellThreads = 128;
inline constexpr int kCellShared = 48 * 1024;

// How the kernel is instantiated: S phases, Q cells, CB channels.
struct CellForm {
  int32_t s = 0, q = 1, cb = 1;
  int32_t run() const { return s == 0 ? 1 : s * q; }
};

struct CellParams {
  const void *x, *w, *bias;
  void* y;
  int32_t n, groups, ci, co, co_blocks, cells, cell0, runs;  // cells, runs: of one output row
  int64_t rows, bias_stride;
  int64_t xs[4], ys[4], ws[6];  // n, c, d, h; w strides as in the problem
  AxisMap<int32_t> axis[3];
  ActParams act;
  int32_t bias_accumulator, padded_kw;
};

template <class T, int CB>
CTCONV_HD void cell_fill(const CellParams& p, int32_t block, int32_t thread, Accumulator<T>* shared) {
  const int32_t g = block / p.co_blocks, c0 = block % p.co_blocks * CB;
  const int32_t kd = p.axis[0].k, kh = p.axis[1].k, kw = p.padded_kw;
  const int32_t per_channel = kd * kh * kw, total = p.ci * CB * per_channel;
  for (int32_t e = thread; e < total; e += kCellThreads) {  // taps fastest: contiguous in the usual raw weight
    const int32_t ci = e / (CB * per_channel), c = e / per_channel % CB, tap = e % per_channel;
    const int32_t w = tap % kw, h = tap / kw % kh, d = tap / kw / kh;
    Accumulator<T> v(0);
    if (c0 + c < p.co && w < p.axis[2].k) {
      v = widen(static_cast<const T*>(
          p.w)[g * p.ws[0] + ci * p.ws[1] + (c0 + c) * p.ws[2] + d * p.ws[3] + h * p.ws[4] + w * p.ws[5]]);
    }
    shared[(ci * per_channel + tap) * CB + c] = v;
  }
}

template <class T, int R>
CTCONV_HD void store_run(T* y, const T (&v)[R], int32_t begin, int32_t end) {
  if constexpr (R == 2 || R == 4 || R == 8) {
    if (begin == 0 && end == R && sizeof(T) * R <= 16 && aligned<T, R>(y)) {
      Pack<T, R> pack;
      CTCONV_UNROLL
      for (int e = 0; e < R; ++e) pack.v[e] = v[e];
      *reinterpret_cast<Pack<T, R>*>(y) = pack;
      return;
    }
  }
  CTCONV_UNROLL
  for (int e = 0; e < R; ++e) {
    if (e >= begin && e < end) y[e] = v[e];
  }
}

template <class T, int S, int Q, int CB>
CTCONV_HD void cell_compute(const CellParams& p, int64_t tile, int32_t block, int32_t thread,
                            const Accumulator<T>* shared) {
  using Acc = Accumulator<T>;
  constexpr int R = S == 0 ? 1 : S * Q;
  const int64_t position = tile * kCellThreads + thread;
  if (position >= p.rows * p.runs) return;
  const int64_t row = position / p.runs;
  const auto run = static_cast<int32_t>(position - row * p.runs);
  const auto oh = static_cast<int32_t>(row % p.axis[1].o);
  const auto od = static_cast<int32_t>(row / p.axis[1].o % p.axis[0].o);
  const int64_t n = row / p.axis[1].o / p.axis[0].o;
  const int32_t g = block / p.co_blocks, c0 = block % p.co_blocks * CB;
  const Taps<int32_t> td = p.axis[0].at(od), th = p.axis[1].at(oh);
  const int32_t kh = p.axis[1].k, kw = p.padded_kw, kd = p.axis[0].k;
  const T* xg = static_cast<const T*>(p.x) + n * p.xs[0] + int64_t{g} * p.ci * p.xs[1];

  Acc acc[R][CB];
  CTCONV_UNROLL
  for (int r = 0; r < R; ++r) {
    CTCONV_UNROLL
    for (int c = 0; c < CB; ++c) acc[r][c] = Acc(0);
  }
  const int32_t cell = p.cell0 + run * (Q > 0 ? Q : 1);
  [[maybe_unused]] const Taps<int32_t> tw = S == 0 ? p.axis[2].at(run) : Taps<int32_t>{0, 0, 0};
  CTCONV_NO_UNROLL
  for (int32_t ci = 0; ci < p.ci; ++ci) {
    CTCONV_NO_UNROLL
    for (int32_t a = 0; a < td.count; ++a) {
      CTCONV_NO_UNROLL
      for (int32_t b = 0; b < th.count; ++b) {
        const T* xr = xg + ci * p.xs[1] + (td.i - a * p.axis[0].input_step) * p.xs[2] +
                      (th.i - b * p.axis[1].input_step) * p.xs[3];
        const int32_t d = td.t + a * p.axis[0].tap_step, h = th.t + b * p.axis[1].tap_step;
        const Acc* ws = shared + ((ci * kd + d) * kh + h) * kw * CB;
        if constexpr (S == 0) {
          CTCONV_NO_UNROLL
          for (int32_t e = 0; e < tw.count; ++e) {
            const Acc v = widen(xr[tw.i - e * p.axis[2].input_step]);
            const Acc* wt = ws + (tw.t + e * p.axis[2].tap_step) * CB;
            CTCONV_UNROLL
            for (int c = 0; c < CB; ++c) acc[0][c] = fused(v, wt[c], acc[0][c]);
          }
        } else {
          Acc v[Q];
          bool ok[Q];
          CTCONV_UNROLL
          for (int q = 0; q < Q - 1;
               ++q) {  // inputs of tap block 0 but for the lowest, one place down; the loop shifts up
            const int32_t i = cell + 1 + q;
            ok[q] = i >= 0 && i < p.axis[2].i;
            v[q] = ok[q] ? Acc(widen(xr[i])) : Acc(0);
          }
          CTCONV_NO_UNROLL
          for (int32_t j = 0; j * S < p.axis[2].k; ++j) {
            CTCONV_UNROLL
            for (int q = Q - 1; q > 0; --q) v[q] = v[q - 1], ok[q] = ok[q - 1];
            const int32_t i = cell - j;
            ok[0] = i >= 0 && i < p.axis[2].i;
            v[0] = ok[0] ? Acc(widen(xr[i])) : Acc(0);
            const Acc* wt = ws + j * S * CB;
            CTCONV_UNROLL
            for (int r = 0; r < S; ++r) {
              if (j * S + r < p.axis[2].k) {
                CTCONV_UNROLL
                for (int q = 0; q < Q; ++q) {
                  CTCONV_UNROLL
                  for (int c = 0; c < CB; ++c) {
                    if (ok[q]) acc[q * S + r][c] = fused(v[q], wt[r * CB + c], acc[q * S + r][c]);
                  }
                }
              }
            }
          }
        }
      }
    }
  }

  const int32_t o0 = S == 0 ? run : cell * S - p.axis[2].lo;
  const int32_t begin = o0 < 0 ? -o0 : 0, end = p.axis[2].o - o0 < R ? p.axis[2].o - o0 : R;
  T* y = static_cast<T*>(p.y) + n * p.ys[0] + od * p.ys[2] + oh * p.ys[3] + o0;
  CTCONV_UNROLL
  for (int c = 0; c < CB; ++c) {
    if (c0 + c < p.co) {
      const int64_t channel = int64_t{g} * p.co + c0 + c;
      const Acc bias = load_bias<T>(p.bias, p.bias_accumulator, channel * p.bias_stride);
      T out[R];
      CTCONV_UNROLL
      for (int r = 0; r < R; ++r) out[r] = narrow<T>(activate<Acc>(p.act, acc[r][c] + bias));
      store_run<T, R>(y + channel * p.ys[1], out, begin, end);
    }
  }
}

}  // namespace ctconv::cuda
