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
#include "src/kit/boxes.h"

namespace ctconv::native::raw {
namespace {

constexpr int64_t kChannelsOfTask = 8;       // whose panels are made together
constexpr int64_t kChannelsOfCopy = 16;      // copied together: a line of x holds as many
constexpr int64_t kWeightsOfTask = 1 << 16;  // looked at together

template <class T>
struct Scratch {
  T *copy, *panels, *pieces, *sums;
  int64_t of_worker;  // sums

  Scratch(const Plan<T>& k, Arena& arena) {
    copy = arena.take<T>(k.copied ? k.p.n * k.x.n : 0);
    panels = arena.take<T>(k.shared ? k.p.groups * std::ssize(k.blocks) * k.panel() : 0);
    pieces = arena.take<T>(k.threads * k.piece());
    of_worker = k.part * k.width;
    sums = arena.take<T>(k.threads * of_worker);
  }
};

// x with its channels outermost; a task is some channels of an image, whose lines in x are then read once.
template <class T>
bool copy_x(const Plan<T>& k, const Operands& m, T* copy, const Runner& runner) {
  const int64_t channels = k.p.groups * k.p.ci, cuts = ceil_div(channels, kChannelsOfCopy);
  return runner(k.p.n * cuts, [&](int64_t task, int32_t) {
    const int64_t n = task / cuts, c = task % cuts * kChannelsOfCopy;
    kit::Box box;
    for (size_t a = 0; a < 3; ++a) box[a] = {k.grid[a].i, k.p.x.axis[a], k.x.axis[a]};
    box[3] = {std::min(kChannelsOfCopy, channels - c), k.p.x.c, k.x.c};
    const T* from = static_cast<const T*>(m.x) + n * k.p.x.n + c * k.p.x.c;
    kit::box_in(k.moves, reinterpret_cast<const char*>(from), k.p.types.x, box, copy + n * k.x.n + c * k.x.c);
  });
}

template <class T>
bool fill_panels(const Plan<T>& k, const T* x, const Scratch<T>& s, const Runner& runner) {
  const int64_t blocks = std::ssize(k.blocks), cuts = ceil_div(k.p.ci, kChannelsOfTask), taps = k.taps();
  return runner(k.p.groups * blocks * cuts, [&](int64_t task, int32_t) {
    const int64_t cut = task % cuts, block = task / cuts % blocks, g = task / cuts / blocks;
    const int64_t first = cut * kChannelsOfTask * taps, last = std::min(k.depth(), first + kChannelsOfTask * taps);
    T* panel = s.panels + (g * blocks + block) * k.panel();
    fill_rows(k, at(k.blocks, block), x + g * k.p.ci * k.x.c, first, last, panel + first * k.width);
  });
}

// One task: rows [first, last) of w over one block of positions.
template <class T>
struct Task {
  const Block& block;
  const T *x, *w;  // of the group
  const T* panel;  // null: pieces of it are filled here
  int64_t first, last;
};

template <class T>
void multiply_rows(const Plan<T>& k, const Task<T>& task, const T* lanes, int64_t place, int64_t places, T* sums) {
  const int64_t most = k.rows(task.block.vectors);
  int64_t row[kRawRows], out[kRawRows];
  for (int64_t c = task.first; c < task.last; c += most) {
    const int64_t rows = std::min(most, task.last - c);
    for (int64_t r = 0; r < rows; ++r) {
      row[r] = (c + r) * k.p.w.co;
      out[r] = (c + r - task.first) * k.width;
    }
    k.routines.block[0][rows - 1][task.block.vectors - 1]({.lanes = lanes,
                                                           .rows = task.w,
                                                           .lane_at = &at(k.lane_at, 0),
                                                           .row_at = &at(k.row_at, place),
                                                           .places = places,
                                                           .row = row,
                                                           .out = out,
                                                           .sums = sums});
  }
}

template <class T>
void multiply(const Plan<T>& k, const Task<T>& task, T* piece, T* sums) {
  std::fill(sums, sums + (task.last - task.first) * k.width, T(0));
  for (int64_t place = 0; place < k.depth(); place += kRawChunk) {
    const int64_t places = std::min(kRawChunk, k.depth() - place);
    if (task.panel == nullptr) fill_rows(k, task.block, task.x, place, place + places, piece);
    multiply_rows(k, task, task.panel ? task.panel + place * k.width : piece, place, places, sums);
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
  if (k.copied && !copy_x(k, m, s.copy, runner)) return runner_broke();
  const T* const x = k.copied ? s.copy : static_cast<const T*>(m.x);
  if (k.shared && !fill_panels(k, x, s, runner)) return runner_broke();
  const int64_t blocks = std::ssize(k.blocks), parts = k.parts();
  const bool ok = runner(k.p.groups * blocks * parts, [&](int64_t task, int32_t worker) {
    const int64_t part = task % parts, block = task / parts % blocks, g = task / parts / blocks;
    const int64_t first = part * k.part, last = std::min(k.p.co, first + k.part), c = g * k.p.co + first;
    const Block& b = at(k.blocks, block);
    T* sums = s.sums + worker * s.of_worker;
    const T* panel = k.shared ? s.panels + (g * blocks + block) * k.panel() : nullptr;
    multiply(k, {b, x + g * k.p.ci * k.x.c, static_cast<const T*>(m.w) + g * k.p.w.g, panel, first, last},
             s.pieces + worker * k.piece(), sums);
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
