// SPDX-License-Identifier: Apache-2.0
// What the two GEMM kernels share: the tile of one phase, its positions and taps in shared memory, the store of y.
//
//   in:  a problem cut into phases: o = o0 + q*s on every axis, so all outputs of a phase meet the same taps
//   out: per phase one GEMM of M = n * q_d * q_h * q_w positions, N = co, K = ci * taps of the phase
//   input of position q and tap t:  i = base(o0) + q*every - j*(d/g)   (index.h: AxisMap::phase)
//   merged (kernel = stride, dilation 1): every phase meets one tap of the same input, so all phases are one GEMM of
//   M = n * i positions and N = taps * co columns, stored interleaved; places outside y are dropped.
//   A block owns BM positions x BN channels of one group and phase. A cluster of `split` blocks shares K: each leaves
//   its sums in its own shared memory and writes its share of the tile, adding the blocks' sums in rank order.
//   refuses: nothing here; gemm_forms.cpp says what can run
#pragma once

#include "cuda/activation.h"
#include "cuda/index.h"

namespace ctconv::cuda {

inline constexpr int kGemmMostTaps = 1024;  // of one phase

// One phase of one axis.
struct GemmPhaseAxis {
  int32_t first, outputs, t, i, count;  // first output and outputs of the phase; first tap, its input, taps
  Divider by_outputs, by_count;
};
inline constexpr int kGemmTable = 8;  // phases of an axis the host works out

struct GemmParams {
  const void *x, *w, *bias;
  void* y;
  int32_t n, groups, ci, co;  // channels per group
  int32_t columns;            // N of one group: co, or co * taps where merged
  int32_t weight_taps;        // rows of weights of one ci: taps, 1 where merged
  int32_t raw;                // 1: y takes the bare sums, accumulators [group][column][raw_positions] (fold.h)
  int32_t raw_positions;
  int32_t merged, crop;  // crop: some places of a merged problem lie outside y
  int32_t run;           // columns that lie side by side along w: kernel width of a merged problem, channels-first
  Divider by_run, by_co, by_taps[3], by_phases[3];
  int32_t tabled;                      // all phases of all axes are in `table`
  GemmPhaseAxis table[3][kGemmTable];  // those with most taps first: long blocks start first
  int32_t phases[3];                   // min(s, o) of each axis
  int32_t step[3], base[3];            // output of position q: first + q * step - base
  int32_t out[3], taps[3];             // extents of the core of y and of the kernel
  int32_t most_taps;                   // of any phase
  int32_t split;                       // blocks of a cluster along K
  int32_t ci_pitch;  // tensor kernel: elements of one tap's row of weights (and of x), a multiple of 16 bytes
  int32_t channels_fastest, vector;  // how y is written; vector: 16 bytes of channels at once
  int32_t vector_weights;            // fma kernel: 4 columns of weights lie aligned
  AxisMap<int32_t> axis[3];
  int64_t xs[5], ys[5];  // n, c, d, h, w
  int64_t x_group;       // elements of x between two groups
  int32_t channel_step;  // xs[1]
  int64_t bias_stride;
  ActParams act;
  int32_t bias_accumulator;
};

// Where a column goes: channel < 0 is no column; d, h, w: its tap, where merged.
template <class Acc>
struct GemmColumn {
  int64_t offset;
  Acc bias;
  int32_t channel, d, h, w;
};

// A position of the tile: where its taps start in x.
struct alignas(16) GemmPlace {
  int32_t d, h, w, offset;  // base input of each axis, may lie outside; n*xs[0] + d*xs[2] + h*xs[3] + w*xs[4]
};
struct GemmTap {
  int32_t d, h, w, offset, row;  // how far the input lies below the base; the same in elements of x; tap of the weight
};
inline constexpr int32_t kNoPlace = INT32_MIN / 2;  // position behind the last: no input is inside
inline constexpr int64_t kNoOffset = INT64_MIN;

// Columns of a tile of BN: whole runs.
template <int BN>
CTCONV_HD int32_t gemm_tile_columns(const GemmParams& p) {
  return BN / p.run * p.run;
}

// Which phase and tile a block works on.
struct GemmTile {
  int32_t tile_m, tile_n, group, phase, rank;
};

struct GemmPhase {
  GemmPhaseAxis axis[3];
  int32_t positions, count;  // of the whole phase
};

// One axis of a phase without the table. The dividers stay unset.
CTCONV_HD void gemm_phase_axis(const GemmParams& p, int32_t first, int a, GemmPhaseAxis* f) {
  const Taps<int32_t> taps = p.axis[a].phase(first);
  f->first = first;
  f->outputs = (p.axis[a].o - first + p.axis[a].s - 1) / p.axis[a].s;
  f->t = taps.t;
  f->i = taps.i;
  f->count = taps.count;
}

CTCONV_HD GemmPhase gemm_phase(const GemmParams& p, int32_t phase) {
  GemmPhase f;
  uint32_t rest = static_cast<uint32_t>(phase);
  f.positions = p.n;
  f.count = 1;
  CTCONV_UNROLL
  for (int a = 2; a >= 0; --a) {
    const auto at = static_cast<int32_t>(p.by_phases[a].split(&rest));
    if (p.tabled) {
      f.axis[a] = p.table[a][at];
    } else {
      gemm_phase_axis(p, at, a, &f.axis[a]);
    }
    f.positions *= f.axis[a].outputs;
    f.count *= f.axis[a].count;
  }
  return f;
}

// The remainder of *n; *n becomes the quotient.
CTCONV_HD int32_t gemm_split(bool tabled, const Divider& by, int32_t d, int32_t* n) {
  if (tabled) {
    auto u = static_cast<uint32_t>(*n);
    const uint32_t r = by.split(&u);
    *n = static_cast<int32_t>(u);
    return static_cast<int32_t>(r);
  }
  const int32_t q = *n / d, r = *n - q * d;
  *n = q;
  return r;
}

// One place and its offset in y for a row of the tile; kNoOffset: no such position.
CTCONV_HD void gemm_place(const GemmParams& p, const GemmPhase& f, int32_t position, GemmPlace* place,
                          int64_t* y_offset) {
  *place = {kNoPlace, kNoPlace, kNoPlace, 0};
  *y_offset = kNoOffset;
  if (position >= f.positions) return;
  int32_t n = position;
  const int32_t qw = gemm_split(p.tabled, f.axis[2].by_outputs, f.axis[2].outputs, &n);
  const int32_t qh = gemm_split(p.tabled, f.axis[1].by_outputs, f.axis[1].outputs, &n);
  const int32_t qd = gemm_split(p.tabled, f.axis[0].by_outputs, f.axis[0].outputs, &n);
  const int32_t d = f.axis[0].i + qd * p.axis[0].every, h = f.axis[1].i + qh * p.axis[1].every;
  const int32_t w = f.axis[2].i + qw * p.axis[2].every;
  const int64_t offset = n * p.xs[0] + d * p.xs[2] + h * p.xs[3] + w * p.xs[4];
  *place = {d, h, w, static_cast<int32_t>(offset)};
  *y_offset = n * p.ys[0] + (f.axis[0].first + qd * p.step[0] - p.base[0]) * p.ys[2] +
              (f.axis[1].first + qh * p.step[1] - p.base[1]) * p.ys[3] +
              (f.axis[2].first + qw * p.step[2] - p.base[2]) * p.ys[4];
}

template <class T, int BN>
CTCONV_HD GemmColumn<Accumulator<T>> gemm_column(const GemmParams& p, const GemmTile& tile, int32_t n) {
  const int32_t wide = gemm_tile_columns<BN>(p), column = tile.tile_n * wide + n;
  GemmColumn<Accumulator<T>> c{0, Accumulator<T>(0), -1, 0, 0, 0};
  if (n >= wide || column >= p.columns) return c;
  int32_t channel = column;
  if (p.merged) {  // taps d, h, then co and w: channels-first w is fastest, channels-last co
    auto rest = static_cast<uint32_t>(column);
    if (p.channels_fastest) {
      channel = static_cast<int32_t>(p.by_co.split(&rest));
      c.w = static_cast<int32_t>(p.by_taps[2].split(&rest));
    } else {
      c.w = static_cast<int32_t>(p.by_taps[2].split(&rest));
      channel = static_cast<int32_t>(p.by_co.split(&rest));
    }
    c.h = static_cast<int32_t>(p.by_taps[1].split(&rest));
    c.d = static_cast<int32_t>(rest);
  }
  c.channel = tile.group * p.co + channel;
  c.offset = c.channel * p.ys[1] + c.d * p.ys[2] + c.h * p.ys[3] + c.w * p.ys[4];
  c.bias = load_bias<T>(p.bias, p.bias_accumulator, c.channel * p.bias_stride);
  return c;
}

CTCONV_HD GemmTap gemm_tap(const GemmParams& p, const GemmPhase& f, int32_t j) {
  int32_t jd = j;
  const int32_t jw = gemm_split(p.tabled, f.axis[2].by_count, f.axis[2].count, &jd);
  const int32_t jh = gemm_split(p.tabled, f.axis[1].by_count, f.axis[1].count, &jd);
  GemmTap t;
  t.d = jd * p.axis[0].input_step;
  t.h = jh * p.axis[1].input_step;
  t.w = jw * p.axis[2].input_step;
  t.offset = static_cast<int32_t>(t.d * p.xs[2] + t.h * p.xs[3] + t.w * p.xs[4]);
  t.row =
      ((f.axis[0].t + jd * p.axis[0].tap_step) * p.axis[1].k + f.axis[1].t + jh * p.axis[1].tap_step) * p.axis[2].k +
      f.axis[2].t + jw * p.axis[2].tap_step;
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

// What a block leaves for the store of its tile.
template <class Acc>
struct GemmStore {
  const GemmPlace* place;
  const int64_t* y_offset;
  const GemmColumn<Acc>* column;
  Acc* sums;
};

template <class Acc>
CTCONV_HD bool gemm_cropped(const GemmParams& p, const GemmPlace& q, const GemmColumn<Acc>& c) {
  const int32_t d = q.d * p.step[0] - p.base[0] + c.d, h = q.h * p.step[1] - p.base[1] + c.h;
  const int32_t w = q.w * p.step[2] - p.base[2] + c.w;
  return d < 0 || d >= p.out[0] || h < 0 || h >= p.out[1] || w < 0 || w >= p.out[2];
}

inline constexpr int kGemmMostSplit = 8;

// The part of a tile a rank of a cluster finishes: rows of `sums` [from, to), runs of columns or positions.
struct GemmShare {
  int32_t from, to;
};
template <class Tile>
CTCONV_HD GemmShare gemm_share(const GemmParams& p, int32_t rank) {
  const int32_t all = p.channels_fastest ? Tile::kBM : gemm_tile_columns<Tile::kBN>(p) / p.run;
  const int32_t share = (all + p.split - 1) / p.split;
  return {rank * share < all ? rank * share : all, (rank + 1) * share < all ? (rank + 1) * share : all};
}

// Adds the ranks' sums of this rank's share, in rank order, into its own. sums: one pointer a rank. 16 bytes at once;
// all ranks are asked before the first answer is used: they are other multiprocessors.
template <class Tile, class Acc, class Sums>
CTCONV_HD void gemm_reduce(const GemmParams& p, int32_t rank, int32_t thread, const Sums& sums) {
  constexpr int kWide = 16 / static_cast<int>(sizeof(Acc));
  using Piece = Pack<Acc, kWide>;
  const GemmShare share = gemm_share<Tile>(p, rank);
  const int32_t pitch = (p.channels_fastest ? Tile::kBN + 4 : (Tile::kBM + 4) * p.run) / kWide;
  for (int32_t e = share.from * pitch + thread; e < share.to * pitch; e += Tile::kThreads) {
    Piece piece[kGemmMostSplit];
    CTCONV_UNROLL
    for (int r = 0; r < kGemmMostSplit; ++r) {
      piece[r] = r < p.split ? reinterpret_cast<const Piece*>(sums(r))[e] : Piece{};
    }
    Piece sum = piece[0];
    CTCONV_UNROLL
    for (int r = 1; r < kGemmMostSplit; ++r) {
      if (r < p.split) {
        CTCONV_UNROLL
        for (int v = 0; v < kWide; ++v) sum.v[v] += piece[r].v[v];
      }
    }
    reinterpret_cast<Piece*>(sums(rank))[e] = sum;
  }
}

template <bool kActs, class Acc>
CTCONV_HD Acc gemm_finish(const GemmParams& p, Acc sum, Acc bias) {
  if constexpr (kActs) return activate<Acc>(p.act, sum + bias);
  return sum + bias;
}

// Channels-last: 16 bytes (kV > 1) or one channel a thread; neighbours along channels.
template <class T, class Tile, int kV, bool kActs>
CTCONV_HD void gemm_write_last(const GemmParams& p, GemmShare share, int32_t thread,
                               const GemmStore<Accumulator<T>>& s) {
  using Acc = Accumulator<T>;
  constexpr int32_t kAcross = Tile::kBN / kV;
  for (int32_t e = share.from * kAcross + thread; e < share.to * kAcross; e += Tile::kThreads) {
    const int32_t m = e / kAcross, n = e % kAcross * kV;
    const GemmColumn<Acc>& column = s.column[n];
    const int64_t row = s.y_offset[m];
    if (row == kNoOffset || column.channel < 0) continue;
    if (p.crop && gemm_cropped(p, s.place[m], column)) continue;
    constexpr int kWide = kV * static_cast<int>(sizeof(Acc)) % 16 == 0 ? 16 / static_cast<int>(sizeof(Acc)) : 1;
    const Acc* from = s.sums + gemm_sum_at<Tile::kBM, Tile::kBN>(true, m, n);
    Pack<T, kV> out;
    CTCONV_UNROLL
    for (int v = 0; v < kV; v += kWide) {
      const auto sums = *reinterpret_cast<const Pack<Acc, kWide>*>(from + v);
      CTCONV_UNROLL
      for (int e = 0; e < kWide; ++e) {
        out.v[v + e] = narrow<T>(gemm_finish<kActs>(p, sums.v[e], s.column[n + v + e].bias));
      }
    }
    *reinterpret_cast<Pack<T, kV>*>(static_cast<T*>(p.y) + row + column.offset) = out;
  }
}

// Channels-first: a thread keeps one position and one column of a run, and walks over the runs; neighbours along w.
template <class T, class Tile, bool kActs>
CTCONV_HD void gemm_write_first(const GemmParams& p, GemmShare share, int32_t thread,
                                const GemmStore<Accumulator<T>>& s) {
  using Acc = Accumulator<T>;
  for (int32_t u = thread; u < Tile::kBM * p.run; u += Tile::kThreads) {
    const auto m = static_cast<int32_t>(p.by_run.divide(static_cast<uint32_t>(u)));
    const int32_t within = u - m * p.run;
    const int64_t row = s.y_offset[m];
    if (row == kNoOffset) continue;
    T* y = static_cast<T*>(p.y) + row;
    for (int32_t c = share.from; c < share.to; ++c) {
      const int32_t n = c * p.run + within;
      const GemmColumn<Acc>& column = s.column[n];
      if (column.channel < 0) break;  // columns end once
      if (p.crop && gemm_cropped(p, s.place[m], column)) continue;
      const Acc sum = s.sums[gemm_sum_at<Tile::kBM, Tile::kBN>(false, m, n)];
      y[column.offset] = narrow<T>(gemm_finish<kActs>(p, sum, column.bias));
    }
  }
}

template <class T, class Tile, bool kActs>
CTCONV_HD void gemm_write_with(const GemmParams& p, GemmShare share, int32_t thread,
                               const GemmStore<Accumulator<T>>& s) {
  constexpr int kV = 16 / static_cast<int>(sizeof(T));
  if (!p.channels_fastest) {
    gemm_write_first<T, Tile, kActs>(p, share, thread, s);
  } else if (p.vector) {
    gemm_write_last<T, Tile, kV, kActs>(p, share, thread, s);
  } else {
    gemm_write_last<T, Tile, 1, kActs>(p, share, thread, s);
  }
}

// Bare sums, positions fastest. channels_fastest is 0.
template <class T, class Tile>
CTCONV_HD void gemm_write_raw(const GemmParams& p, const GemmTile& tile, GemmShare share, int32_t thread,
                              const GemmStore<Accumulator<T>>& s) {
  using Acc = Accumulator<T>;
  for (int32_t m = thread % Tile::kBM; m < Tile::kBM; m += Tile::kThreads) {
    if (s.y_offset[m] == kNoOffset) return;
    const int32_t column0 = tile.tile_n * Tile::kBN;
    Acc* y = static_cast<Acc*>(p.y) + int64_t{tile.group * p.columns + column0} * p.raw_positions +
             tile.tile_m * Tile::kBM + m;
    const int32_t end = p.columns - column0 < share.to ? p.columns - column0 : share.to;
    for (int32_t n = share.from + thread / Tile::kBM; n < end; n += (Tile::kThreads + Tile::kBM - 1) / Tile::kBM) {
      y[int64_t{n} * p.raw_positions] = s.sums[gemm_sum_at<Tile::kBM, Tile::kBN>(false, m, n)];
    }
  }
}

// Rank `rank` writes its share of the tile: y = act(sum + bias).
template <class T, class Tile>
CTCONV_HD void gemm_write(const GemmParams& p, const GemmTile& tile, int32_t thread,
                          const GemmStore<Accumulator<T>>& s) {
  const GemmShare share = gemm_share<Tile>(p, tile.rank);
  if (p.raw) {
    gemm_write_raw<T, Tile>(p, tile, share, thread, s);
  } else if (p.act.kind == Act::kNone) {
    gemm_write_with<T, Tile, false>(p, share, thread, s);
  } else {
    gemm_write_with<T, Tile, true>(p, share, thread, s);
  }
}

}  // namespace ctconv::cuda
