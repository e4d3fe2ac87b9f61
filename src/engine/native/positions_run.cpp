// SPDX-License-Identifier: Apache-2.0
// Running the form "positions"; see positions.h.
//
//   in:  x, packed weights, bias
//   out: the core of y
#include "src/engine/native/positions_run.h"

#include <algorithm>

namespace ctconv::native::positions {

template <class T>
Worker<T>::Worker(const Plan<T>& k, Arena& arena) {
  panel = arena.take<T>(k.p.ci * k.tiles.panel_pitch);
  rows = arena.take<T>(k.units.most_rows * k.bands.width + kMaxLanes);
  stage = arena.take<T>(RowStore<T>::stage_elements(k.room));
  segments = arena.take<Segment<T>>(k.bands.width + 1);
  parts = arena.take<RowPart>(k.bands.width + 1);
}

template <class T>
Scratch<T>::Scratch(const Plan<T>& k, Arena& arena) {
  worker_bytes = static_cast<int64_t>(bytes_taken<Worker<T>>(k));
  bias = arena.take<T>(k.p.groups * k.p.co);
  workers = arena.take<char>(k.threads * worker_bytes);
  const int64_t padded = k.tiles.source == Source::kPlanes ? k.tiles.images : 0;
  planes = arena.take<T>(padded * k.p.groups * k.p.ci * k.planes.plane);
}

namespace {

// Some images of a call.
template <class T>
struct Images {
  const Operands& memory;
  const Scratch<T>& scratch;
  int64_t first;
};

// A tile of one image and group, and a share of the units.
struct Task {
  int64_t n, g;  // n: within the images at hand
  int64_t band0, band1;
  int64_t unit0, unit1;
};

template <class T>
Task task_of(const Plan<T>& k, int64_t index) {
  const Tiles& t = k.tiles;
  const int64_t share = index % t.shares, tile = index / t.shares % t.count;
  Task task;
  task.g = index / t.shares / t.count % k.p.groups;
  task.n = index / t.shares / t.count / k.p.groups;
  task.band0 = tile * t.bands;
  task.band1 = std::min(k.bands.count, task.band0 + t.bands);
  task.unit0 = k.units.count() * share / t.shares;
  task.unit1 = k.units.count() * (share + 1) / t.shares;
  return task;
}

template <class T>
Band<T> band_of(const Plan<T>& k, int64_t index) {
  const int64_t own = index % k.bands.per_slab;
  Band<T> b;
  b.slab = index / k.bands.per_slab;
  b.first = k.first_position(own);
  b.width = k.first_position(own + 1) - b.first;
  b.positions = std::min(b.width, k.slabs.positions - b.first);
  b.strip0 = k.bands.first_strip(k.slabs, own);
  b.strip1 = k.bands.first_strip(k.slabs, own + 1);
  return b;
}

// Where the positions of a band lie in the grid. Answers how many segments.
template <class T>
int64_t segments_of(const Plan<T>& k, const Band<T>& band, Segment<T>* out) {
  const int64_t row = k.planes.stride[1], plane = k.planes.stride[0], last = band.first + band.positions;
  int64_t found = 0;
  for (int64_t j = band.first; j < last;) {
    const int64_t d = k.slabs.count > 1 ? band.slab : j / plane;
    const int64_t h = (k.slabs.count > 1 ? j : j % plane) / row, w = j % row;
    const int64_t next = std::min(last, j - w + row);  // the next row of the grid
    const int64_t end = std::min(w + next - j, k.grid[2].un);
    if (w < end && h < k.grid[1].un) {
      out[found++] = {d + k.grid[0].u0, h + k.grid[1].u0, j - band.first, k.store.span(w, end)};
    }
    j = next;
  }
  return found;
}

// x of a band: its first position in channel 0, and from channel to channel.
template <class T>
struct Input {
  const T* x = nullptr;
  int64_t channel = 0;
  const T* ahead = nullptr;  // what the next band will read where this one reads x; null: nothing worth fetching
  int64_t ahead_channel = 0;
};

// Where x lies, or copied to the worker's panel.
template <class T>
Input<T> input_in_place(const Plan<T>& k, const Images<T>& images, const Task& task, const Band<T>& band, bool last,
                        const Worker<T>& worker) {
  const Problem& p = k.p;
  const int64_t bytes = bytes_of(p.types.x), step = p.x.axis[2];
  const bool same = size_of(p.types.x) == sizeof(T);
  const int64_t place = (images.first + task.n) * p.x.n + task.g * p.ci * p.x.c + band.first * step;
  const char* source = static_cast<const char*>(images.memory.x) + place * bytes;
  const T* from = reinterpret_cast<const T*>(source);
  if (band.positions == band.width && k.tiles.source == Source::kInPlace) return {from, p.x.c};
  if (p.x.c == 1 && step != 1) {
    k.moves.transpose_load(source, step, p.types.x, band.positions, p.ci, worker.panel, k.tiles.panel_pitch);
  } else {
    for (int64_t c = 0; c < p.ci; ++c) {
      k.moves.load(source + c * p.x.c * bytes, step, p.types.x, band.positions, worker.panel + c * k.tiles.panel_pitch);
    }
  }
  Input<T> in{worker.panel, k.tiles.panel_pitch};
  if (!last && step == 1 && same) {
    in.ahead = from + band.width;
    in.ahead_channel = p.x.c;
  }
  return in;
}

template <class T>
Input<T> input_padded(const Plan<T>& k, const Images<T>& images, const Task& task, const Band<T>& band,
                      int64_t panel_place, const Worker<T>& worker) {
  const int64_t place = band.slab * k.slabs.step + band.first;
  if (k.tiles.source == Source::kTilePanels) return {worker.panel + place - panel_place, k.tiles.panel_pitch};
  const int64_t plane = k.planes.plane;
  Input<T> in{images.scratch.planes + (task.n * k.p.groups + task.g) * k.p.ci * plane + place, plane};
  if (k.planes.last != 0) {
    in.ahead = in.x + k.planes.last + band.width;
    in.ahead_channel = plane;
  }
  return in;
}

// Taps of a list that meet the input along d in a slab.
struct TapRange {
  int64_t first, last;
};
template <class T>
TapRange real_taps(const Plan<T>& k, const TapList& list, int64_t slab) {
  if (k.slabs.count == 1) return {0, list.d_taps};
  const AxisPhases& d = k.grid[0];
  const int64_t row = slab + d.u0 - list.d_v0;
  const int64_t first = std::clamp<int64_t>(floor_div(row - d.i, d.v_step) + 1, 0, list.d_taps);
  return {first, std::clamp<int64_t>(floor_div(row, d.v_step) + 1, first, list.d_taps)};
}

// All rows of one unit for one strip: `vectors` of positions from in.x on.
template <class T>
void multiply(const Plan<T>& k, const Input<T>& in, const T* packed, const T* bias, int64_t slab, const Unit& u,
              int vectors, T* rows) {
  const int64_t lanes = k.moves.lanes;
  PositionsArgs<T> a;
  a.x_ci = in.channel;
  a.ci = k.p.ci;
  a.bias = bias;
  a.x_ahead_ci = in.ahead_channel;
  for (int32_t b = u.block0; b < u.block1; ++b) {
    const Block& block = at(k.units.blocks, b);
    const TapList& list = at(k.lists, block.list);
    const TapRange real = real_taps(k, list, slab);
    a.x_tap = list.x_tap.data() + real.first * list.hw_taps;
    a.taps = (real.last - real.first) * list.hw_taps;
    a.w = packed + block.weight + real.first * list.hw_taps * block.rows;
    a.w_ci = list.taps() * block.rows;
    a.row = k.row_place.data() + block.row;
    a.row_c = k.row_channel.data() + block.row;
    const bool fetch = in.ahead != nullptr && b == u.block0;
    const int most = std::min(kMostPositionVectors, k.moves.accumulators / block.rows);
    const int pieces = (vectors + most - 1) / most;
    for (int i = 0; i < pieces; ++i) {
      const int v0 = vectors * i / pieces, v1 = vectors * (i + 1) / pieces;
      a.x = in.x + v0 * lanes;
      a.x_ahead = fetch ? in.ahead + v0 * lanes : nullptr;
      a.out = rows + v0 * lanes;
      k.routines.block[block.rows - 1][v1 - v0 - 1](a);
    }
  }
}

template <class T>
void activate(const Plan<T>& k, const Unit& u, int64_t positions, T* rows) {
  const int64_t count = u.channels * (u.d1 - u.d0) * (u.h1 - u.h0) * k.grid[2].count();
  for (int64_t r = 0; r < count; ++r)
    k.moves.activate(k.p.epilogue.activation, rows + r * k.bands.width, positions + kMaxLanes);
}

// The units of a task in one band.
template <class T>
void run_band(const Plan<T>& k, const Images<T>& images, const Task& task, const Band<T>& band, Input<T> in,
              const Worker<T>& worker) {
  const T* packed = static_cast<const T*>(images.memory.packed) + task.g * k.units.weights;
  const T* bias = images.scratch.bias + task.g * k.p.co;
  for (int64_t u = task.unit0; u < task.unit1; ++u) {
    const Unit& unit = at(k.units.all, u);
    if (u != task.unit0) in.ahead = nullptr;
    for (int64_t s = band.strip0; s < band.strip1; ++s) {
      const int64_t v0 = k.slabs.first_vector(s), v1 = k.slabs.first_vector(s + 1);
      const int64_t place = v0 * k.moves.lanes - band.first;
      const Input<T> strip{in.x + place, in.channel, in.ahead ? in.ahead + place : nullptr, in.ahead_channel};
      multiply(k, strip, packed, bias, band.slab, unit, static_cast<int>(v1 - v0), worker.rows + kMaxLanes + place);
    }
    if (k.p.epilogue.activation.kind != Activation::kNone) activate(k, unit, band.width, worker.rows);
    finish(k, static_cast<char*>(images.memory.y), images.first + task.n, task.g, unit, band, worker);
  }
}

template <class T>
void run_task(const Plan<T>& k, const Images<T>& images, const Task& task, const Worker<T>& worker) {
  const Problem& p = k.p;
  int64_t panel_place = 0;  // of the panel's first column
  if (k.tiles.source == Source::kTilePanels) {
    const Places places = places_of(k.slabs, k.bands, k.planes, k.moves.lanes, task.band0, task.band1);
    panel_place = places.begin;
    const char* x = static_cast<const char*>(images.memory.x) + (images.first + task.n) * p.x.n * bytes_of(p.types.x);
    const PlanePart part{task.g * p.ci, (task.g + 1) * p.ci, places.begin, places.end};
    kit::plane_part(k.moves, p, k.planes, x, part, k.tiles.panel_pitch, worker.panel);
  }
  for (int64_t index = task.band0; index < task.band1; ++index) {
    Band<T> band = band_of(k, index);
    const Input<T> in = k.tiles.in_place() ? input_in_place(k, images, task, band, index + 1 == task.band1, worker)
                                           : input_padded(k, images, task, band, panel_place, worker);
    band.segments = segments_of(k, band, worker.segments);
    run_band(k, images, task, band, in, worker);
  }
  if (k.store.stream()) k.moves.fence();
}

}  // namespace

template <class T>
std::string describe(const Plan<T>& k) {
  const char* source = k.tiles.in_place()                      ? ", x in place"
                       : k.tiles.source == Source::kTilePanels ? ", padded panels"
                                                               : ", padded planes";
  return std::string("positions, ") + k.moves.name + source + ", " + std::to_string(k.units.count()) +
         " units of up to " + std::to_string(k.units.most_rows) + " rows, " + std::to_string(k.tiles.count) +
         " tiles of " + std::to_string(k.tiles.bands * k.bands.strips) + " strips" +
         (k.store.stream() ? ", streaming stores" : "");
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
  copy_bias(m.bias, k.p.groups * k.p.co, scratch.bias);
  for (int64_t n0 = 0; n0 < k.p.n; n0 += k.tiles.images) {
    const int64_t count = std::min(k.tiles.images, k.p.n - n0);
    if (k.tiles.source == Source::kPlanes) {
      const char* x = static_cast<const char*>(m.x) + n0 * k.p.x.n * bytes_of(k.p.types.x);
      if (!runner(kit::plane_tasks(k.p, count, k.threads), [&](int64_t i, int32_t) {
            kit::plane_task(k.moves, k.p, k.planes, x, k.threads, i, scratch.planes);
          })) {
        return runner_broke();
      }
    }
    const Images<T> images{m, scratch, n0};
    const bool ok = runner(count * k.p.groups * k.tiles.count * k.tiles.shares, [&](int64_t i, int32_t w) {
      Arena own(scratch.workers + w * scratch.worker_bytes);
      run_task(k, images, task_of(k, i), Worker<T>(k, own));
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

}  // namespace ctconv::native::positions
