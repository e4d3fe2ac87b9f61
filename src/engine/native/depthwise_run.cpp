// SPDX-License-Identifier: Apache-2.0
// Running the form "depthwise"; see depthwise.h.
//
//   in:  x, weights, bias with channels innermost, one channel per group
//   out: the core of y
#include <algorithm>

#include "src/engine/native/depthwise.h"

namespace ctconv::native::depthwise {
namespace {

// Scratch of a call: bias and the workers' memory.
template <class T>
struct Scratch {
  T* bias;
  char* workers;
  int64_t worker_bytes;

  Scratch(const Plan<T>& k, Arena& arena);
};

// One worker's memory: rows of the task at hand, input widened, outputs before they are narrowed.
template <class T>
struct Worker {
  int64_t *x_row, *w_row;
  T *panel, *wide;

  Worker(const Plan<T>& k, Arena& arena) {
    x_row = arena.take<int64_t>(k.most_rows);
    w_row = arena.take<int64_t>(k.most_rows);
    panel = arena.take<T>(k.tiles.panel);
    wide = arena.take<T>(k.tiles.wide);
  }
};

template <class T>
Scratch<T>::Scratch(const Plan<T>& k, Arena& arena) {
  worker_bytes = static_cast<int64_t>(bytes_taken<Worker<T>>(k));
  bias = arena.take<T>(k.p.groups);
  workers = arena.take<char>(k.threads * worker_bytes);
}

// One output row od, oh of image n: positions u0 .. u1, channels c0 .. c1, the taps of d and h that are real there.
struct Task {
  int64_t n, od, oh;
  int64_t u0, u1, c0, c1;
  int64_t fd, fh;       // phases
  int64_t ud, uh;       // positions
  Stretch d, h;         // the taps that are real there
  int64_t first, last;  // input columns of the panel
};

// The one that holds u; there is one for every position of a phase.
const Stretch& stretch_at(const std::vector<Stretch>& all, int64_t u) {
  for (const Stretch& s : all) {
    if (u < s.u_end) return s;
  }
  return all.back();
}

template <class T>
Task task_of(const Plan<T>& k, int64_t index) {
  const AxisPhases &d = k.grid[0], &h = k.grid[1], &w = k.grid[2];
  const Tiles& tiles = k.tiles;
  const int64_t part = index % tiles.parts, tile = index / tiles.parts % tiles.count;
  const int64_t row = index / tiles.parts / tiles.count;
  Task t;
  t.oh = row % h.o;
  t.od = row / h.o % d.o;
  t.n = row / h.o / d.o;
  t.fd = t.od % d.s;
  t.fh = t.oh % h.s;
  t.ud = d.phase(t.fd).u_begin + t.od / d.s;
  t.uh = h.phase(t.fh).u_begin + t.oh / h.s;
  t.d = stretch_at(at(k.stretches[0], t.fd), t.ud);
  t.h = stretch_at(at(k.stretches[1], t.fh), t.uh);
  t.u0 = w.u0 + tile * tiles.positions;
  t.u1 = std::min(w.u0 + w.un, t.u0 + tiles.positions);
  t.c0 = k.p.groups * part / tiles.parts;
  t.c1 = k.p.groups * (part + 1) / tiles.parts;
  t.first = std::clamp<int64_t>(t.u0 - w.v_max, 0, w.i);
  t.last = std::clamp<int64_t>(t.u1, t.first, w.i);
  return t;
}

// Columns first .. last of the input rows that the real taps of d and h meet: [tap of d][tap of h][column][channel].
template <class T>
void widen(const Plan<T>& k, const Operands& m, const Task& t, T* panel) {
  const ActivationLayout& l = k.p.x;
  const Phase &fd = k.grid[0].phase(t.fd), &fh = k.grid[1].phase(t.fh);
  const Dtype type = k.p.types.x;
  const int64_t bytes = bytes_of(type), channels = t.c1 - t.c0, columns = t.last - t.first;
  const bool dense = channels == l.axis[2];
  for (int64_t i = t.d.j_begin; i < t.d.j_end; ++i) {
    for (int64_t j = t.h.j_begin; j < t.h.j_end; ++j, panel += k.tiles.panel_row) {
      const int64_t d = t.ud + k.grid[0].row(fd, i), h = t.uh + k.grid[1].row(fh, j);
      const int64_t place = t.n * l.n + d * l.axis[0] + h * l.axis[1] + t.first * l.axis[2] + t.c0;
      const char* from = static_cast<const char*>(m.x) + place * bytes;
      if (dense) {
        k.moves.load(from, 1, type, columns * channels, panel);
        continue;
      }
      for (int64_t q = 0; q < columns; ++q) {
        k.moves.load(from + q * l.axis[2] * bytes, 1, type, channels, panel + q * channels);
      }
    }
  }
}

// Rows of x that the task's taps of d and h meet, counted from position (ud, uh) in place, from the panel's first row
// else; and which rows of taps they are. Answers how many.
template <class T>
int64_t row_tables(const Plan<T>& k, const Task& t, const Worker<T>& worker) {
  const Phase &pd = k.grid[0].phase(t.fd), &ph = k.grid[1].phase(t.fh);
  int64_t rows = 0;
  for (int64_t i = t.d.j_begin; i < t.d.j_end; ++i) {
    for (int64_t j = t.h.j_begin; j < t.h.j_end; ++j) {
      worker.x_row[rows] = k.in_place ? k.grid[0].row(pd, i) * k.p.x.axis[0] + k.grid[1].row(ph, j) * k.p.x.axis[1]
                                      : rows * k.tiles.panel_row;
      worker.w_row[rows++] = i * ph.taps + j;
    }
  }
  return rows;
}

// Activation of sums of `a`; where they are not straight in y, they are narrowed to it.
template <class T>
void finish(const Plan<T>& k, const DepthwiseArgs<T>& a, char* y, int64_t y_step) {
  const Activation& act = k.p.epilogue.activation;
  if (act.kind == Activation::kNone) return;
  T* sums = static_cast<T*>(a.out);
  for (int64_t q = 0; q < a.count; ++q, sums += a.out_step) {
    k.moves.activate(act, sums, a.channels);
    if (!k.straight) k.moves.store(sums, a.channels, k.p.types.y, y + q * y_step * bytes_of(k.p.types.y), 1, false);
  }
}

// Those of positions u0 .. u1 of phase f whose taps are those of the stretch.
template <class T>
void run_stretch(const Plan<T>& k, const Operands& m, const Task& t, int64_t f, const Stretch& s, DepthwiseArgs<T> a,
                 const Worker<T>& worker) {
  const int64_t begin = std::max(s.u_begin, t.u0), end = std::min(s.u_end, t.u1);
  if (begin >= end) return;
  const ActivationLayout &x = k.p.x, &y = k.p.y;
  const AxisPhases& w = k.grid[2];
  const Phase& pw = w.phase(f);
  const int64_t place = t.n * y.n + t.od * y.axis[0] + t.oh * y.axis[1] + w.out(begin, pw) * y.axis[2] + t.c0;
  char* to = static_cast<char*>(m.y) + place * bytes_of(k.p.types.y);
  a.taps = s.j_end - s.j_begin;
  const int64_t column = begin * w.step + w.row(pw, s.j_begin);  // that the first tap reads, if there is one
  a.x = worker.panel + (column - t.first) * a.x_step;
  if (k.in_place) {
    const int64_t d = t.ud * k.grid[0].step, h = t.uh * k.grid[1].step;
    const int64_t x_place = t.n * x.n + d * x.axis[0] + h * x.axis[1] + t.c0 + column * x.axis[2];
    a.x = static_cast<const char*>(m.x) + x_place * bytes_of(k.p.types.x);
  }
  a.w = static_cast<const T*>(m.packed) + at(k.weight, k.triple(t.fd, t.fh, f)) + s.j_begin * a.w_tap + t.c0;
  a.w_between = pw.taps * a.w_tap;
  a.out = k.straight ? static_cast<void*>(to) : worker.wide;
  a.count = end - begin;
  k.routines.positions(k.in, k.out)(a);
  finish(k, a, to, w.s * y.axis[2]);
}

// A few positions in all their phases, then the next: x and y of them stay in the first-level cache.
template <class T>
void run_task(const Plan<T>& k, const Operands& m, const T* bias, Task t, const Worker<T>& worker) {
  if (!k.in_place) widen(k, m, t, worker.panel);
  const AxisPhases& w = k.grid[2];
  DepthwiseArgs<T> a;
  a.channels = t.c1 - t.c0;
  const int64_t column = k.in_place ? k.p.x.axis[2] : a.channels;
  a.x_step = w.step * column;  // panels are for step 1
  a.x_tap = -w.v_step * column;
  a.x_row = worker.x_row;
  a.w_row = worker.w_row;
  a.w_tap = k.p.groups;
  a.rows = row_tables(k, t, worker);
  a.bias = bias + t.c0;
  a.out_step = k.straight ? w.s * k.p.y.axis[2] : a.channels;
  a.stream = k.stream && reinterpret_cast<uintptr_t>(m.y) % kAlignment == 0;
  const int64_t last = t.u1;
  for (; t.u0 < last; t.u0 = t.u1) {
    t.u1 = std::min(last, t.u0 + k.tiles.near);
    for (int64_t f = 0; f < w.count(); ++f) {
      for (const Stretch& s : at(k.stretches[2], f)) run_stretch(k, m, t, f, s, a, worker);
    }
  }
  if (a.stream) k.moves.fence();
}

}  // namespace

template <class T>
std::string describe(const Plan<T>& k) {
  return std::string("depthwise, ") + k.moves.name + (k.in_place ? ", x in place" : ", x widened in panels") +
         ", lanes over channels, " + std::to_string(k.weight.size()) + " phases";
}

template <class T>
size_t scratch_size(const Plan<T>& k) {
  return bytes_taken<Scratch<T>>(k);
}

template <class T>
Status compute(const Plan<T>& k, const Operands& m, const Runner& given) {
  const Runner runner = runner_within(given, k.threads);
  Arena arena(m.scratch);
  const Scratch<T> scratch(k, arena);
  copy_bias(m.bias, k.p.groups, scratch.bias);
  const int64_t rows = k.p.n * k.grid[0].o * k.grid[1].o;
  const bool ok = runner(rows * k.tiles.count * k.tiles.parts, [&](int64_t i, int32_t w) {
    Arena own(scratch.workers + w * scratch.worker_bytes);
    run_task(k, m, scratch.bias, task_of(k, i), Worker<T>(k, own));
  });
  if (!ok) return runner_broke();
  return {};
}

template std::string describe(const Plan<float>&);
template std::string describe(const Plan<double>&);
template size_t scratch_size(const Plan<float>&);
template size_t scratch_size(const Plan<double>&);
template Status compute(const Plan<float>&, const Operands&, const Runner&);
template Status compute(const Plan<double>&, const Operands&, const Runner&);

}  // namespace ctconv::native::depthwise
