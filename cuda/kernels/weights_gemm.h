// SPDX-License-Identifier: Apache-2.0
// weights-gemm: the gradient of the weights as one small GEMM for each tap: M = ci, N = co, K = places.
//
//   in:  x and y by their strides;   out: BM x BN weights of one tap, in the order of sums of weights.h
//   kDepth places are a step. A [k][BM] of x and B [k][BN] of y lie in shared memory, two deep, and come there through
//   registers, where they are widened. Where a place's output lies outside y both are zero: x may hold Inf.
//   The places of kTable steps' rows are worked out ahead, by a few threads for all.
//   Threads read along places or along channels, as each tensor lies (x_last, y_last).
//   refuses: what weights_forms.cpp refuses
#pragma once

#include "cuda/kernels/weights.h"

namespace ctconv::cuda {

struct WeightsGemmParams {
  WeightsParams w;
  int32_t n, i[3], o[3], s[3], d[3], lo[3];  // of the same problem, 31 bits
  int32_t ci, co, places;
  int32_t tiles_m, tiles_n, taps;
  Divider by_tiles_m, by_tiles_n, by_taps, by_k[3];
  int32_t x_last, y_last;  // channels are nearer than places
};

template <class T, int BM, int BN, int TM, int TN>
struct WeightsGemm {
  using Acc = Accumulator<T>;
  static constexpr int kBM = BM, kBN = BN, kThreads = BM / TM * (BN / TN), kDepth = sizeof(Acc) == 8 ? 8 : 16;
  static constexpr int kA = kDepth * BM / kThreads, kB = kDepth * BN / kThreads;  // loads of a thread and step
  static constexpr int kTable = 64, kSteps = kTable / kDepth;                     // places, steps of a table
  static constexpr int kPitchA = BM + 4, kPitchB = BN + 4;
  static_assert(kA * kThreads == kDepth * BM && kB * kThreads == kDepth * BN && kChain % kTable == 0);
  static_assert(kSteps >= 2);  // a table is planned a step before it is read

  struct Spot {  // where a place lies in x and its output in y; x kNowhere: nothing is added
    int64_t x, y;
  };
  static constexpr int64_t kNowhere = INT64_MIN;

  struct Shared {
    Acc a[2][kDepth * kPitchA], b[2][kDepth * kPitchB];
    Spot spot[2][kTable];
  };
  struct Registers {
    Acc part[TM][TN], sum[TM][TN];
    Acc a[kA], b[kB];
  };
  struct Tile {
    int32_t m0, n0, g, tap, t[3];
    int32_t first, steps;  // place, steps of kDepth
    int64_t chain;
  };

  CTCONV_HD static Tile tile(const WeightsGemmParams& p, int32_t block, int64_t chain) {
    Tile t;
    auto rest = static_cast<uint32_t>(block);
    t.n0 = static_cast<int32_t>(p.by_tiles_n.split(&rest)) * BN;
    t.m0 = static_cast<int32_t>(p.by_tiles_m.split(&rest)) * BM;
    uint32_t tap = p.by_taps.split(&rest);
    t.g = static_cast<int32_t>(rest);
    t.tap = static_cast<int32_t>(tap);
    CTCONV_UNROLL
    for (int a = 2; a >= 0; --a) t.t[a] = static_cast<int32_t>(p.by_k[a].split(&tap));
    t.chain = chain;
    t.first = static_cast<int32_t>(chain * kChain);
    const int64_t end = chains_end(p.w, chain) * kChain;
    const int32_t stop = end < p.places ? static_cast<int32_t>(end) : p.places;
    t.steps = (stop - t.first + kDepth - 1) / kDepth;
    return t;
  }

  CTCONV_HD static void start(Registers& r) {
    CTCONV_UNROLL
    for (int m = 0; m < TM; ++m) {
      CTCONV_UNROLL
      for (int n = 0; n < TN; ++n) r.part[m][n] = r.sum[m][n] = Acc(0);
    }
  }

  // Table `at` of the tile into its half. A barrier before it is read.
  CTCONV_HD static void plan(const WeightsGemmParams& p, const Tile& t, int32_t at, int32_t thread, Shared& s) {
    for (int32_t e = thread; e < kTable; e += kThreads) {
      const int64_t place = int64_t{t.first} + int64_t{at} * kTable + e;
      Spot spot{kNowhere, 0};
      if (place < p.places) {
        auto rest = static_cast<uint32_t>(place);
        const auto w = static_cast<int32_t>(p.w.by_i[2].split(&rest)),
                   h = static_cast<int32_t>(p.w.by_i[1].split(&rest));
        const auto d = static_cast<int32_t>(p.w.by_i[0].split(&rest)), n = static_cast<int32_t>(rest);
        const int32_t od = d * p.s[0] + t.t[0] * p.d[0] - p.lo[0], oh = h * p.s[1] + t.t[1] * p.d[1] - p.lo[1];
        const int32_t ow = w * p.s[2] + t.t[2] * p.d[2] - p.lo[2];
        const auto inside = [&](int a, int32_t o) { return static_cast<uint32_t>(o) < static_cast<uint32_t>(p.o[a]); };
        if (inside(0, od) && inside(1, oh) && inside(2, ow)) {
          spot = {n * p.w.xs[0] + d * p.w.xs[2] + h * p.w.xs[3] + w * p.w.xs[4],
                  n * p.w.ys[0] + od * p.w.ys[2] + oh * p.w.ys[3] + ow * p.w.ys[4]};
        }
      }
      s.spot[at & 1][e] = spot;
    }
  }

  // Row k of a step and its channel, for load e of a thread over `wide` channels.
  struct Load {
    int32_t k, channel;
  };
  template <int kWide>
  CTCONV_HD static Load load_of(bool last, int32_t thread, int e) {
    const int32_t at = e * kThreads + thread;
    if (last) return {at / kWide, at % kWide};
    return {at % kDepth, at / kDepth};
  }

  // The elements of a step into registers.
  CTCONV_HD static void fetch(const WeightsGemmParams& p, const Tile& t, int32_t step, int32_t thread, const Shared& s,
                              Registers& r) {
    const Spot* spots = s.spot[step / kSteps & 1] + step % kSteps * kDepth;
    const T* x = static_cast<const T*>(p.w.x) + (int64_t{t.g} * p.ci + t.m0) * p.w.xs[1];
    const T* y = static_cast<const T*>(p.w.y) + (int64_t{t.g} * p.co + t.n0) * p.w.ys[1];
    CTCONV_UNROLL
    for (int e = 0; e < kA; ++e) {
      const Load at = load_of<BM>(p.x_last != 0, thread, e);
      const int64_t from = spots[at.k].x;
      r.a[e] = Acc(0);
      if (from != kNowhere && t.m0 + at.channel < p.ci) r.a[e] = widen(x[from + at.channel * p.w.xs[1]]);
    }
    CTCONV_UNROLL
    for (int e = 0; e < kB; ++e) {
      const Load at = load_of<BN>(p.y_last != 0, thread, e);
      const Spot from = spots[at.k];
      r.b[e] = Acc(0);
      if (from.x != kNowhere && t.n0 + at.channel < p.co) r.b[e] = widen(y[from.y + at.channel * p.w.ys[1]]);
    }
  }

  CTCONV_HD static void stash(const WeightsGemmParams& p, int32_t step, int32_t thread, Shared& s, const Registers& r) {
    CTCONV_UNROLL
    for (int e = 0; e < kA; ++e) {
      const Load at = load_of<BM>(p.x_last != 0, thread, e);
      s.a[step & 1][at.k * kPitchA + at.channel] = r.a[e];
    }
    CTCONV_UNROLL
    for (int e = 0; e < kB; ++e) {
      const Load at = load_of<BN>(p.y_last != 0, thread, e);
      s.b[step & 1][at.k * kPitchB + at.channel] = r.b[e];
    }
  }

  CTCONV_HD static int32_t row_of(int32_t thread) { return thread / (BN / TN) * TM; }
  CTCONV_HD static int32_t column_of(int32_t thread) { return thread % (BN / TN) * TN; }

  template <int kCount>
  CTCONV_HD static void load(Acc (&to)[kCount], const Acc* from) {
    constexpr int kMost = 16 / static_cast<int>(sizeof(Acc)), kWide = kCount < kMost ? kCount : kMost;
    CTCONV_UNROLL
    for (int e = 0; e < kCount; e += kWide) {
      const auto pack = *reinterpret_cast<const Pack<Acc, kWide>*>(from + e);
      CTCONV_UNROLL
      for (int v = 0; v < kWide; ++v) to[e + v] = pack.v[v];
    }
  }

  CTCONV_HD static void multiply(int32_t step, int32_t thread, const Shared& s, Registers& r) {
    const Acc* panel_a = s.a[step & 1] + row_of(thread);
    const Acc* panel_b = s.b[step & 1] + column_of(thread);
    CTCONV_UNROLL
    for (int k = 0; k < kDepth; ++k) {
      Acc a[TM], b[TN];
      load(a, panel_a + k * kPitchA);
      load(b, panel_b + k * kPitchB);
      CTCONV_UNROLL
      for (int m = 0; m < TM; ++m) {
        CTCONV_UNROLL
        for (int n = 0; n < TN; ++n) r.part[m][n] = fused(a[m], b[n], r.part[m][n]);
      }
    }
  }

  // Behind step `step`: a chain that ends there is added.
  CTCONV_HD static void close(const Tile& t, int32_t step, Registers& r) {
    if ((step + 1) % (kChain / kDepth) != 0 && step + 1 != t.steps) return;
    CTCONV_UNROLL
    for (int m = 0; m < TM; ++m) {
      CTCONV_UNROLL
      for (int n = 0; n < TN; ++n) {
        r.sum[m][n] = r.sum[m][n] + r.part[m][n];
        r.part[m][n] = Acc(0);
      }
    }
  }

  CTCONV_HD static void write(const WeightsGemmParams& p, const Tile& t, int32_t thread, const Registers& r) {
    CTCONV_UNROLL
    for (int m = 0; m < TM; ++m) {
      CTCONV_UNROLL
      for (int n = 0; n < TN; ++n) {
        const int32_t ci = t.m0 + row_of(thread) + m, co = t.n0 + column_of(thread) + n;
        if (ci < p.ci && co < p.co) {
          weight_leave<T>(p.w, {t.g, ci, co, {t.t[0], t.t[1], t.t[2]}}, t.chain, r.sum[m][n]);
        }
      }
    }
  }
};

}  // namespace ctconv::cuda
