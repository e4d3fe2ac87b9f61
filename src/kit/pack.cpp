// SPDX-License-Identifier: Apache-2.0
// Packing weights; see pack.h.
//
//   in:  raw weights
//   out: blocks as the micro-kernels read them
#include "src/kit/pack.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "src/base/half.h"
#include "src/kit/finite.h"

namespace ctconv::kit {
namespace {

template <class T, class S, class Widen>
bool gather(const S* w, int64_t ci_stride, const RowPack& k, T* out, Widen widen) {
  Marks<T> bad = 0;
  bool dense = true;
  for (int64_t r = 1; r < k.valid; ++r) dense = dense && k.row[r] == k.row[0] + r;
  out += k.c0 * k.taps * k.width;
  for (int64_t c = k.c0; c < k.c1; ++c) {
    for (int64_t t = 0; t < k.taps; ++t, out += k.width) {
      const S* from = w + k.base + c * ci_stride + k.tap[t];
      if (dense) {
        for (int64_t r = 0; r < k.valid; ++r) out[r] = widen(from[k.row[0] + r]);
      } else {
        for (int64_t r = 0; r < k.valid; ++r) out[r] = widen(from[k.row[r]]);
      }
      for (int64_t r = k.valid; r < k.width; ++r) out[r] = 0;
      for (int64_t r = 0; r < k.valid; ++r) bad |= not_finite(out[r]);
    }
  }
  return bad == 0;
}

// How the rows of a block lie in the raw weight: a run of it holds the taps of some channels, or some taps of one.
struct Runs {
  int64_t between = 0;   // from row to row; 0: rows are not alike, or their taps lie too far apart
  int64_t channels = 1;  // of a run
};

constexpr int64_t kRunElements = 4096, kLeastColumns = 8, kLoose = 3;

// The least and the greatest place of taps t0 .. t1.
std::pair<int64_t, int64_t> reach_of(const RowPack& k, int64_t t0, int64_t t1) {
  const auto [low, high] = std::minmax_element(k.tap + t0, k.tap + t1);
  return {*low, *high};
}

Runs runs_of(const RowPack& k, int64_t ci_stride) {
  Runs r;
  if (k.valid < 2 || k.taps == 0) return r;
  const int64_t between = k.row[1] - k.row[0];
  if (between <= 1) return r;
  for (int64_t m = 2; m < k.valid; ++m) {
    if (k.row[m] - k.row[m - 1] != between) return r;
  }
  const auto [low, high] = reach_of(k, 0, k.taps);
  const int64_t span = high - low + 1, most = kRunElements / k.width;
  if (span > kLoose * k.taps) return r;
  // Channels that follow each other closely share a run.
  if (ci_stride > 0 && ci_stride <= kLoose * k.taps && span <= most) r.channels = 1 + (most - span) / ci_stride;
  const int64_t columns = (std::min(r.channels, k.c1 - k.c0) - 1) * ci_stride + span;
  if (columns >= kLeastColumns) r.between = between;
  return r;
}

// A run and the columns it becomes.
template <class T>
struct Transposing {
  const Moves<T>& moves;
  const Problem& p;
  const char* w;
  const RowPack& k;
  const Runs& runs;
  T* run;  // kRunElements

  // Taps t0 .. t1 of `count` channels from c on; answers whether all are finite.
  Marks<T> operator()(int64_t c, int64_t count, int64_t t0, int64_t t1, T* out) const {
    const auto [low, high] = reach_of(k, t0, t1);
    const int64_t columns = (count - 1) * p.w.ci + high - low + 1;
    const int64_t from = k.base + c * p.w.ci + low + k.row[0];
    moves.transpose_load(w + from * bytes_of(p.types.w), runs.between, p.types.w, k.valid, columns, run, k.width);
    Marks<T> bad = 0;
    for (int64_t q = 0; q < count; ++q) {
      for (int64_t t = t0; t < t1; ++t, out += k.width) {
        const T* column = run + (q * p.w.ci + k.tap[t] - low) * k.width;
        for (int64_t m = 0; m < k.valid; ++m) out[m] = column[m];
        for (int64_t m = k.valid; m < k.width; ++m) out[m] = 0;
        bad |= not_finite(out, k.valid);
      }
    }
    return bad;
  }
};

// How many taps from t0 on lie in one run.
int64_t taps_of_run(const RowPack& k, int64_t t0) {
  int64_t low = k.tap[t0], high = low, t = t0 + 1;
  for (; t < k.taps; ++t) {
    low = std::min(low, k.tap[t]);
    high = std::max(high, k.tap[t]);
    if (high - low + 1 > kRunElements / k.width) break;
  }
  return t - t0;
}

template <class T>
bool transposed(const Moves<T>& moves, const Problem& p, const char* w, const RowPack& k, const Runs& r, T* out) {
  alignas(64) T run[kRunElements];
  const Transposing<T> transposing{moves, p, w, k, r, run};
  Marks<T> bad = 0;
  out += k.c0 * k.taps * k.width;
  for (int64_t c = k.c0; c < k.c1; c += r.channels) {
    const int64_t count = std::min(r.channels, k.c1 - c);
    for (int64_t t = 0; t < k.taps;) {
      const int64_t taps = count > 1 ? k.taps : taps_of_run(k, t);
      bad |= transposing(c, count, t, t + taps, out);
      out += count * taps * k.width;
      t += taps;
    }
  }
  return bad == 0;
}

}  // namespace

template <class T>
bool pack_rows(const Moves<T>& moves, const Problem& p, const void* w, const RowPack& rows, T* out) {
  const Runs runs = runs_of(rows, p.w.ci);
  if (runs.between != 0) return transposed(moves, p, static_cast<const char*>(w), rows, runs, out);
  const auto run = [&](auto* typed, auto widen) { return gather(typed, p.w.ci, rows, out, widen); };
  if (p.types.w == Dtype::kF16) return run(static_cast<const uint16_t*>(w), [](uint16_t h) { return f16_to_f32(h); });
  if (p.types.w == Dtype::kBf16) return run(static_cast<const uint16_t*>(w), [](uint16_t h) { return bf16_to_f32(h); });
  return run(static_cast<const T*>(w), [](T v) { return v; });
}

template bool pack_rows<float>(const Moves<float>&, const Problem&, const void*, const RowPack&, float*);
template bool pack_rows<double>(const Moves<double>&, const Problem&, const void*, const RowPack&, double*);

}  // namespace ctconv::kit
