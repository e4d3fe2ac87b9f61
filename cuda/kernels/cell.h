// SPDX-License-Identifier: Apache-2.0
// cell: channels-first layers that memory bounds: depthwise, few input channels, few output channels.
//
//   in:  raw x with unit w stride, weights packed taps-middle with co padded to whole blocks of CB, bias
//   out: core rows of y with unit w stride
//   A cell is S neighbouring outputs S*m .. S*m+S-1 of one row; a thread owns Q neighbouring cells of CB channels:
//   Q*S outputs a channel, stored 16 bytes at once where y is aligned.
//   o = S*m + e;  tap t = j*S + e - front reads input cell0 + m - j, with front = -lo mod S, cell0 = (lo + front)/S.
//   kCellJ values of j at a time: Q + kCellJ - 1 inputs in registers, which of them exist in predicates. One weight
//   serves Q cells, one input kCellJ*S*CB sums. Weights come through L1, the same for a whole warp.
//   S = 0: one output a thread, its w taps by AxisMap (any stride and dilation).
//   Per element the order is ci, taps d, h, w: the reference's bits. Taps and inputs that do not exist are never
//   multiplied (Inf and NaN stay honest).
//   refuses: weights of one channel block above kCellWeights bytes, more than 2^30 threads, extents beyond 31 bits
#pragma once

#include "cuda/activation.h"
#include "cuda/index.h"

namespace ctconv::cuda {

inline constexpr int kCellThreads = 128;
inline constexpr int64_t kCellWeights = 96 * 1024;  // of one channel block: stays in L1

// How the kernel is instantiated: S phases, Q cells, CB channels.
struct CellForm {
  int32_t s = 0, q = 1, cb = 1;
};

inline constexpr int kCellJ = 3;

// Cells of a thread: 4 to 8 outputs of a channel, at most 32 sums.
constexpr int cell_q(int s, int cb) {
  constexpr int kCells[9] = {1, 4, 4, 2, 2, 1, 1, 1, 1};
  return cb == 8 && s > 1 ? (kCells[s] + 1) / 2 : kCells[s];
}

struct CellParams {
  const void *x, *w, *bias;
  void* y;
  uint32_t threads;                                        // n * groups * co_blocks * od * oh * runs
  Divider by_runs, by_oh, by_od, by_co_blocks, by_groups;  // in this order, fastest first
  int32_t ci, co, co_padded, runs, cell0, front;           // runs: of one output row
  int32_t jt, jt_whole;                                    // values of j; rounded up to whole kCellJ
  uint32_t taps0;                                          // bit j*S + e: tap j*S + e - front exists, j < kCellJ
  int32_t whole;                                           // runs of y are aligned
  int64_t bias_stride;
  int64_t xs[4], ys[4];      // n, c, d, h
  int64_t x_group, w_group;  // elements of a group
  AxisMap<int32_t> axis[3];
  TapSteps step;
  ActParams act;
  int32_t bias_accumulator;
};

// Where a thread's outputs lie.
struct CellPlace {
  int32_t run, oh, od, g, c0, n;
};

CTCONV_HD CellPlace cell_place(const CellParams& p, uint32_t index, int cb) {
  CellPlace a;
  a.run = static_cast<int32_t>(p.by_runs.split(&index));
  a.oh = static_cast<int32_t>(p.by_oh.split(&index));
  a.od = static_cast<int32_t>(p.by_od.split(&index));
  a.c0 = static_cast<int32_t>(p.by_co_blocks.split(&index)) * cb;
  a.g = static_cast<int32_t>(p.by_groups.split(&index));
  a.n = static_cast<int32_t>(index);
  return a;
}

template <class T, int CB>
CTCONV_HD void cell_weights(const T* w, Accumulator<T> (&out)[CB]) {
  constexpr int kMost = 16 / static_cast<int>(sizeof(T)), kPart = CB < kMost ? CB : kMost;
  CTCONV_UNROLL
  for (int part = 0; part < CB / kPart; ++part) {
    const Pack<T, kPart> v = reinterpret_cast<const Pack<T, kPart>*>(w)[part];
    CTCONV_UNROLL
    for (int c = 0; c < kPart; ++c) out[part * kPart + c] = widen(v.v[c]);
  }
}

// Which of the kCellJ + Q - 1 inputs below and at `top` + Q - 1 exist and are wanted by `wanted` values of j.
template <int Q>
CTCONV_HD void cell_window(int32_t top, int32_t extent, int32_t wanted, bool (&ok)[Q + kCellJ - 1]) {
  CTCONV_UNROLL
  for (int m = 0; m < Q + kCellJ - 1; ++m) {
    const int32_t i = top + m - (kCellJ - 1);
    ok[m] = static_cast<uint32_t>(i) < static_cast<uint32_t>(extent) && m >= kCellJ - wanted;
  }
}

// Elements between two taps: blocks of 1 channel come from layers of 1 channel.
template <int CB>
CTCONV_HD int32_t cell_tap(const CellParams& p) {
  return CB == 1 ? 1 : p.co_padded;
}

// Sums of kCellJ values of j of one row of x: xr at input top, wr at the tap of bit 0 of `taps`, of which bit some_tap
// is set.
template <class T, int S, int Q, int CB>
CTCONV_HD void cell_chunk(const T* xr, const T* wr, int32_t co_padded, uint32_t taps, [[maybe_unused]] int32_t some_tap,
                          const bool (&ok)[Q + kCellJ - 1], Accumulator<T> (&acc)[Q][S][CB]) {
  using Acc = Accumulator<T>;
  constexpr bool kEarly = S * kCellJ * CB <= 24;  // all weights in registers before the first sum
  Acc v[Q + kCellJ - 1], w[kEarly ? S * kCellJ : 1][CB];
#ifndef __CUDA_ARCH__  // the host's compiler does not see that only loaded values are read
  for (Acc& one : v) one = Acc(0);
  for (auto& tap : w) {
    for (Acc& one : tap) one = Acc(0);
  }
#endif
  CTCONV_UNROLL
  for (int m = 0; m < Q + kCellJ - 1; ++m) {
    if (ok[m]) v[m] = widen(xr[m - (kCellJ - 1)]);
  }
  if constexpr (kEarly) {
    CTCONV_UNROLL
    for (int u = 0; u < S * kCellJ; ++u) {
      if constexpr (CB > 1) {  // all loads in flight together: where there is no tap, one that exists is read, unused
        cell_weights<T, CB>(wr + (taps >> u & 1 ? u : some_tap) * co_padded, w[u]);
      } else {
        if (taps >> u & 1) cell_weights<T, CB>(wr + u * co_padded, w[u]);
      }
    }
  }
  CTCONV_UNROLL
  for (int u = 0; u < S * kCellJ; ++u) {
    if (taps >> u & 1) {
      if constexpr (!kEarly) cell_weights<T, CB>(wr + u * co_padded, w[0]);
      CTCONV_UNROLL
      for (int q = 0; q < Q; ++q) {
        const int m = q + kCellJ - 1 - u / S;
        if (ok[m]) {
          CTCONV_UNROLL
          for (int c = 0; c < CB; ++c) acc[q][u % S][c] = fused(v[m], w[kEarly ? u : 0][c], acc[q][u % S][c]);
        }
      }
    }
  }
}

// Taps of bits 0, 1, ... of the values of j from `j` on.
CTCONV_HD uint32_t cell_taps(const CellParams& p, int32_t j, int32_t s) {
  const int32_t left = p.axis[2].k + p.front - j * s;
  return j == 0 ? p.taps0 : left >= s * kCellJ ? ~uint32_t{0} : (uint32_t{1} << left) - 1;
}

// Sums of one row of x, one (ci, d, h): xr at input `top`, the input of q = 0 and j = 0; wr at tap -front.
// `inside`: every input of the row exists, for every thread of the warp.
template <class T, int S, int Q, int CB>
CTCONV_HD void cell_row(const CellParams& p, const T* xr, const T* wr, int32_t top, bool inside,
                        const bool (&ok)[Q + kCellJ - 1], Accumulator<T> (&acc)[Q][S][CB]) {
  bool some[Q + kCellJ - 1];
  if (inside) {
    CTCONV_UNROLL
    for (int m = 0; m < Q + kCellJ - 1; ++m) some[m] = true;
    CTCONV_NO_UNROLL
    for (int32_t j = 0; j < p.jt; j += kCellJ) {
      cell_chunk<T, S, Q, CB>(xr - j, wr + j * S * cell_tap<CB>(p), cell_tap<CB>(p), cell_taps(p, j, S),
                              j == 0 ? p.front : 0, some, acc);
    }
    return;
  }
  cell_chunk<T, S, Q, CB>(xr, wr, cell_tap<CB>(p), p.taps0, p.front, ok, acc);
  CTCONV_NO_UNROLL
  for (int32_t j = kCellJ; j < p.jt; j += kCellJ) {
    cell_window<Q>(top - j, p.axis[2].i, p.jt - j, some);
    cell_chunk<T, S, Q, CB>(xr - j, wr + j * S * cell_tap<CB>(p), cell_tap<CB>(p), cell_taps(p, j, S), 0, some, acc);
  }
}

template <class T, int CB>
CTCONV_HD void cell_row_any(const CellParams& p, const T* xr, const T* wr, const Taps<int32_t>& tw,
                            Accumulator<T> (&acc)[1][1][CB]) {
  CTCONV_NO_UNROLL
  for (int32_t e = 0; e < tw.count; ++e) {
    const Accumulator<T> v = widen(xr[tw.i - e * p.axis[2].input_step]);
    Accumulator<T> w[CB];
    cell_weights<T, CB>(wr + (tw.t + e * p.axis[2].tap_step) * cell_tap<CB>(p), w);
    CTCONV_UNROLL
    for (int c = 0; c < CB; ++c) acc[0][0][c] = fused(v, w[c], acc[0][0][c]);
  }
}

// R outputs at y, `end` of them real; `whole`: y is aligned for 16 bytes, or all R together.
template <class T, int R>
CTCONV_HD void cell_store(T* y, const Accumulator<T> (&v)[R], int32_t end, bool whole) {
  constexpr int kMost = 16 / static_cast<int>(sizeof(T)), kPart = R < kMost ? R : kMost;
  if constexpr (kPart > 1 && (R & (R - 1)) == 0) {
    if (whole && end >= R) {
      CTCONV_UNROLL
      for (int part = 0; part < R / kPart; ++part) {
        Pack<T, kPart> pack;
        CTCONV_UNROLL
        for (int e = 0; e < kPart; ++e) pack.v[e] = narrow<T>(v[part * kPart + e]);
        reinterpret_cast<Pack<T, kPart>*>(y)[part] = pack;
      }
      return;
    }
  }
  CTCONV_UNROLL
  for (int e = 0; e < R; ++e) {
    if (e < end) y[e] = narrow<T>(v[e]);
  }
}

template <class T, int Q, int R, int CB>
CTCONV_HD void cell_finish(const CellParams& p, const CellPlace& a, const Accumulator<T> (&acc)[Q][R][CB]) {
  using Acc = Accumulator<T>;
  const int32_t o = a.run * (Q * R), channel0 = a.g * p.co + a.c0;
  T* y = static_cast<T*>(p.y) + a.n * p.ys[0] + channel0 * p.ys[1] + a.od * p.ys[2] + a.oh * p.ys[3] + o;
  CTCONV_UNROLL
  for (int c = 0; c < CB; ++c) {
    if (a.c0 + c < p.co) {
      const Acc bias = load_bias<T>(p.bias, p.bias_accumulator, (channel0 + c) * p.bias_stride);
      Acc sum[Q * R];
      CTCONV_UNROLL
      for (int e = 0; e < Q * R; ++e) sum[e] = acc[e / R][e % R][c] + bias;
      activate_all<Acc, Q * R>(p.act, sum);
      cell_store<T, Q * R>(y + c * p.ys[1], sum, p.axis[2].o - o, p.whole);
    }
  }
}

// One row of a thread's outputs, `oh` of `a`; x and w at the thread's image, group, channels and od.
template <class T, int S, int Q, int CB>
CTCONV_HD void cell_output_row(const CellParams& p, const CellPlace& a, const T* x, const T* w, int32_t depths,
                               const Taps<int32_t>& tw, bool inside, const bool (&ok)[Q + kCellJ - 1]) {
  using Acc = Accumulator<T>;
  constexpr int R = S == 0 ? 1 : S;
  const TapSteps& step = p.step;
  const Taps<int32_t> th = p.axis[1].at(a.oh);
  x += th.i * p.xs[3];
  w += th.t * step.row;
  Acc acc[Q][R][CB];
  CTCONV_UNROLL
  for (int e = 0; e < Q * R * CB; ++e) acc[e / CB / R][e / CB % R][e % CB] = Acc(0);
  CTCONV_NO_UNROLL
  for (int32_t ci = 0; ci < p.ci; ++ci) {
    const T *xd = x, *wd = w;
    CTCONV_NO_UNROLL
    for (int32_t d = 0; d < depths; ++d) {
      const T *xr = xd, *wr = wd;
      CTCONV_NO_UNROLL
      for (int32_t h = 0; h < th.count; ++h) {
        if constexpr (S == 0) {
          cell_row_any<T, CB>(p, xr, wr, tw, acc);
        } else {
          cell_row<T, S, Q, CB>(p, xr, wr, p.cell0 + a.run * Q, inside, ok, acc);
        }
        xr += step.x_h;
        wr += step.w_h;
      }
      xd += step.x_d;
      wd += step.w_d;
    }
    x += p.xs[1];
    w += step.volume;
  }
  cell_finish<T, Q, R, CB>(p, a, acc);
}

template <class T, int S, int Q, int CB>
CTCONV_HD void cell_item(const CellParams& p, uint32_t index) {
  CellPlace a = cell_place(p, index, CB);
  const Taps<int32_t> td = p.axis[0].at(a.od);
  const Taps<int32_t> tw = S == 0 ? p.axis[2].at(a.run) : Taps<int32_t>{0, 0, 0};
  const T* x = static_cast<const T*>(p.x) + a.n * p.xs[0] + a.g * p.x_group + td.i * p.xs[2];
  const T* w = static_cast<const T*>(p.w) + a.g * p.w_group + (a.c0 + td.t * p.step.plane);
  bool ok[Q + kCellJ - 1] = {}, inside = false;
  if constexpr (S > 0) {
    const int32_t top = p.cell0 + a.run * Q;
    cell_window<Q>(top, p.axis[2].i, p.jt, ok);
    // whole chunks of j are read
    inside = warp_all(top - p.jt_whole + 1 >= 0 && top + Q <= p.axis[2].i);
    x += top;
    w -= p.front * cell_tap<CB>(p);
  }
  cell_output_row<T, S, Q, CB>(p, a, x, w, td.count, tw, inside, ok);
}

// f.operator()<S, Q, CB>() of the one instance the form names; false where nobody instantiates it.
template <class F>
bool with_cell(CellForm form, F&& f) {
  const auto run = [&]<int S, int CB>() {
    f.template operator()<S, cell_q(S, CB), CB>();
    return true;
  };
  const auto block = [&]<int S>() {
    if (form.cb == 1) return run.template operator()<S, 1>();
    if constexpr (S != 8) {  // 8 outputs of 1 channel fill a thread's registers sensibly, of 8 channels they do not
      if (form.cb == 4) return run.template operator()<S, 4>();
      if (form.cb == 8) return run.template operator()<S, 8>();
    }
    return false;
  };
  switch (form.s) {
    case 0:
      return block.template operator()<0>();
    case 1:
      return block.template operator()<1>();
    case 2:
      return block.template operator()<2>();
    case 3:
      return block.template operator()<3>();
    case 4:
      return block.template operator()<4>();
    case 8:
      return block.template operator()<8>();
  }
  return false;
}

}  // namespace ctconv::cuda
