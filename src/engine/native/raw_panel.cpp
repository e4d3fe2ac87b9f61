// SPDX-License-Identifier: Apache-2.0
// Filling the panels of the form "raw"; see raw.h.
//
//   in:  x or its copy, which runs of positions each tap reads
//   out: panel[input channel, tap][positions], zeros where a tap leaves x
#include <algorithm>
#include <cstdlib>

#include "src/engine/native/costs.h"
#include "src/engine/native/raw.h"

namespace ctconv::native::raw {
namespace {

constexpr int64_t kLongRun = 32;   // values worth a routine
constexpr int64_t kTogether = 16;  // taps worth a transposition

const Run* only_run(const Block& b, int64_t tap) {
  return at(b.begin, tap + 1) - at(b.begin, tap) == 1 ? &at(b.taps, at(b.begin, tap)) : nullptr;
}

// Taps from t on that read the same positions, each beside the one before it: +1 or -1; how many, at most `most`.
int64_t neighbours(const Block& b, int64_t t, int64_t most, int64_t* beside) {
  const Run* first = only_run(b, t);
  int64_t n = 1;
  for (; first != nullptr && n < most; ++n) {
    const Run* next = only_run(b, t + n);
    if (next == nullptr || next->to != first->to || next->count != first->count) break;
    const int64_t step = next->from - first->from;
    if (n == 1) *beside = step;
    if (std::abs(*beside) != 1 || step != n * *beside) break;
  }
  return n;
}

template <class T>
void fill_tap(const Plan<T>& k, const Block& b, const T* x, int64_t tap, int64_t step, T* panel) {
  for (int64_t r = at(b.begin, tap); r < at(b.begin, tap + 1); ++r) {
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

// Taps first .. last of one channel.
template <class T>
void fill_taps(const Plan<T>& k, const Block& b, const T* x, int64_t first, int64_t last, T* panel) {
  const int64_t step = k.grid[2].step * k.x.axis[2];
  std::fill(panel, panel + (last - first) * k.width, T(0));
  for (int64_t t = first; t < last;) {
    T* to = panel + (t - first) * k.width;
    int64_t beside = 0;
    const int64_t n = neighbours(b, t, last - t, &beside);
    if (n < kTogether) {
      fill_tap(k, b, x, t++, step, to);
      continue;
    }
    // By rising places of x: backwards in the panel where the taps run against them.
    const Run& run = at(b.taps, at(b.begin, t));
    const int64_t back = beside < 0 ? n - 1 : 0;
    k.moves.transpose(x + run.from - back, step, run.count, n, to + back * k.width + run.to, beside * k.width);
    t += n;
  }
}

}  // namespace

template <class T>
void fill_rows(const Plan<T>& k, const Block& b, const T* x, int64_t first, int64_t last, T* panel) {
  const int64_t taps = k.taps();
  for (int64_t row = first; row < last;) {
    const int64_t c = row / taps, tap = row % taps, end = std::min(taps, tap + last - row);
    fill_taps(k, b, x + c * k.x.c, tap, end, panel + (row - first) * k.width);
    row += end - tap;
  }
}

template void fill_rows(const Plan<float>&, const Block&, const float*, int64_t, int64_t, float*);
template void fill_rows(const Plan<double>&, const Block&, const double*, int64_t, int64_t, double*);

}  // namespace ctconv::native::raw
