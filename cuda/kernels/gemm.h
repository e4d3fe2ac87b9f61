// What the two GEMM kernels share: the tile of one phase, its positions and taps in shared memory, the store of y.
//
//   in:  a problem cut into phases: o = o0 + q*s on every axis, so all outputs of a phase meet the same taps
//   out: per phase one GEMM of M = n * q_d * q_h * q_w positions, N = co, K = ci * taps of the phase
//   input of position q and tap t:  i = base(o0) + q - j*(d/g)   (index.h: AxisMap::phase)
//   A block owns BM positions x BN channels of one group and phase. A cluster of `split` blocks shares K: each leaves
//   its sums in its own shared memory and writes its share of the tile, adding the blocks' sums in rank order.
//   refuses: nothing here; gemm_forms.cpp says what can run
#pragma once

#include "cuda/activation.h"
#include "cuda/index.h"

namespace ctconv::cuda {

inline constexpr int kGemmMostTaps = 1024;  // of one phase

struct GemmParams {
  const void *x, *w, *bias;
  void* y;
  int32_t n, groups, ci, co;  // channels per group
  int32_t phases[3];          // min(s, o) of each axis
  int32_t most_taps;          // of any phase
  int32_t split;              // blocks of a cluster along K
  int32_t ci_pitch;           // tensor kernel: elements of one tap's row of weights (and of x), a multiple of 16 bytes
  int32_t channels_fastest, vector;  // how y is written; vector: 16 bytes of channels at once
  AxisMap<int32_t> axis[3];
  int64_t xs[5], ys[5];  // n, c, d, h, w
  int64_t x_group;       // elements of x between two groups
  int64_t bias_stride;
  ActParams act;
  int32_t bias_accumulator;
};

// A position of the tile: where its taps start in x.
struct alignas(16) GemmPlace {
  int32_t d, h, w, offset;  // base input of each axis, may lie outside; n*xs[0] + d*xs[2] + h*xs[3] + w*xs[4]
};
struct GemmTap {
  int32_t d, h, w, offset, row;  // how far the input lies below the base; the same in elements of x; tap of the weight
};
inline constexpr int32_t kNoPlace = INT32_MIN / 2;  // position behind the last: no input is inside

// Which phase and tile a block works on.
struct GemmTile {
  int32_t tile_m, tile_n, group, phase, rank;
};

struct GemmPhase {
  int32_t first[3], outputs[3];  // first output and number of outputs of the phase
  Taps<int32_t> taps[3];
  int32_t positions, count;  // of the whole phase
};

CTCONV_HD GemmPhase gemm_phase(const GemmParams& p, int32_t phase) {
  GemmPhase f;
  f.first[2] = phase % p.phases[2], f.first[1] = phase / p.phases[2] % p.phases[1];
  f.first[0] = phase / p.phases[2] / p.phases[1];
  f.positions = p.n, f.count = 1;
  CTCONV_UNROLL
  for (int a = 0; a < 3; ++a) {
    f.outputs[a] = (p.axis[a].o - f.first[a] + p.axis[a].s - 1) / p.axis[a].s;
    f.taps[a] = p.axis[a].phase(f.first[a]);
    f.positions *= f.outputs[a], f.count *= f.taps[a].count;
  }
  return f;
}

// One place and its offset in y for row `m` of the tile; y_offset -1: no such position.
CTCONV_HD void gemm_place(const GemmParams& p, const GemmPhase& f, int32_t position, GemmPlace* place,
                          int64_t* y_offset) {
  *place = {kNoPlace, kNoPlace, kNoPlace, 0}, *y_offset = -1;
  if (position >= f.positions) return;
  const int32_t qw = position % f.outputs[2], qh = position / f.outputs[2] % f.outputs[1];
  const int32_t dn = position / f.outputs[2] / f.outputs[1], qd = dn % f.outputs[0], n = dn / f.outputs[0];
  const int32_t d = f.taps[0].i + qd, h = f.taps[1].i + qh, w = f.taps[2].i + qw;
  const int64_t offset = n * p.xs[0] + d * p.xs[2] + h * p.xs[3] + w * p.xs[4];
  *place = {d, h, w, static_cast<int32_t>(offset)};
  *y_offset = n * p.ys[0] + (f.first[0] + qd * p.axis[0].s) * p.ys[2] + (f.first[1] + qh * p.axis[1].s) * p.ys[3] +
              (f.first[2] + qw * p.axis[2].s) * p.ys[4];
}

CTCONV_HD GemmTap gemm_tap(const GemmParams& p, const GemmPhase& f, int32_t j) {
  const int32_t jw = j % f.taps[2].count, jh = j / f.taps[2].count % f.taps[1].count;
  const int32_t jd = j / f.taps[2].count / f.taps[1].count;
  GemmTap t;
  t.d = jd * p.axis[0].input_step, t.h = jh * p.axis[1].input_step, t.w = jw * p.axis[2].input_step;
  t.offset = static_cast<int32_t>(t.d * p.xs[2] + t.h * p.xs[3] + t.w * p.xs[4]);
  t.row =
      ((f.taps[0].t + jd * p.axis[0].tap_step) * p.axis[1].k + f.taps[1].t + jh * p.axis[1].tap_step) * p.axis[2].k +
      f.taps[2].t + jw * p.axis[2].tap_step;
  return t;
}

CTCONV_HD bool gemm_inside(const GemmParams& p, const GemmPlace& place, const GemmTap& tap) {
  return static_cast<uint32_t>(place.d - tap.d) < static_cast<uint32_t>(p.axis[0].i) &&
         static_cast<uint32_t>(place.h - tap.h) < static_cast<uint32_t>(p.axis[1].i) &&
         static_cast<uint32_t>(place.w - tap.w) < static_cast<uint32_t>(p.axis[2].i);
}

// Where the sums of a tile lie in shared memory: positions fastest, or channels fastest.
template <int BM, int BN>
CTCONV_HD int32_t gemm_sum_at(bool channels_fastest, int32_t m, int32_t n) {
  return channels_fastest ? m * (BN + 4) + n : n * (BM + 4) + m;
}
template <int BM, int BN>
constexpr int32_t gemm_sums() {
  return BM * (BN + 4) > BN * (BM + 4) ? BM * (BN + 4) : BN * (BM + 4);
}

// Rank `rank` of `split` writes its share of the tile: y = act(sum of the ranks' sums + bias). sums: one pointer a rank.
template <class T, int BM, int BN, int kThreads, class Sums>
CTCONV_HD void gemm_write(const GemmParams& p, const GemmTile& tile, int32_t thread, const int64_t* y_offset,
                          const Sums& sums) {
  using Acc = Accumulator<T>;
  constexpr int kV = 16 / static_cast<int>(sizeof(T));
  const int32_t c0 = tile.tile_n * BN, channel0 = tile.group * p.co + c0;
  const int32_t wide = p.vector ? kV : 1, items = BM * BN / wide, share = (items + p.split - 1) / p.split;
  const int32_t end = (tile.rank + 1) * share < items ? (tile.rank + 1) * share : items;
  for (int32_t e = tile.rank * share + thread; e < end; e += kThreads) {
    const int32_t m = p.channels_fastest ? e / (BN / wide) : e % BM;
    const int32_t n = p.channels_fastest ? e % (BN / wide) * wide : e / BM;
    if (y_offset[m] < 0 || c0 + n >= p.co) continue;
    T* y = static_cast<T*>(p.y) + y_offset[m] + (channel0 + n) * p.ys[1];
    const auto value = [&](int32_t v) {
      const int32_t at = gemm_sum_at<BM, BN>(p.channels_fastest, m, n + v);
      Acc sum = sums(0)[at];
      for (int32_t r = 1; r < p.split; ++r) sum += sums(r)[at];
      const Acc bias = load_bias<T>(p.bias, p.bias_accumulator, (channel0 + n + v) * p.bias_stride);
      return narrow<T>(activate<Acc>(p.act, sum + bias));
    };
    if (p.vector) {
      Pack<T, kV> out;
      CTCONV_UNROLL
      for (int v = 0; v < kV; ++v) out.v[v] = value(v);
      *reinterpret_cast<Pack<T, kV>*>(y) = out;
    } else {
      *y = value(0);
    }
  }
}

}  // namespace ctconv::cuda
