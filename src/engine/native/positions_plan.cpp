// SPDX-License-Identifier: Apache-2.0
// Planning the form "positions": tap lists, slabs, units, bands; positions_tiles.cpp shares them out. See positions.h.
//
//   in:  a problem and its grid
//   out: a Plan, or null
#include <algorithm>

#include "src/engine/native/costs.h"
#include "src/engine/native/limits.h"
#include "src/engine/native/positions.h"
#include "src/engine/native/positions_tiles.h"

namespace ctconv::native::positions {
namespace {

// No tap leaves the input and positions lie evenly: strips of x are read where they are, or copied to a panel each.
bool reads_in_place(const Problem& p, const Grid& grid) {
  int64_t stride = p.x.axis[2];
  for (size_t a = 3; a-- > 0;) {
    if (grid[a].v_max != 0 || grid[a].u0 != 0 || grid[a].un != p.axis[a].i) return false;
    if (p.axis[a].i > 1 && p.x.axis[a] != stride) return false;
    stride *= p.axis[a].i;
  }
  return p.axis[2].i > 1;
}

// Every table and planning loop of the form: a row for each channel and phase, units that each look at all tap lists.
bool beyond_tables(const Problem& p, const Grid& grid) {
  int64_t phases = 1, lists = 1;
  for (const AxisPhases& a : grid) {
    phases *= a.count();
    lists *= a.tap_lists;
  }
  if (phases > kMostRows / p.co) return true;
  const int64_t units = phases * p.co / grid[2].count();
  return static_cast<double>(units) * static_cast<double>(lists) > kMostSteps ||
         kit::most_stretches(grid[0]) > kMostStretches;
}

TapList tap_list(const Problem& p, const Grid& grid, const Planes& planes, const std::array<const Phase*, 3>& phase) {
  TapList list;
  const Phase &d = *phase[0], &h = *phase[1], &w = *phase[2];
  list.d_taps = d.taps;
  list.d_v0 = d.v0;
  list.hw_taps = h.taps * w.taps;
  for (int64_t i = 0; i < d.taps; ++i) {
    for (int64_t j = 0; j < h.taps; ++j) {
      for (int64_t q = 0; q < w.taps; ++q) {
        list.x_tap.push_back(planes.tap(grid, 0, d, i) + planes.tap(grid, 1, h, j) + planes.tap(grid, 2, w, q));
        list.w_tap.push_back(i * grid[0].t_step * p.w.tap[0] + j * grid[1].t_step * p.w.tap[1] +
                             q * grid[2].t_step * p.w.tap[2]);
      }
    }
  }
  return list;
}

// For every combination of tap lists of the three axes.
std::vector<TapList> lists_of(const Problem& p, const Grid& grid, const Planes& planes) {
  std::array<std::vector<const Phase*>, 3> sample;
  for (size_t a = 0; a < 3; ++a) {
    sample[a].resize(static_cast<size_t>(grid[a].tap_lists));
    for (const Phase& f : grid[a].phases) at(sample[a], f.tap_list) = &f;
  }
  std::vector<TapList> lists;
  for (const Phase* d : sample[0]) {
    for (const Phase* h : sample[1]) {
      for (const Phase* w : sample[2]) lists.push_back(tap_list(p, grid, planes, {d, h, w}));
    }
  }
  return lists;
}

// One slab per row of d saves the taps and positions that only touch padding, where the rows are long enough.
Slabs slabs_of(const Grid& grid, const Planes& planes, bool in_place, int64_t lanes) {
  Slabs s;
  s.positions = planes.positions;
  const AxisPhases& d = grid[0];
  if (!in_place && d.un > 1) {
    const int64_t rows = (grid[1].un - 1) * planes.stride[1] + grid[2].un;
    double real = 0, all = 0;
    for (const Phase& f : d.phases) {
      all += static_cast<double>(f.taps * d.un);
      for (const Stretch& r : kit::stretches_of(d, f, d.u0, d.u0 + d.un)) {
        real += static_cast<double>((r.u_end - r.u_begin) * (r.j_end - r.j_begin));
      }
    }
    const double share = all > 0 ? real / all : 1;
    if (share * static_cast<double>(ceil_div(rows, lanes) * d.un) <
        static_cast<double>(ceil_div(planes.positions, lanes))) {
      s.count = d.un;
      s.step = planes.stride[0];
      s.positions = rows;
      s.real = share;
    }
  }
  s.vectors = ceil_div(s.positions, lanes);
  s.strips = ceil_div(s.vectors, kMostPositionVectors);
  return s;
}

// What the units are made of.
struct UnitShape {
  bool whole = false;    // all phases of d and h in one unit
  int64_t phases = 1;    // of a unit
  int64_t channels = 1;  // of a unit, at most
  int64_t block_rows = 1;
};

template <class T>
UnitShape unit_shape(const Given<T>& given, const std::vector<TapList>& lists, bool channels_inner) {
  const int64_t ds = given.grid[0].count(), hs = given.grid[1].count(), ws = given.grid[2].count();
  const int64_t strip_bytes = kMostPositionVectors * given.lanes() * static_cast<int64_t>(sizeof(T));
  const int64_t co = given.p.co;
  UnitShape u;
  u.block_rows = given.moves.accumulators >= kManyAccumulators ? kBlockRows : kFewBlockRows;
  // All phases in one unit while its rows stay in the first-level cache; else one (d, h) phase at a time.
  u.whole = (ws < u.block_rows && ds * hs * ws * strip_bytes <= in_l1(kUnitBytes)) || (ds == 1 && hs == 1);
  u.phases = u.whole ? ds * hs * ws : ws;
  const int64_t unit_lists = u.whole ? std::ssize(lists) : given.grid[2].tap_lists;
  const int64_t per_list = std::max<int64_t>(1, u.phases / unit_lists);  // rows one channel adds to a block
  u.channels = channels_inner ? co : std::min(co, ceil_div(u.block_rows, per_list));
  if (!channels_inner) {
    const int64_t fits = std::max<int64_t>(1, in_l1(kChannelsBytes) / (u.phases * strip_bytes));
    u.channels = ceil_div(co, ceil_div(co, std::max<int64_t>(1, std::min(u.channels, fits))));  // as even as possible
  }
  return u;
}

// The rows of a unit, those of each tap list together.
std::vector<std::vector<Row>> rows_by_list(const Grid& grid, const Units& units, const Unit& u, size_t lists) {
  std::vector<std::vector<Row>> rows(lists);
  const auto ws = static_cast<int32_t>(grid[2].count());
  for (int32_t c = 0; c < u.channels; ++c) {
    for (int32_t d = u.d0; d < u.d1; ++d) {
      for (int32_t h = u.h0; h < u.h1; ++h) {
        for (int32_t w = 0; w < ws; ++w) {
          const int64_t dh = grid[0].phase(d).tap_list * grid[1].tap_lists + grid[1].phase(h).tap_list;
          const int64_t list = dh * grid[2].tap_lists + grid[2].phase(w).tap_list;
          const int64_t index = units.row(u, c, d, h, ws) + w * (units.channels_inner ? u.channels : 1);
          at(rows, list).push_back({u.c0 + c, d, h, w, index});
        }
      }
    }
  }
  return rows;
}

// A unit's blocks: of one tap list each, as even as possible.
void append_blocks(const Problem& p, const Grid& grid, const std::vector<TapList>& lists, int64_t block_rows, Unit& u,
                   Units& units) {
  const auto rows_of = rows_by_list(grid, units, u, lists.size());
  u.block0 = static_cast<int32_t>(units.blocks.size());
  for (int64_t list = 0; list < std::ssize(lists); ++list) {
    const std::vector<Row>& rows = at(rows_of, list);
    const int64_t count = std::ssize(rows), pieces = ceil_div(count, block_rows);
    for (int64_t i = 0; i < pieces; ++i) {
      const int64_t r0 = count * i / pieces, r1 = count * (i + 1) / pieces;
      Block b;
      b.list = static_cast<int32_t>(list);
      b.rows = static_cast<int32_t>(r1 - r0);
      b.row = static_cast<int32_t>(units.rows.size());
      b.weight = units.weights;
      units.weights += b.rows * p.ci * at(lists, list).taps();
      units.rows.insert(units.rows.end(), rows.begin() + r0, rows.begin() + r1);
      units.blocks.push_back(b);
    }
  }
  u.block1 = static_cast<int32_t>(units.blocks.size());
}

template <class T>
Units units_of(const Given<T>& given, const std::vector<TapList>& lists, bool channels_inner) {
  const UnitShape shape = unit_shape(given, lists, channels_inner);
  const int64_t co = given.p.co, ds = given.grid[0].count(), hs = given.grid[1].count();
  const int64_t pairs = shape.whole ? 1 : ds * hs;
  Units units;
  units.channels_inner = channels_inner;
  // Phases inside channels: threads that share the units then rarely write into the same line of y.
  for (int64_t c0 = 0; c0 < co; c0 += shape.channels) {
    for (int64_t pair = 0; pair < pairs; ++pair) {
      const int64_t d = shape.whole ? 0 : pair / hs, h = shape.whole ? 0 : pair % hs;
      Unit u;
      u.c0 = static_cast<int32_t>(c0);
      u.channels = static_cast<int32_t>(std::min(shape.channels, co - c0));
      u.d0 = static_cast<int32_t>(d);
      u.d1 = static_cast<int32_t>(shape.whole ? ds : d + 1);
      u.h0 = static_cast<int32_t>(h);
      u.h1 = static_cast<int32_t>(shape.whole ? hs : h + 1);
      append_blocks(given.p, given.grid, lists, shape.block_rows, u, units);
      units.most_rows = std::max(units.most_rows, u.channels * shape.phases);
      units.all.push_back(u);
    }
  }
  return units;
}

// As many strips in a band as keep a unit's rows in the first-level cache. Streamed rows pay for every broken cache
// line: there, runs of y are longer and the rows stay in the second level.
template <class T>
Bands bands_of(const Given<T>& given, const Planes& planes, const Slabs& slabs, const Units& units, bool stream) {
  const int64_t strip = kMostPositionVectors * given.lanes(), size = sizeof(T);
  Bands b;
  b.strips =
      std::clamp<int64_t>((stream ? in_l2(kStreamBandBytes) : in_l1(kBandBytes)) / (units.most_rows * strip * size), 1,
                          stream ? kMostStreamedStrips : kMostStrips);
  // What they read, all input channels, stays in the second-level cache for every unit.
  const AxisPhases &d = given.grid[0], &h = given.grid[1];
  const int64_t reach = std::min(h.v_max * planes.stride[1], h.v_max * b.strips * strip);
  const int64_t read = (b.strips * strip + reach) * (d.v_max + 1) * given.p.ci * size;
  b.strips = std::max<int64_t>(1, std::min(b.strips, b.strips * in_l2(kPanelBytes) / read));
  b.strips = std::min(b.strips, slabs.strips);
  b.per_slab = ceil_div(slabs.strips, b.strips);
  b.count = slabs.count * b.per_slab;
  b.width = std::min(b.strips * strip, slabs.vectors * given.lanes()) + kMaxLanes;
  return b;
}

}  // namespace

template <class T>
std::unique_ptr<Kernel> plan(const Given<T>& given) {
  const Problem& p = given.p;
  const Grid& grid = given.grid;
  if (beyond_tables(p, grid)) return nullptr;
  const int64_t lanes = given.lanes();
  const bool in_place = reads_in_place(p, grid);
  const bool channels_inner = p.groups == 1 && p.co > 1 && p.co <= kMostInner && p.y.c == 1 && p.y.axis[2] == p.co;
  const bool stream = leaves_cache(p, size_of(p.types.y));
  const Planes planes = kit::planes_of(grid, kMostPositionVectors * lanes, lanes);
  std::vector<TapList> lists = lists_of(p, grid, planes);
  const Slabs slabs = slabs_of(grid, planes, in_place, lanes);
  Units units = units_of(given, lists, channels_inner);
  const Bands bands = bands_of(given, planes, slabs, units, stream);
  const Tiles tiles = tiles_of(given, planes, lists, units, slabs, bands, in_place);
  std::vector<int32_t> place, channel;
  for (const Row& r : units.rows) {  // late phases one place earlier, see row_store.h
    place.push_back(static_cast<int32_t>(r.index * bands.width - (r.w >= grid[2].late ? 1 : 0)));
    channel.push_back(r.c);
  }
  const int64_t inner = channels_inner ? p.co : 1;
  const int64_t row = !grid[2].complete() ? 0 : bands.width * grid[2].s * inner;
  const int64_t room = row != 0 && stream ? std::max(row, kStreamedRun) : row;
  Plan<T> k{.p = p,
            .moves = given.moves,
            .routines = positions_routines<T>(),
            .grid = grid,
            .threads = given.threads(),
            .planes = planes,
            .lists = std::move(lists),
            .units = std::move(units),
            .row_place = std::move(place),
            .row_channel = std::move(channel),
            .slabs = slabs,
            .bands = bands,
            .tiles = tiles,
            .room = room,
            .store = RowStore<T>(given.moves, grid[2], p.types.y, p.y.axis[2], inner, stream, room)};
  k.seconds = seconds_of(k);
  return kernel_of(std::move(k));
}

template std::unique_ptr<Kernel> plan(const Given<float>&);
template std::unique_ptr<Kernel> plan(const Given<double>&);

}  // namespace ctconv::native::positions
