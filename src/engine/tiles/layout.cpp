// SPDX-License-Identifier: Apache-2.0
// Cutting a problem; see layout.h.
#include "src/engine/tiles/layout.h"

#include <algorithm>
#include <cmath>

#include "src/base/checked.h"
#include "src/machine/machine.h"
#include "src/plan/workspace.h"

namespace ctconv::tiles {
namespace {

constexpr int64_t kMostRowCount = int64_t{1} << 18;  // channels times phases of a group
constexpr int64_t kMostTapCount = int64_t{1} << 20;  // of all lists together
constexpr int64_t kMostUnitRows = 128;               // all phases of d and h in one unit up to here
constexpr int64_t kLeastPositions = 96;              // of a slab that is cut for more tasks
constexpr int64_t kTasksPerThread = 4;
// In positions: what a row costs beside its own, long or short.
constexpr int64_t kFewPositions = 4;
constexpr double kRowCost = 0.2, kFewCost = 0.6;
constexpr int64_t kLeastBuffer = 512;     // values of the row store's stage
constexpr double kCacheShare = 0.6;       // of the second-level cache for what a task holds
constexpr double kBearableOverlap = 0.3;  // places of a panel that two tasks pack
constexpr int64_t kPlaneBytes = 8 << 20;  // planes packed at once, at least one image
constexpr double kMostWorkerBytes = 4.0 * (1 << 20);

// Products of counts stay small: extents, phases and taps of an axis, and places of a plane.
bool beyond_tables(const Problem& p) {
  constexpr int64_t kMost = (int64_t{1} << 31) - 1;
  double phases = 1, places = 1;
  for (const Axis& a : p.axis) {
    const int64_t reach = a.d * (a.k - 1);
    if (std::max({a.i, a.o, a.k, a.s, a.d, a.lo, -a.lo, reach}) > kMost) return true;
    phases *= static_cast<double>(a.i == 1 ? a.o : std::min(a.s, a.o));
    places *=
        static_cast<double>(a.i) + static_cast<double>(std::abs(a.lo) + a.o + reach) / static_cast<double>(a.s) + 4;
  }
  return phases * static_cast<double>(p.co) > static_cast<double>(kMostRowCount) || places > 0x1p40 ||
         static_cast<double>(p.taps()) > static_cast<double>(kMostTapCount);
}

TapList tap_list(const Problem& p, const kit::Grid& grid, const kit::Planes& planes,
                 const std::array<const kit::Phase*, 3>& phase) {
  TapList list;
  const kit::Phase &d = *phase[0], &h = *phase[1], &w = *phase[2];
  for (int64_t i = 0; i < d.taps; ++i) {
    for (int64_t j = 0; j < h.taps; ++j) {
      for (int64_t q = 0; q < w.taps; ++q) {
        list.x_tap.push_back(kChannels *
                             (planes.tap(grid, 0, d, i) + planes.tap(grid, 1, h, j) + planes.tap(grid, 2, w, q)));
        list.w_tap.push_back(i * grid[0].t_step * p.w.tap[0] + j * grid[1].t_step * p.w.tap[1] +
                             q * grid[2].t_step * p.w.tap[2]);
      }
    }
  }
  return list;
}

// For every combination of tap lists of the three axes.
std::vector<TapList> lists_of(const Problem& p, const kit::Grid& grid, const kit::Planes& planes) {
  std::array<std::vector<const kit::Phase*>, 3> sample;
  for (size_t a = 0; a < 3; ++a) {
    sample[a].resize(static_cast<size_t>(grid[a].tap_lists));
    for (const kit::Phase& f : grid[a].phases) at(sample[a], f.tap_list) = &f;
  }
  std::vector<TapList> lists;
  for (const kit::Phase* d : sample[0]) {
    for (const kit::Phase* h : sample[1]) {
      for (const kit::Phase* w : sample[2]) lists.push_back(tap_list(p, grid, planes, {d, h, w}));
    }
  }
  return lists;
}

// The rows of a unit, those of each tap list together: by phase, then by channel.
std::vector<std::vector<Row>> rows_by_list(const kit::Grid& grid, const RowUnit& u, size_t lists) {
  std::vector<std::vector<Row>> rows(lists);
  const auto ws = static_cast<int32_t>(grid[2].count());
  for (int32_t d = u.d0; d < u.d1; ++d) {
    for (int32_t h = u.h0; h < u.h1; ++h) {
      const int64_t dh = grid[0].phase(d).tap_list * grid[1].tap_lists + grid[1].phase(h).tap_list;
      for (int32_t w = 0; w < ws; ++w) {
        std::vector<Row>& list = at(rows, dh * grid[2].tap_lists + grid[2].phase(w).tap_list);
        for (int32_t c = u.c0; c < u.c0 + u.channels; ++c) list.push_back({c, d, h, w});
      }
    }
  }
  return rows;
}

std::array<Range, 3> hull_of(const kit::Grid& grid, std::span<const Row> rows) {
  std::array<Range, 3> hull;
  for (size_t a = 0; a < 3; ++a) {
    hull[a] = {grid[a].u0 + grid[a].un, grid[a].u0};
    for (const Row& row : rows) {
      const kit::Phase& f = grid[a].phase(a == 0 ? row.d : a == 1 ? row.h : row.w);
      hull[a] = {std::min(hull[a].begin, f.u_begin), std::max(hull[a].end, f.u_end)};
    }
  }
  return hull;
}

void append_blocks(const Layout& k, RowUnit& u, Units& units) {
  u.block0 = static_cast<int32_t>(units.blocks.size());
  const auto rows_of = rows_by_list(k.grid, u, k.lists.size());
  for (int64_t list = 0; list < std::ssize(k.lists); ++list) {
    const std::vector<Row>& rows = at(rows_of, list);
    for (int64_t r = 0; r < std::ssize(rows); r += kRows) {
      RowBlock b;
      b.list = static_cast<int32_t>(list);
      b.row = static_cast<int32_t>(units.rows.size());
      b.rows = static_cast<int32_t>(std::min(kRows, std::ssize(rows) - r));
      b.weight = units.weights;
      b.u = hull_of(k.grid, {rows.data() + r, static_cast<size_t>(b.rows)});
      units.weights += b.halves() * kTile * k.chunk_parts() * at(k.lists, list).taps();
      units.rows.insert(units.rows.end(), rows.begin() + r, rows.begin() + r + b.rows);
      units.blocks.push_back(b);
    }
  }
  u.block1 = static_cast<int32_t>(units.blocks.size());
}

Units units_of(const Layout& k) {
  const int64_t ds = k.grid[0].count(), hs = k.grid[1].count(), ws = k.grid[2].count();
  const bool whole = k.p.co * ds * hs * ws <= kMostUnitRows;
  const int64_t pairs = whole ? 1 : ds * hs;
  Units units;
  for (int64_t c0 = 0; c0 < k.p.co; c0 += kRows) {
    for (int64_t pair = 0; pair < pairs; ++pair) {
      const int64_t d = whole ? 0 : pair / hs, h = whole ? 0 : pair % hs;
      RowUnit u;
      u.c0 = static_cast<int32_t>(c0);
      u.channels = static_cast<int32_t>(std::min(kRows, k.p.co - c0));
      u.d0 = static_cast<int32_t>(d);
      u.d1 = static_cast<int32_t>(whole ? ds : d + 1);
      u.h0 = static_cast<int32_t>(h);
      u.h1 = static_cast<int32_t>(whole ? hs : h + 1);
      append_blocks(k, u, units);
      units.most_rows = std::max(units.most_rows, u.channels * (whole ? ds * hs : 1) * ws);
      units.all.push_back(u);
    }
  }
  return units;
}

// Rows without the padding between them, where their positions cost less than all places.
bool sums_by_rows(const Layout& k) {
  if (!k.unit->short_rows || k.grid[0].un * k.grid[1].un == 1) return false;
  double rows = 0, places = 0;
  for (const RowBlock& b : k.units.blocks) {
    const double taps = static_cast<double>(at(k.lists, b.list).taps());
    const int64_t width = b.u[2].end - b.u[2].begin;
    const double one = static_cast<double>(width) + (width < kFewPositions ? kFewCost : kRowCost);
    rows += taps * one * static_cast<double>((b.u[0].end - b.u[0].begin) * (b.u[1].end - b.u[1].begin));
    places += taps * static_cast<double>(k.p.n > 1 ? k.image_places() : k.planes.positions);
  }
  return rows < places;
}

int64_t even(int64_t count, int64_t pieces, int64_t step) {
  return std::min(count, ceil_div(ceil_div(count, pieces), step) * step);
}

// Slabs whose lines and sums stay in the second-level cache; more of them, or shares of the units, for more threads.
Slabs slabs_of(const Layout& k) {
  Slabs s;
  const int64_t step = k.unit->step, line = k.chunk_parts() * kChannels * 2;
  const int64_t rows = (kRows + (k.runs ? 0 : k.units.most_rows)) * static_cast<int64_t>(sizeof(float));
  const auto cache = static_cast<int64_t>(kCacheShare * static_cast<double>(std::max(machine().l2, 2 * machine().l1)));
  const int64_t fits = std::max(2 * step, std::max(cache - k.planes.last * line, cache / 2) / (line + rows));
  s.images = std::clamp<int64_t>(fits / k.image_places(), 1, k.p.n);
  s.images = ceil_div(k.p.n, ceil_div(k.p.n, s.images));
  const int64_t all = (s.images - 1) * k.image_places() + k.planes.positions;
  const int64_t groups = ceil_div(k.p.n, s.images) * k.p.groups;
  int64_t count = ceil_div(all, fits);
  const int64_t wanted = k.threads == 1 ? 1 : kTasksPerThread * k.threads;
  if (s.images == 1 && groups * count < wanted) {
    count = std::max(count, std::min(ceil_div(wanted, groups), std::max<int64_t>(1, all / kLeastPositions)));
  }
  if (s.images > 1) count = 1;
  const int64_t row = k.planes.stride[1];
  s.positions = even(all, count, k.by_rows && row < fits && s.images == 1 ? row : step);
  s.count = ceil_div(all, s.positions);
  const int64_t tasks = groups * s.count;
  if (tasks < wanted) s.shares = std::min(k.units.count(), ceil_div(wanted, tasks));
  const bool overlap = static_cast<double>(k.planes.last) > kBearableOverlap * static_cast<double>(s.positions);
  s.own_panel = s.shares == 1 && (!overlap || s.count == 1);
  s.pitch = ((s.own_panel ? s.positions : all) + k.planes.last + step) | 1;
  const int64_t stack = k.p.groups * line * s.pitch;
  s.packed =
      s.own_panel ? ceil_div(k.p.n, s.images) : std::clamp<int64_t>(kPlaneBytes / stack, 1, ceil_div(k.p.n, s.images));
  return s;
}

}  // namespace

Result<std::unique_ptr<Layout>> lay_out(const char* engine, const Problem& p, const PlanContext& context,
                                        const Unit& unit, Split split) {
  const auto no = [engine](const char* why) { return refuse(std::string(engine) + ": " + why); };
  if (beyond_tables(p)) return no("more phases, taps, channels or padding than its tables hold");
  const kit::Grid grid = kit::grid_of(p);
  const kit::Moves<float> moves = kit::moves<float>();
  if (moves.lanes == 0) return no("this CPU has no fused multiply-add on vectors");
  const bool runs = p.y.c == 1 && p.co > 1;
  auto made = std::make_unique<Layout>(Layout{.p = p,
                                              .unit = &unit,
                                              .split = std::move(split),
                                              .moves = moves,
                                              .lines = lines(),
                                              .threads = std::max(1, context.threads),
                                              .grid = grid,
                                              .planes = kit::planes_of(grid, unit.step, 1),
                                              .runs = runs,
                                              .store = {moves, grid[2], p.types.y, p.y.axis[2], 1, false, 0}});
  Layout& k = *made;
  k.chunks = ceil_div(p.ci, kChannels);
  k.pairs = ceil_div(p.ci - (k.chunks - 1) * kChannels, int64_t{2});
  k.lists = lists_of(p, grid, k.planes);
  k.units = units_of(k);
  k.by_rows = sums_by_rows(k);
  k.slabs = slabs_of(k);
  k.row_pitch = k.slabs.positions + 2 * kit::kMaxLanes;
  k.room = std::max(kLeastBuffer, grid[2].s * (std::min(k.slabs.positions, grid[2].un) + 2 + 2 * kit::kMaxLanes));
  const double rows = runs ? 0 : static_cast<double>(k.units.most_rows * k.row_pitch);
  if ((rows + 2 * static_cast<double>(k.room)) * sizeof(float) > kMostWorkerBytes) {
    return no("too many phases or channels in a row of sums");
  }
  k.store = kit::RowStore<float>(moves, grid[2], p.types.y, p.y.axis[2], 1, false, k.room);
  k.seconds = expected_seconds(k);
  return made;
}

}  // namespace ctconv::tiles
