// SPDX-License-Identifier: Apache-2.0
// Running the form "raw"; see raw.h.
//
//   in:  x, w by their strides, bias
//   out: the core of y
#include <algorithm>
#include <atomic>
#include <cstring>
#include <type_traits>

#include "src/engine/native/costs.h"
#include "src/engine/native/raw.h"

namespace ctconv::native::raw {
namespace {

constexpr int64_t kChannelsOfTask = 8;       // whose panels are made together
constexpr int64_t kWeightsOfTask = 1 << 16;  // looked at together
constexpr int64_t kLongRun = 32;             // values worth a routine

template <class T>
struct Scratch {
  T *panels, *sums;
  int64_t of_worker;

  Scratch(const Plan<T>& k, Arena& arena) {
    panels = arena.take<T>(k.p.groups * std::ssize(k.blocks) * k.panel());
    of_worker = k.part * k.width;
    sums = arena.take<T>(k.threads * of_worker);
  }
};

// Rows of the panel that one channel fills: every tap's values, zeros where it leaves x.
template <class T>
void fill_channel(const Plan<T>& k, const Block& b, const T* x, T* panel) {
  const int64_t step = k.grid[2].step * k.p.x.axis[2];
  for (int64_t t = 0; t < k.taps(); ++t, panel += k.width) {
    std::fill(panel, panel + k.width, T(0));
    for (int64_t r = at(b.begin, t); r < at(b.begin, t + 1); ++r) {
      const Run& run = at(b.taps, r);
      const T* from = x + run.from;
      T* to = panel + run.to;
      if (run.count >= kLongRun) {
        k.moves.load(from, step, k.p.types.x, run.count, to);
        continue;
      }
      for (int64_t q = 0; q < run.count; ++q) to[q] = from[q * step];
    }
  }
}

template <class T>
bool fill_panels(const Plan<T>& k, const Operands& m, const Scratch<T>& s, const Runner& runner) {
  const int64_t blocks = std::ssize(k.blocks), cuts = ceil_div(k.p.ci, kChannelsOfTask), taps = k.taps();
  return runner(k.p.groups * blocks * cuts, [&](int64_t task, int32_t) {
    const int64_t cut = task % cuts, block = task / cuts % blocks, g = task / cuts / blocks;
    const int64_t first = cut * kChannelsOfTask, last = std::min(k.p.ci, first + kChannelsOfTask);
    const T* x = static_cast<const T*>(m.x) + g * k.p.ci * k.p.x.c;
    T* panel = s.panels + (g * blocks + block) * k.panel();
    for (int64_t c = first; c < last; ++c) {
      fill_channel(k, at(k.blocks, block), x + c * k.p.x.c, panel + c * taps * k.width);
    }
  });
}

// Sums of rows [first, last) of w over one block of positions.
template <class T>
void multiply(const Plan<T>& k, const Block& b, const T* w, const T* panel, int64_t first, int64_t last, T* sums) {
  std::fill(sums, sums + (last - first) * k.width, T(0));
  const int64_t most = k.rows(b.vectors);
  int64_t row[kRawRows], out[kRawRows];
  for (int64_t place = 0; place < k.depth(); place += kRawChunk) {
    const int64_t places = std::min(kRawChunk, k.depth() - place);
    for (int64_t c = first; c < last; c += most) {
      const int64_t rows = std::min(most, last - c);
      for (int64_t r = 0; r < rows; ++r) {
        row[r] = (c + r) * k.p.w.co;
        out[r] = (c + r - first) * k.width;
      }
      k.routines.block[0][rows - 1][b.vectors - 1]({.lanes = panel,
                                                    .rows = w,
                                                    .lane_at = &at(k.lane_at, place),
                                                    .row_at = &at(k.row_at, place),
                                                    .places = places,
                                                    .row = row,
                                                    .out = out,
                                                    .sums = sums});
    }
  }
}

// bias + sum, to its places in y; without a bias +0, which makes -0 of an underflow +0.
template <class T>
void finish(const Plan<T>& k, const Block& b, const T* bias, T* sums, int64_t rows, T* y) {
  for (int64_t c = 0; c < rows; ++c, sums += k.width, y += k.p.y.c) {
    const T add = bias ? bias[c] : T(0);
    for (int64_t q = 0; q < b.positions; ++q) sums[q] += add;
    for (const Run& run : b.out) {
      k.moves.store(sums + run.to, run.count, k.p.types.y, y + run.from, k.p.y.axis[2], false);
    }
  }
}

// A number whose exponent is all ones is not finite. No branch, so that compilers make vectors of it.
template <class T, class Place>
bool all_finite(int64_t count, const Place& place) {
  using Bits = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
  constexpr Bits kExponent = sizeof(T) == 8 ? static_cast<Bits>(0x7ff0000000000000u) : static_cast<Bits>(0x7f800000u);
  Bits bad = 0;
  for (int64_t i = 0; i < count; ++i) {
    Bits bits;
    std::memcpy(&bits, place(i), sizeof(T));
    bad |= static_cast<Bits>((bits & kExponent) == kExponent);
  }
  return bad == 0;
}

// Of rows [first, last) of w.
template <class T>
bool rows_finite(const Plan<T>& k, const T* w, int64_t first, int64_t last) {
  for (int64_t c = first; c < last; ++c) {
    const T* row = w + c * k.p.w.co;
    const bool finite = k.dense ? all_finite<T>(k.depth(), [&](int64_t i) { return row + k.row_first + i; })
                                : all_finite<T>(k.depth(), [&](int64_t i) { return row + at(k.row_at, i); });
    if (!finite) return false;
  }
  return true;
}

}  // namespace

template <class T>
size_t scratch_size(const Plan<T>& k) {
  return bytes_taken<Scratch<T>>(k);
}

template <class T>
Result<bool> pack_weights(const Plan<T>& k, const void* w, void* /*packed*/, const Runner& runner) {
  if (!k.padded) return true;
  std::atomic<bool> finite{true};
  const int64_t rows = std::max<int64_t>(1, kWeightsOfTask / k.depth()), cuts = ceil_div(k.p.co, rows);
  const bool ok = runner(k.p.groups * cuts, [&](int64_t task, int32_t) {
    const int64_t first = task % cuts * rows;
    const T* group = static_cast<const T*>(w) + task / cuts * k.p.w.g;
    if (!rows_finite(k, group, first, std::min(k.p.co, first + rows))) finite.store(false, std::memory_order_relaxed);
  });
  if (!ok) return runner_broke();
  return finite.load();
}

template <class T>
Status compute(const Plan<T>& k, const Operands& m, const Runner& given) {
  const Runner runner = runner_within(given, k.threads);
  Arena arena(m.scratch);
  const Scratch<T> s(k, arena);
  if (!fill_panels(k, m, s, runner)) return runner_broke();
  const int64_t blocks = std::ssize(k.blocks), parts = k.parts();
  const bool ok = runner(k.p.groups * blocks * parts, [&](int64_t task, int32_t worker) {
    const int64_t part = task % parts, block = task / parts % blocks, g = task / parts / blocks;
    const int64_t first = part * k.part, last = std::min(k.p.co, first + k.part), c = g * k.p.co + first;
    const Block& b = at(k.blocks, block);
    T* sums = s.sums + worker * s.of_worker;
    multiply(k, b, static_cast<const T*>(m.w) + g * k.p.w.g, s.panels + (g * blocks + block) * k.panel(), first, last,
             sums);
    const T* bias = m.bias ? static_cast<const T*>(m.bias) + c : nullptr;
    finish(k, b, bias, sums, last - first, static_cast<T*>(m.y) + c * k.p.y.c);
  });
  if (!ok) return runner_broke();
  return {};
}

template size_t scratch_size(const Plan<float>&);
template size_t scratch_size(const Plan<double>&);
template Result<bool> pack_weights(const Plan<float>&, const void*, void*, const Runner&);
template Result<bool> pack_weights(const Plan<double>&, const void*, void*, const Runner&);
template Status compute(const Plan<float>&, const Operands&, const Runner&);
template Status compute(const Plan<double>&, const Operands&, const Runner&);

}  // namespace ctconv::native::raw
