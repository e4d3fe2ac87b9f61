// SPDX-License-Identifier: Apache-2.0
// Running the form "channels"; see channels.h.
//
//   in:  x, packed weights, bias
//   out: the core of y
#include "src/engine/native/channels_run.h"

#include <algorithm>

#include "src/engine/native/costs.h"
#include "src/kit/boxes.h"

namespace ctconv::native::channels {

template <class T>
Worker<T>::Worker(const Plan<T>& k, Arena& arena) {
  x_tap = arena.take<int64_t>(k.triples.most_taps);
  w_tap = arena.take<int64_t>(k.triples.most_taps);
  x_pos = arena.take<int64_t>(k.tiles.positions);
  out_pos = arena.take<int64_t>(k.tiles.positions);
  const int64_t unit = k.triples.most_in_unit, all = unit * k.tiles.positions * k.tiles.widest;
  sums = arena.take<T>(std::max(all, RowStore<T>::stage_elements(k.room)));
  rows = arena.take<T>(k.lanes.runs ? 0 : all + (unit + 2) * kMaxLanes);
  copied = arena.take<int64_t>(k.tiles.own_copy ? 1 : 0);
  copy = arena.take<T>(k.tiles.own_copy ? k.tiles.images * k.source.image : k.source.panel);
}

template <class T>
Scratch<T>::Scratch(const Plan<T>& k, Arena& arena) {
  worker_bytes = static_cast<int64_t>(bytes_taken<Worker<T>>(k));
  bias = arena.take<T>(k.p.groups * k.lanes.padded);
  workers = arena.take<char>(k.threads * worker_bytes);
  copy =
      arena.take<T>(k.source.in_place || k.source.panel != 0 || k.tiles.own_copy ? 0 : k.tiles.images * k.source.image);
}

namespace {

template <class T>
void spread_bias(const Plan<T>& k, const void* given, T* to) {
  const T* bias = static_cast<const T*>(given);
  std::memset(to, 0, static_cast<size_t>(k.p.groups * k.lanes.padded) * sizeof(T));
  if (bias == nullptr) return;
  for (int64_t g = 0; g < k.p.groups; ++g) {
    for (int64_t r = 0; r < k.lanes.rows; ++r) to[g * k.lanes.padded + r] = bias[g * k.p.co + k.lanes.channel(r)];
  }
}

// A worker's copy of x, made by the first task it gets.
template <class T>
const T* own_copy(const Plan<T>& k, const Operands& m, const Worker<T>& worker) {
  if (*worker.copied == 0) {
    const int64_t tasks = kit::channel_tasks(k.p, k.p.n);
    for (int64_t i = 0; i < tasks; ++i) {
      kit::channel_task(k.moves, k.p, static_cast<const char*>(m.x), i, k.source.pitch, worker.copy);
    }
    *worker.copied = 1;
  }
  return worker.copy;
}

template <class T>
Box tile_of(const Plan<T>& k, int64_t tile, int64_t images) {
  Box box;
  for (size_t a = 4; a-- > 0;) {
    const int64_t place = a ? tile % k.tiles.count[a] : tile;
    if (a) tile /= k.tiles.count[a];
    const int64_t first = a ? k.grid[a - 1].u0 : 0, total = a ? k.grid[a - 1].un : images;
    box[a] = {first + place * k.tiles.step[a], first + std::min(total, (place + 1) * k.tiles.step[a])};
  }
  return box;
}

// Where a triple's weights for a block begin in the packed weights of a group.
int64_t weights_at(const Problem& p, const Triple& t, const Block& b) { return t.weight + p.ci * t.taps * b.row0; }

template <class T>
Task task_of(const Plan<T>& k, int64_t images, int64_t index) {
  // What is larger stays put while the smaller goes round: the weights of a block, or a tile of x.
  const int64_t tiles = k.tiles.per_images(images), pairs = k.pairs(), units = std::ssize(k.triples.units);
  const int64_t inner = k.tiles.weights_outer ? tiles : k.p.groups * pairs;
  const int64_t tile = k.tiles.weights_outer ? index % inner : index / inner;
  const int64_t rest = k.tiles.weights_outer ? index / inner : index % inner;
  // Phases inside channels: neighbouring rows of y share cache lines, neighbouring channels hardly do.
  const int64_t pair = rest % pairs;
  Task t;
  t.tile = tile_of(k, tile, images);
  t.g = rest / pairs;
  t.unit = at(k.triples.units, pair % units);
  t.block = &at(k.blocks, pair / units);
  t.width = k.width(*t.block);
  // Weights that no neighbour has: those of the next task come in while this one ends.
  if (k.tiles.weights_outer && tile + 1 == tiles && pair + 1 < pairs) {
    const Unit& unit = at(k.triples.units, (pair + 1) % units);
    t.next_weights = weights_at(k.p, at(k.triples.all, unit.first), at(k.blocks, (pair + 1) / units));
  }
  return t;
}

// Places of the real taps of a box, counted from a position in x and in the packed weights. Answers how many.
template <class T>
int64_t tap_tables(const Plan<T>& k, const Triple& t, const std::array<const Stretch*, 3>& real, int64_t width,
                   const Worker<T>& worker) {
  const Grid& grid = k.grid;
  const Phase &pd = grid[0].phase(t.d), &ph = grid[1].phase(t.h), &pw = grid[2].phase(t.w);
  int64_t taps = 0;
  for (int64_t i = real[0]->j_begin; i < real[0]->j_end; ++i) {
    for (int64_t j = real[1]->j_begin; j < real[1]->j_end; ++j) {
      const int64_t row = grid[0].row(pd, i) * k.source.stride[2] + grid[1].row(ph, j) * k.source.stride[3];
      for (int64_t q = real[2]->j_begin; q < real[2]->j_end; ++q) {
        worker.x_tap[taps] = row + grid[2].row(pw, q) * k.source.stride[4];
        worker.w_tap[taps++] = ((i * ph.taps + j) * pw.taps + q) * width;
      }
    }
  }
  return taps;
}

// Places of the positions of a box in x and where their sums go. Answers how many.
template <class T>
int64_t position_tables(const Plan<T>& k, const Task& task, const Box& box, int64_t origin, const Worker<T>& worker) {
  const Box& tile = task.tile;
  const auto& x = k.source.stride;
  const auto& y = k.p.y;
  const int64_t out_step = k.direct ? k.grid[2].s * y.axis[2] : task.width;
  const int64_t step_d = k.grid[0].step * x[2], step_h = k.grid[1].step * x[3], step_w = k.grid[2].step * x[4];
  int64_t found = 0;
  for (int64_t n = box[0].begin; n < box[0].end; ++n) {
    for (int64_t d = box[1].begin; d < box[1].end; ++d) {
      for (int64_t h = box[2].begin; h < box[2].end; ++h) {
        const int64_t x_row = n * x[0] + task.g * x[1] + d * step_d + h * step_h - origin;
        const int64_t in_tile =
            ((n - tile[0].begin) * tile[1].size() + d - tile[1].begin) * tile[2].size() + h - tile[2].begin;
        const int64_t out_row = k.direct ? n * y.n + d * k.grid[0].s * y.axis[0] + h * k.grid[1].s * y.axis[1]
                                         : (in_tile * tile[3].size() - tile[3].begin) * task.width;
        for (int64_t w = box[3].begin; w < box[3].end; ++w, ++found) {
          worker.x_pos[found] = x_row + w * step_w;
          worker.out_pos[found] = out_row + w * out_step;
        }
      }
    }
  }
  return found;
}

// Input channels c0 .. c1 of all, as many as their weights stay in the second-level cache.
struct Slice {
  int64_t c0, c1;
  int64_t next;  // channels of the slice behind it; 0: this is the last one
};

// A triple of a task in one slice.
template <class T>
struct Step {
  const Triple& triple;
  const Slice& slice;
  const T* w;      // of channel 0 of this triple and block
  const T* after;  // weights of the task behind, see Task
  T* out;
  bool stream;
};

// All blocks of positions of one box. While a slice is multiplied the next one comes in, evenly spread over them.
template <class T>
void multiply(const Plan<T>& k, const Images<T>& images, const Task& task, const Step<T>& step, int64_t taps,
              int64_t positions, const Worker<T>& worker) {
  const Slice& slice = step.slice;
  ChannelsArgs<T> a;
  a.x = images.x + slice.c0;
  a.ci = slice.c1 - slice.c0;
  a.x_tap = worker.x_tap;
  a.w_tap = worker.w_tap;
  a.taps = taps;
  a.w_ci = step.triple.taps * task.width;
  a.w = step.w + slice.c0 * a.w_ci;
  a.bias = images.bias + task.g * k.lanes.padded + task.block->row0;
  a.out = step.out;
  a.stream = step.stream;
  a.type = k.direct ? k.p.types.y : k.p.types.accumulator;
  a.spare = k.direct ? task.width - task.block->valid : 0;
  a.first = slice.c0 == 0;
  a.last = slice.next == 0;
  a.act = k.direct && k.p.epilogue.activation.kind != Activation::kNone ? &k.p.epilogue.activation : nullptr;
  const int64_t pieces = ceil_div(positions, k.routines.rows(task.block->vectors));
  const T* const next = a.last ? step.after : step.w + slice.c1 * a.w_ci;
  const int64_t next_bytes = (a.last ? a.ci : slice.next) * a.w_ci * static_cast<int64_t>(sizeof(T));
  a.w_next_step = ceil_div(ceil_div(next_bytes, pieces), std::max<int64_t>(1, a.ci) * kLine) * kLine;
  for (int64_t i = 0; i < pieces; ++i) {
    const int64_t skip = i * a.w_next_step * a.ci;
    a.w_next = next && skip < next_bytes ? next + skip / static_cast<int64_t>(sizeof(T)) : nullptr;
    const int64_t q0 = positions * i / pieces, q1 = positions * (i + 1) / pieces;
    a.x_pos = worker.x_pos + q0;
    a.out_pos = worker.out_pos + q0;
    k.routines.block[q1 - q0 - 1][task.block->vectors - 1](a);
  }
}

Range both(const Stretch& s, const Range& r) { return {std::max(s.u_begin, r.begin), std::min(s.u_end, r.end)}; }

// One triple of a task in one slice: box by box of equal taps.
template <class T>
void multiply_triple(const Plan<T>& k, const Images<T>& images, const Task& task, const Step<T>& step,
                     const Worker<T>& worker) {
  const Triple& t = step.triple;
  for (const Stretch& d : at(k.triples.stretches[0], t.d)) {
    const Range rd = both(d, task.tile[1]);
    if (rd.size() <= 0) continue;
    for (const Stretch& h : at(k.triples.stretches[1], t.h)) {
      const Range rh = both(h, task.tile[2]);
      if (rh.size() <= 0) continue;
      for (const Stretch& w : at(k.triples.stretches[2], t.w)) {
        const Range rw = both(w, task.tile[3]);
        if (rw.size() <= 0) continue;
        const int64_t taps = tap_tables(k, t, {&d, &h, &w}, task.width, worker);
        const int64_t positions = position_tables(k, task, {task.tile[0], rd, rh, rw}, images.origin, worker);
        multiply(k, images, task, step, taps, positions, worker);
      }
    }
  }
}

// Where position 0 of a triple and the first lane of a block lie in y.
template <class T>
char* place_in_y(const Plan<T>& k, const Images<T>& images, const Task& task, const Triple& t) {
  const Problem& p = k.p;
  const int64_t channel = task.g * p.co + k.lanes.channel(task.block->row0);
  const int64_t w = k.grid[2].out(0, k.grid[2].phase(t.w)) + k.lanes.phase(task.block->row0);
  const int64_t place = images.first * p.y.n + channel * p.y.c + k.grid[0].out(0, k.grid[0].phase(t.d)) * p.y.axis[0] +
                        k.grid[1].out(0, k.grid[1].phase(t.h)) * p.y.axis[1] + w * p.y.axis[2];
  return static_cast<char*>(images.memory.y) + place * bytes_of(p.types.y);
}

template <class T>
void run_task(const Plan<T>& k, const Images<T>& images, const Task& task, const Worker<T>& worker) {
  const int64_t ci = k.p.ci;
  const T* packed = static_cast<const T*>(images.memory.packed) + task.g * k.triples.weights;
  const T* after = task.next_weights < 0 ? nullptr : packed + task.next_weights;
  const bool stream = k.stream && reinterpret_cast<uintptr_t>(images.memory.y) % kAlignment == 0;
  int64_t most_taps = 1;
  for (int64_t c = task.unit.first; c < task.unit.last; ++c) most_taps = std::max(most_taps, at(k.triples.all, c).taps);
  const int64_t channel_bytes = most_taps * task.width * static_cast<int64_t>(sizeof(T));
  const int64_t slices = std::max<int64_t>(1, ceil_div(ci, std::max(kLeastSlice, kSliceBytes / channel_bytes)));
  for (int64_t s = 0; s < slices; ++s) {
    Slice slice{ci * s / slices, ci * (s + 1) / slices, 0};
    if (s + 1 < slices) slice.next = ci * (s + 2) / slices - slice.c1;
    for (int64_t c = task.unit.first; c < task.unit.last; ++c) {
      const Triple& t = at(k.triples.all, c);
      T* out = k.direct ? reinterpret_cast<T*>(place_in_y(k, images, task, t))
                        : worker.sums + (c - task.unit.first) * k.tiles.positions * task.width;
      multiply_triple(k, images, task, {t, slice, packed + weights_at(k.p, t, *task.block), after, out, stream},
                      worker);
    }
  }
  if (stream) k.moves.fence();
  if (!k.direct) finish(k, images, task, worker);
}

// The rows of x that a tile reads, into the worker's panel; answers where they lie.
template <class T>
Images<T> bring_panel(const Plan<T>& k, const Images<T>& images, const Task& task, const Worker<T>& worker) {
  const ActivationLayout& x = k.p.x;
  const auto& to = k.source.stride;
  kit::Box box;
  box[0] = {task.tile[0].size(), x.n, to[0]};
  box[1] = {k.p.ci, x.c, 1};
  int64_t place = (images.first + task.tile[0].begin) * x.n + task.g * k.p.ci * x.c,
          origin = task.tile[0].begin * to[0];
  for (size_t a = 0; a < 3; ++a) {
    const AxisPhases& axis = k.grid[a];
    const Range& u = task.tile[a + 1];
    const Phase& p = axis.phase(0);
    const int64_t first = std::max<int64_t>(0, u.begin * axis.step - p.v0 - (p.taps - 1) * axis.v_step);
    const int64_t end = std::min(axis.i, (u.end - 1) * axis.step - p.v0 + 1);
    box[a + 2] = {std::max<int64_t>(0, end - first), x.axis[a], to[a + 2]};
    place += first * x.axis[a];
    origin += first * to[a + 2];
  }
  const bool some = box[2].extent != 0 && box[3].extent != 0 && box[4].extent != 0;
  const char* from = static_cast<const char*>(images.memory.x) + place * bytes_of(k.p.types.x);
  if (some) kit::box_in(k.moves, from, k.p.types.x, box, worker.copy);
  return {images.memory, images.bias, worker.copy, images.first, images.count, origin};
}

// A tile of a group in all its blocks: they share the panel.
template <class T>
void run_tile(const Plan<T>& k, const Images<T>& images, int64_t index, const Worker<T>& worker) {
  Task task;
  task.tile = tile_of(k, index / k.p.groups, images.count);
  task.g = index % k.p.groups;
  const Images<T> panel = bring_panel(k, images, task, worker);
  for (const Unit& unit : k.triples.units) {
    for (const Block& block : k.blocks) {
      task.unit = unit;
      task.block = &block;
      task.width = k.width(block);
      run_task(k, panel, task, worker);
    }
  }
}

// A small copy is one task: waking other threads for it takes longer.
template <class T>
bool copy_all(const Plan<T>& k, const char* x, int64_t images, T* to, const Runner& runner) {
  const int64_t all = kit::channel_tasks(k.p, images);
  const int64_t tasks = images * k.source.image <= kAloneElements ? 1 : all;
  return runner(tasks, [&](int64_t task, int32_t) {
    for (int64_t i = task; i < all; i += tasks) kit::channel_task(k.moves, k.p, x, i, k.source.pitch, to);
  });
}

}  // namespace

template <class T>
std::string describe(const Plan<T>& k) {
  const char* end = k.direct ? ", direct" : k.lanes.runs ? ", runs" : ", transposed";
  return std::string("channels, ") + k.moves.name +
         (k.source.in_place     ? ", x in place"
          : k.source.panel != 0 ? ", x in panels"
                                : ", x channels innermost") +
         (k.lanes.merged ? ", phases in lanes" : "") + end + ", " + std::to_string(k.triples.all.size()) +
         " phases x " + std::to_string(k.blocks.size()) + " blocks, tiles of " + std::to_string(k.tiles.positions) +
         " positions";
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
  const auto worker_of = [&](int64_t w) {
    Arena own(scratch.workers + w * scratch.worker_bytes);
    return Worker<T>(k, own);
  };
  spread_bias(k, m.bias, scratch.bias);
  for (int32_t w = 0; k.tiles.own_copy && w < k.threads; ++w) *worker_of(w).copied = 0;
  const bool panels = k.source.panel != 0, copies = !k.source.in_place && !panels && !k.tiles.own_copy;
  for (int64_t n0 = 0; n0 < k.p.n; n0 += k.tiles.images) {
    const int64_t count = std::min(k.tiles.images, k.p.n - n0);
    const char* x = static_cast<const char*>(m.x) + n0 * k.p.x.n * bytes_of(k.p.types.x);
    if (copies && !copy_all(k, x, count, scratch.copy, runner)) return runner_broke();
    const T* from = k.source.in_place ? reinterpret_cast<const T*>(x) : scratch.copy;
    const int64_t tasks = k.tiles.per_images(count) * k.p.groups * (panels ? 1 : k.pairs());
    const bool ok = runner(tasks, [&](int64_t i, int32_t w) {
      const Worker<T> worker = worker_of(w);
      if (panels) return run_tile(k, Images<T>{m, scratch.bias, nullptr, n0, count}, i, worker);
      const T* own = k.tiles.own_copy ? own_copy(k, m, worker) : from;
      run_task(k, Images<T>{m, scratch.bias, own, n0, count}, task_of(k, count, i), worker);
    });
    if (!ok) return runner_broke();
  }
  return {};
}

template std::string describe(const Plan<float>&);
template std::string describe(const Plan<double>&);
template size_t scratch_size(const Plan<float>&);
template size_t scratch_size(const Plan<double>&);
template Status compute(const Plan<float>&, const Operands&, const Runner&);
template Status compute(const Plan<double>&, const Operands&, const Runner&);

}  // namespace ctconv::native::channels
