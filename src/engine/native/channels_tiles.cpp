// SPDX-License-Identifier: Apache-2.0
// How the form "channels" is cut into tasks, and what it is expected to cost; see channels.h.
//
//   in:  lanes, triples, blocks
//   out: tiles of positions, copies, seconds
#include "src/engine/native/channels_tiles.h"

#include <algorithm>
#include <cmath>

#include "src/engine/native/costs.h"

namespace ctconv::native::channels {
namespace {

// What a call has to do, for the choice of tiles.
struct Work {
  int64_t positions = 0;  // of the images at hand
  int64_t repeats = 0;    // pairs of unit and block, groups, batches of images: each goes over the positions
  double cycles = 0;      // of one of them
  int32_t threads = 1;
};

// A few tasks for every thread, each some microseconds at least; fewer where they come out even.
bool enough_tasks(const Work& work, int64_t tasks) {
  if (work.threads == 1 || tasks >= kManyTasks * work.threads) return true;
  const int64_t rounds = ceil_div(tasks, work.threads);
  const bool even = static_cast<double>(tasks) >= kEven * static_cast<double>(rounds * work.threads);
  if (tasks >= kSomeTasks * work.threads && even) return true;
  // Each task makes its tables.
  return static_cast<double>(tasks) * kTablesShare * kTaskCycles >= work.cycles * static_cast<double>(work.repeats);
}

// Positions per tile: sums of all triples of a unit fit the second-level cache, and every thread gets several tasks.
int64_t tile_positions(const Work& work, int64_t sums_bytes) {
  int64_t most = std::clamp<int64_t>(in_l2(kTileBytes) / sums_bytes, kLeastTile, kMostTile);
  while (most > kHalvedTile && !enough_tasks(work, work.repeats * ceil_div(work.positions, most))) {
    most = (most + 1) / 2;
  }
  return most;
}

// A box of at most `most` positions, long along w first, and how many of them cover the grid.
void cut(const std::array<int64_t, 4>& extent, int64_t most, Tiles& t) {
  for (size_t k = 4; k-- > 0;) {
    const int64_t pieces = ceil_div(extent[k], std::max<int64_t>(1, std::min(most, extent[k])));
    t.step[k] = ceil_div(extent[k], pieces);
    t.count[k] = ceil_div(extent[k], t.step[k]);
    most /= t.step[k];
  }
  t.positions = t.step[0] * t.step[1] * t.step[2] * t.step[3];
}

// Input rows that `count` positions of an axis read.
int64_t rows_read(const AxisPhases& a, int64_t count) {
  const Phase& p = a.phase(0);
  return std::min(a.i, (count - 1) * a.step + (p.taps - 1) * a.v_step + 1);
}

int64_t panel_elements(const Grid& grid, const Tiles& t, int64_t pitch) {
  return t.step[0] * rows_read(grid[0], t.step[1]) * rows_read(grid[1], t.step[2]) * rows_read(grid[2], t.step[3]) *
         pitch;
}

}  // namespace

template <class T>
void lay_panel(const Given<T>& given, const Tiles& t, Source* x) {
  const Grid& grid = given.grid;
  const int64_t w = x->pitch, h = w * rows_read(grid[2], t.step[3]), d = h * rows_read(grid[1], t.step[2]);
  x->stride = {d * rows_read(grid[0], t.step[1]), 0, d, h, w};
  x->panel = panel_elements(grid, t, x->pitch);
}

template <class T>
Tiles tiles_of(const Given<T>& given, const Lanes& lanes, const Source& source, const Triples& triples,
               const std::vector<Block>& blocks) {
  const Problem& p = given.p;
  const auto size = static_cast<double>(sizeof(T));
  Tiles t;
  const double limit = std::min(kCopyBytes, static_cast<double>(given.context.workspace_limit) / 2);
  const double fits = limit / (static_cast<double>(source.image) * size);
  t.images = source.in_place || source.panel != 0 ? p.n : std::clamp<int64_t>(static_cast<int64_t>(fits), 1, p.n);
  for (const Block& b : blocks) t.widest = std::max(t.widest, b.vectors * given.lanes());

  const std::array<int64_t, 4> extent{t.images, given.grid[0].un, given.grid[1].un, given.grid[2].un};
  const int64_t units = std::ssize(triples.units);
  const int64_t taps = triples.weights / (p.ci * lanes.padded);  // of all triples
  Work work;
  work.threads = given.threads();
  work.positions = extent[0] * extent[1] * extent[2] * extent[3];
  work.repeats = p.groups * units * std::ssize(blocks) * ceil_div(p.n, t.images);
  work.cycles = static_cast<double>(work.positions * t.widest / given.lanes()) *
                static_cast<double>(p.ci * taps / units + kPositionSteps);
  if (source.panel != 0) work.repeats = p.groups;  // a task goes over all blocks
  int64_t most = tile_positions(work, triples.most_in_unit * t.widest * static_cast<int64_t>(sizeof(T)));
  cut(extent, most, t);
  while (source.panel != 0 && most > kLeastTile &&
         panel_elements(given.grid, t, source.pitch) * static_cast<int64_t>(sizeof(T)) > in_l2(kPanelTileBytes)) {
    most = (most + 1) / 2;
    cut(extent, most, t);
  }
  t.weights_outer = p.groups * triples.weights > p.n * source.image;
  const double copies = static_cast<double>(t.images * source.image) * work.threads;
  t.own_copy = !source.in_place && source.panel == 0 && t.weights_outer && work.threads > 1 && t.images == p.n &&
               copies * size <= std::min(kOwnCopies, limit) &&
               copies * kTransposeCycles <= kOwnCopyShare * work.cycles * static_cast<double>(work.repeats);
  return t;
}

namespace {

// Adds the cycles of one triple, all images.
template <class T>
void add_cycles(const Plan<T>& k, const Triple& t, double& cycles) {
  const std::array<int32_t, 3> phase{t.d, t.h, t.w};
  double steps = 1, positions = 1, boxes = 1, taps = 1;  // steps: (position, tap) pairs
  for (size_t a = 0; a < 3; ++a) {
    double pairs = 0;
    int64_t range = 0;
    const std::vector<Stretch>& stretches = at(k.triples.stretches[a], phase[a]);
    boxes *= static_cast<double>(stretches.size());
    taps *= static_cast<double>(k.grid[a].phase(phase[a]).taps);
    for (const Stretch& s : stretches) {
      pairs += static_cast<double>((s.u_end - s.u_begin) * (s.j_end - s.j_begin));
      range += s.u_end - s.u_begin;
    }
    steps *= pairs;
    positions *= static_cast<double>(range);
  }
  const auto images = static_cast<double>(k.p.n);
  // Positions of equal taps, whose sums share a block; a few images lie in one tile.
  const double alike = std::max(1.0, positions * static_cast<double>(k.tiles.step[0]) / std::max(1.0, boxes));
  cycles += images / static_cast<double>(k.tiles.step[0]) * boxes * steps / std::max(1.0, positions) * kTapTableCycles;
  // Few of many taps are real, each time others: their weights come from afar, one by one.
  const bool scattered = steps < kFewRealTaps * taps * positions && packed_size(k) > static_cast<size_t>(machine().l2);
  for (const Block& b : k.blocks) {
    const double most = k.routines.rows(b.vectors), m = alike / std::ceil(alike / most);
    const double busy = on_ports(std::max(m * b.vectors * kFmaCycles, kBroadcastCycles * m + b.vectors));
    const double step = std::max(busy, scattered ? b.vectors * kScatteredWeightCycles : kChainCycles);
    cycles += images * (steps * static_cast<double>(k.p.ci) * step + positions * kBoxCallCycles) / m;
    cycles += images * positions * b.vectors * (k.direct ? kDirectCycles : kSumsCycles);
  }
  if (!k.lanes.runs) {
    const double transpose = kTransposeCycles * (k.store.contiguous() ? 1 : kScatteredTranspose);
    cycles += images * positions * static_cast<double>(k.lanes.rows) *
              (transpose + kTileRowCycles / static_cast<double>(k.grid[2].o));
  } else if (k.lanes.inner) {
    const double runs = static_cast<double>(k.lanes.rows) / static_cast<double>(k.lanes.run);
    if (!k.direct && k.lanes.run < k.moves.lanes) cycles += images * positions * runs * kRunCycles;
  } else {
    const double run = kRunCycles + static_cast<double>(k.lanes.phases) / k.moves.lanes * kRunVectorCycles;
    cycles += images * positions * static_cast<double>(k.p.co) * run;
  }
}

}  // namespace

template <class T>
double seconds_of(const Plan<T>& k) {
  double cycles = 0;
  for (const Triple& t : k.triples.all) add_cycles(k, t, cycles);
  cycles *= static_cast<double>(k.p.groups);
  const auto tiles = static_cast<double>(k.tiles.per_images(k.p.n) * k.p.groups);
  if (k.source.panel != 0) {
    cycles += tiles * static_cast<double>(k.source.panel) * kTransposeCycles;
  } else if (!k.source.in_place) {
    cycles += static_cast<double>(k.p.in_elements()) * kTransposeCycles * kCopiedTranspose;
  }
  const double tasks = k.source.panel != 0 ? tiles : tiles * static_cast<double>(k.pairs());
  return call_seconds(cycles / std::min<double>(k.threads, tasks), k.p, k.threads);
}

template void lay_panel(const Given<float>&, const Tiles&, Source*);
template void lay_panel(const Given<double>&, const Tiles&, Source*);
template Tiles tiles_of(const Given<float>&, const Lanes&, const Source&, const Triples&, const std::vector<Block>&);
template Tiles tiles_of(const Given<double>&, const Lanes&, const Source&, const Triples&, const std::vector<Block>&);
template double seconds_of(const Plan<float>&);
template double seconds_of(const Plan<double>&);

}  // namespace ctconv::native::channels
