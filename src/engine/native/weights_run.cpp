// SPDX-License-Identifier: Apache-2.0
// Running the weight gradient; see weights.h.
//
//   in:  x, y by their strides
//   out: w, and the bias where it is wanted
#include <algorithm>
#include <cstring>

#include "src/engine/native/form.h"
#include "src/engine/native/weights.h"

namespace ctconv::native::weights {
namespace {

// One worker's memory.
template <class T>
struct Worker {
  T *x, *y, *part, *sum;
  int64_t *lane_at, *row_at, *tap_at, *tap_out;

  Worker(const Plan<T>& k, Arena& arena) {
    x = arena.take<T>(k.x.most);
    y = arena.take<T>(k.y.most);
    part = arena.take<T>(k.by_chains ? 0 : k.tile_sums());
    sum = arena.take<T>(k.tile_sums() + k.moves.lanes);  // box_out reads whole vectors
    lane_at = arena.take<int64_t>(k.box_places);
    row_at = arena.take<int64_t>(k.box_places);
    tap_at = arena.take<int64_t>(k.taps());
    tap_out = arena.take<int64_t>(k.taps());
  }
};

template <class T>
struct Scratch {
  char* workers;
  T *parts, *bias;
  int64_t worker_bytes;

  Scratch(const Plan<T>& k, Arena& arena) {
    worker_bytes = static_cast<int64_t>(bytes_taken<Worker<T>>(k));
    workers = arena.take<char>(k.threads * worker_bytes);
    parts = arena.take<T>(k.by_chains ? k.tiles() * k.chains * k.tile_sums() : 0);
    bias = arena.take<T>(k.p.epilogue.bias ? bias_scratch<T>(k.p, k.threads) : 0);
  }
  Worker<T> worker(const Plan<T>& k, int64_t index) const {
    Arena own(workers + index * worker_bytes);
    return Worker<T>(k, own);
  }
};

// Weights of one task: lanes and rows of a group.
struct Tile {
  int64_t g, lane0, lanes, row0, rows;
};

template <class T>
Tile tile_of(const Plan<T>& k, int64_t index) {
  Tile t;
  t.lane0 = index % k.lane_tiles * k.lane_tile;
  t.row0 = index / k.lane_tiles % k.row_tiles * k.row_tile;
  t.g = index / k.lane_tiles / k.row_tiles;
  t.lanes = std::min(k.lanes - t.lane0, k.lane_tile);
  t.rows = std::min(k.rows - t.row0, k.row_tile);
  return t;
}

// A side of a box as it can be read: element (n, c, d, h, w) lies at data + their strides - origin.
template <class T>
struct View {
  const T* data;
  std::array<int64_t, 5> stride;  // n, c, d, h, w
  int64_t origin = 0;
};

// rows: n and the ranges of d, h, w; channels: those of the tile.
template <class T>
View<T> view_of(const Plan<T>& k, const Side& side, const void* operand, Dtype type, const Box& rows,
                const Range& channels, T* panel) {
  const auto& from = side.outside;
  const int64_t first = channels.begin * from[1];
  if (side.in_place) return {static_cast<const T*>(operand) + first, from, 0};
  View<T> v{panel, {}, 0};
  int64_t step = side.inner ? side.pitch : 1;
  constexpr std::array<size_t, 4> kDims{0, 2, 3, 4};  // of Box's four in the five strides
  for (size_t a = 4; a-- > 0;) {
    v.stride[kDims[a]] = step;
    step *= rows[a].size();
  }
  v.stride[1] = side.inner ? 1 : step;
  kit::Box box;
  int64_t place = first;
  for (size_t a = 0; a < 4; ++a) {
    box[a] = {rows[a].size(), from[kDims[a]], v.stride[kDims[a]]};
    place += rows[a].begin * from[kDims[a]];
    v.origin += rows[a].begin * v.stride[kDims[a]];
  }
  box[4] = {channels.size(), from[1], v.stride[1]};
  kit::box_in(k.moves, static_cast<const char*>(operand) + place * bytes_of(type), type, box, panel);
  return v;
}

// Taps in a row that meet y at the same inputs of a box's range.
struct Run {
  int64_t begin = 0, end = 0;  // taps
  Range inputs;
};

Range inputs_of(const Axis& a, int64_t t, const Range& within) {
  const int64_t at = t * a.d - a.lo;  // output of input 0
  return {std::max(within.begin, ceil_div(-at, a.s)), std::min(within.end, floor_div(a.o - 1 - at, a.s) + 1)};
}

Run run_at(const Axis& a, int64_t t, const Range& within) {
  Run run{t, t + 1, inputs_of(a, t, within)};
  for (; run.end < a.k; ++run.end) {
    const Range next = inputs_of(a, run.end, within);
    if (next.begin != run.inputs.begin || next.end != run.inputs.end) break;
  }
  return run;
}

// One box of one tile.
template <class T>
struct Step {
  const Plan<T>& k;
  const Tile& tile;
  const Box& box;
  View<T> x, y;
  const Worker<T>& worker;
  T* part;
};

// Places that all taps of three runs meet. Answers how many.
template <class T>
int64_t list_places(const Step<T>& s, const std::array<Run, 3>& runs) {
  const auto& axis = s.k.p.axis;
  const auto &x = s.x.stride, &y = s.y.stride;
  int64_t* const x_at = s.k.lanes_x ? s.worker.lane_at : s.worker.row_at;
  int64_t* const y_at = s.k.lanes_x ? s.worker.row_at : s.worker.lane_at;
  int64_t found = 0;
  for (int64_t n = s.box[0].begin; n < s.box[0].end; ++n) {
    for (int64_t d = runs[0].inputs.begin; d < runs[0].inputs.end; ++d) {
      for (int64_t h = runs[1].inputs.begin; h < runs[1].inputs.end; ++h) {
        const int64_t x_row = n * x[0] + d * x[2] + h * x[3] - s.x.origin;
        const int64_t y_row = n * y[0] + (d * axis[0].s - axis[0].lo) * y[2] + (h * axis[1].s - axis[1].lo) * y[3] -
                              axis[2].lo * y[4] - s.y.origin;
        for (int64_t w = runs[2].inputs.begin; w < runs[2].inputs.end; ++w, ++found) {
          x_at[found] = x_row + w * x[4];
          y_at[found] = y_row + w * axis[2].s * y[4];
        }
      }
    }
  }
  return found;
}

// The taps of three runs: places in y counted from tap 0, and in the sums. Answers how many.
template <class T>
int64_t list_taps(const Step<T>& s, const std::array<Run, 3>& runs) {
  const auto& axis = s.k.p.axis;
  const auto& y = s.y.stride;
  const int64_t sums = s.k.row_tile * s.k.lane_tile;
  int64_t found = 0;
  for (int64_t i = runs[0].begin; i < runs[0].end; ++i) {
    for (int64_t j = runs[1].begin; j < runs[1].end; ++j) {
      for (int64_t q = runs[2].begin; q < runs[2].end; ++q) {
        s.worker.tap_at[found] = i * axis[0].d * y[2] + j * axis[1].d * y[3] + q * axis[2].d * y[4];
        s.worker.tap_out[found++] = ((i * axis[1].k + j) * axis[2].k + q) * sums;
      }
    }
  }
  return found;
}

// Rows of sums that share their lanes: rows of the tile for each of `taps` taps, from tap `first` on.
template <class T>
void multiply(const Step<T>& s, OuterArgs<T> a, int64_t first, int64_t taps) {
  const Plan<T>& k = s.k;
  const int64_t vector = k.moves.lanes, vectors = ceil_div(s.tile.lanes, vector);
  const int64_t widest = k.moves.accumulators >= 24 ? kMostOuterVectors : 2, pieces = ceil_div(vectors, widest);
  const int64_t entries = taps * s.tile.rows, between = (k.lanes_x ? s.y : s.x).stride[1];
  const T *const lanes = a.lanes, *const rows = a.rows;
  int64_t row[kMostOuterRows], out[kMostOuterRows];
  a.row = row;
  a.out = out;
  for (int64_t piece = 0; piece < pieces; ++piece) {
    const int64_t v0 = vectors * piece / pieces, wide = vectors * (piece + 1) / pieces - v0;
    const int64_t blocks = ceil_div(entries, k.routines.most_rows(wide));
    a.lanes = lanes + v0 * vector;
    if (k.pairs) a.rows = rows + v0 * vector;
    a.sums = s.part + v0 * vector;
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t e0 = entries * b / blocks, e1 = entries * (b + 1) / blocks;
      for (int64_t e = e0; e < e1; ++e) {
        const int64_t tap = first + e / s.tile.rows, r = e % s.tile.rows;
        row[e - e0] = (k.lanes_x ? s.worker.tap_at[tap] : 0) + r * between;
        out[e - e0] = s.worker.tap_out[tap] + r * k.lane_tile;
      }
      k.routines.block[k.pairs ? 1 : 0][e1 - e0 - 1][wide - 1](a);
    }
  }
}

// All taps of three runs.
template <class T>
void add_runs(const Step<T>& s, const std::array<Run, 3>& runs) {
  for (const Run& r : runs) {
    if (r.inputs.size() <= 0) return;
  }
  OuterArgs<T> a{};
  a.places = list_places(s, runs);
  a.lane_at = s.worker.lane_at;
  a.row_at = s.worker.row_at;
  const int64_t taps = list_taps(s, runs);
  if (s.k.lanes_x) {
    a.lanes = s.x.data;
    a.rows = s.y.data;
    return multiply(s, a, 0, taps);
  }
  a.rows = s.x.data;
  for (int64_t t = 0; t < taps; ++t) {
    a.lanes = s.y.data + s.worker.tap_at[t];
    multiply(s, a, t, 1);
  }
}

template <class T>
void add_box(const Plan<T>& k, const Operands& m, const Tile& tile, const Box& box, const Worker<T>& worker, T* part) {
  const Problem& p = k.p;
  const auto channels = [&](bool lanes, int64_t of_group) -> Range {
    const int64_t first = k.pairs ? tile.lane0 : tile.g * of_group + (lanes ? tile.lane0 : tile.row0);
    return {first, first + (k.pairs || lanes ? tile.lanes : tile.rows)};
  };
  const Box reach{box[0], reached(p.axis[0], box[1]), reached(p.axis[1], box[2]), reached(p.axis[2], box[3])};
  for (size_t a = 1; a < 4; ++a) {
    if (reach[a].size() == 0) return;
  }
  const Step<T> s{k,
                  tile,
                  box,
                  view_of(k, k.x, m.x, p.types.x, box, channels(k.lanes_x, p.ci), worker.x),
                  view_of(k, k.y, m.y, p.types.y, reach, channels(!k.lanes_x, p.co), worker.y),
                  worker,
                  part};
  std::array<Run, 3> runs;
  for (int64_t d = 0; d < p.axis[0].k; d = runs[0].end) {
    runs[0] = run_at(p.axis[0], d, box[1]);
    for (int64_t h = 0; h < p.axis[1].k; h = runs[1].end) {
      runs[1] = run_at(p.axis[1], h, box[2]);
      for (int64_t w = 0; w < p.axis[2].k; w = runs[2].end) {
        runs[2] = run_at(p.axis[2], w, box[3]);
        add_runs(s, runs);
      }
    }
  }
}

// The part of one chain.
template <class T>
void sum_chain(const Plan<T>& k, const Operands& m, const Tile& tile, int64_t chain, const Worker<T>& worker, T* part) {
  const std::array<int64_t, 4> extent{k.p.n, k.p.axis[0].i, k.p.axis[1].i, k.p.axis[2].i};
  const int64_t end = std::min(k.places, (chain + 1) * kChainTerms);
  std::memset(part, 0, static_cast<size_t>(k.tile_sums()) * sizeof(T));
  for (int64_t place = chain * kChainTerms; place < end;) {
    const Box box = next_box(extent, place, end, k.box_places);
    add_box(k, m, tile, box, worker, part);
    place += places_of(box);
  }
}

template <class T>
void add_part(const T* part, int64_t count, T* sum) {
  for (int64_t e = 0; e < count; ++e) sum[e] = sum[e] + part[e];
}

// The sums of a tile into w.
template <class T>
void store_tile(const Plan<T>& k, const Operands& m, const Tile& tile, const T* sum) {
  const Problem& p = k.p;
  const int64_t lane = k.pairs ? p.w.g : k.lanes_x ? p.w.ci : p.w.co, row = k.lanes_x ? p.w.co : p.w.ci;
  const int64_t sums = k.row_tile * k.lane_tile;
  kit::Box box;
  box[0] = {tile.lanes, lane, 1};
  box[1] = {tile.rows, row, k.lane_tile};
  int64_t step = sums;
  for (size_t a = 3; a-- > 0;) {
    box[a + 2] = {p.axis[a].k, p.w.tap[a], step};
    step *= p.axis[a].k;
  }
  const int64_t place = tile.g * (k.pairs ? 0 : p.w.g) + tile.lane0 * lane + tile.row0 * row;
  kit::box_out(k.moves, sum, box, p.types.w, static_cast<char*>(m.w) + place * bytes_of(p.types.w));
}

// Tiles over all chains.
template <class T>
void run_tile(const Plan<T>& k, const Operands& m, int64_t index, const Worker<T>& worker) {
  const Tile tile = tile_of(k, index);
  std::memset(worker.sum, 0, static_cast<size_t>(k.tile_sums()) * sizeof(T));
  for (int64_t chain = 0; chain < k.chains; ++chain) {
    sum_chain(k, m, tile, chain, worker, worker.part);
    add_part(worker.part, k.tile_sums(), worker.sum);
  }
  store_tile(k, m, tile, worker.sum);
}

// Parts of all chains, then their sums.
template <class T>
bool run_chains(const Plan<T>& k, const Operands& m, const Scratch<T>& scratch, const Runner& runner) {
  const bool counted = runner(k.tiles() * k.chains, [&](int64_t i, int32_t w) {
    sum_chain(k, m, tile_of(k, i / k.chains), i % k.chains, scratch.worker(k, w), scratch.parts + i * k.tile_sums());
  });
  return counted && runner(k.tiles(), [&](int64_t i, int32_t w) {
           const Worker<T> worker = scratch.worker(k, w);
           std::memset(worker.sum, 0, static_cast<size_t>(k.tile_sums()) * sizeof(T));
           const T* part = scratch.parts + i * k.chains * k.tile_sums();
           for (int64_t c = 0; c < k.chains; ++c) add_part(part + c * k.tile_sums(), k.tile_sums(), worker.sum);
           store_tile(k, m, tile_of(k, i), worker.sum);
         });
}

}  // namespace

template <class T>
std::string describe(const Plan<T>& k) {
  const char* lanes = k.pairs ? "groups" : k.lanes_x ? "input channels" : "output channels";
  return std::string("weight gradient, ") + k.moves.name + ", lanes over " + lanes +
         (k.x.in_place ? ", x in place" : ", x in panels") + (k.y.in_place ? ", y in place" : ", y in panels") +
         ", boxes of " + std::to_string(k.box_places) + " places, " + std::to_string(k.tiles()) + " tiles" +
         (k.by_chains ? " x " + std::to_string(k.chains) + " chains" : "");
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
  if (k.p.epilogue.bias && m.bias != nullptr) {
    CTCONV_RETURN_IF_ERROR(sum_bias(k.p, k.moves, m, scratch.bias, runner));
  }
  if (m.w == nullptr) return {};
  if (k.by_chains) return run_chains(k, m, scratch, runner) ? Status() : runner_broke();
  const bool ok = runner(k.tiles(), [&](int64_t i, int32_t w) { run_tile(k, m, i, scratch.worker(k, w)); });
  return ok ? Status() : runner_broke();
}

template std::string describe(const Plan<float>&);
template std::string describe(const Plan<double>&);
template size_t scratch_size(const Plan<float>&);
template size_t scratch_size(const Plan<double>&);
template Status compute(const Plan<float>&, const Operands&, const Runner&);
template Status compute(const Plan<double>&, const Operands&, const Runner&);

}  // namespace ctconv::native::weights
