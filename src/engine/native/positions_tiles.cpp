// SPDX-License-Identifier: Apache-2.0
// How the form "positions" is cut into tasks, and what it is expected to cost; see positions.h.
//
//   in:  units, slabs, bands
//   out: tiles, shares of units, panels or planes, seconds
#include "src/engine/native/positions_tiles.h"

#include <algorithm>
#include <cmath>

#include "src/engine/native/costs.h"
#include "src/engine/native/limits.h"

namespace ctconv::native::positions {

Places places_of(const Slabs& slabs, const Bands& bands, const Planes& planes, int64_t lanes, int64_t k0, int64_t k1) {
  const auto begin = [&](int64_t k) {
    return k / bands.per_slab * slabs.step + bands.first_vector(slabs, k % bands.per_slab) * lanes;
  };
  const auto end = [&](int64_t k) {
    const int64_t next = bands.first_vector(slabs, k % bands.per_slab + 1) * lanes;
    return k / bands.per_slab * slabs.step + next + planes.last;
  };
  const int64_t whole = (k1 - 1) / bands.per_slab * bands.per_slab - 1;  // the last band of the slab before
  return {begin(k0), std::max(end(k1 - 1), whole >= k0 ? end(whole) : 0)};
}

namespace {

// What tiles are cut from: all bands of a group of one image, for all units.
struct Work {
  double outer = 1;        // images times groups
  double band_cycles = 0;  // of all units for one band
  int64_t bands = 1, units = 1;
  int32_t threads = 1;

  double cycles() const { return band_cycles * static_cast<double>(bands); }
  double tasks(const Tiles& t) const { return outer * static_cast<double>(t.count * t.shares); }
  // Share of the threads' time that is work.
  double busy(const Tiles& t) const {
    const double longest = static_cast<double>(t.bands) * static_cast<double>(ceil_div(units, t.shares));
    return outer * static_cast<double>(bands) * static_cast<double>(units) /
           (threads * std::ceil(tasks(t) / threads) * longest);
  }
  bool even(const Tiles& t) const { return tasks(t) >= kEvenTasks * threads || busy(t) >= kEvenTiles; }
};

template <class T>
Work work_of(const Given<T>& given, const std::vector<TapList>& lists, const Units& units, const Slabs& slabs,
             const Bands& bands) {
  double vector_fma = 0;
  for (const Block& b : units.blocks) {
    const int64_t products = given.p.ci * at(lists, b.list).taps();
    vector_fma += static_cast<double>(b.rows) * static_cast<double>(products + kBlockSteps);
  }
  Work w;
  w.outer = static_cast<double>(given.p.n * given.p.groups);
  w.band_cycles = vector_fma * static_cast<double>(slabs.vectors) / static_cast<double>(bands.per_slab);
  w.bands = bands.count;
  w.units = units.count();
  w.threads = given.threads();
  return w;
}

// Enough tasks that a disturbed thread costs little, none shorter than some microseconds.
Tiles even_tiles(const Work& work, int64_t images_and_groups) {
  Tiles t;
  const double shares = work.outer * static_cast<double>(work.bands);
  const double wanted = std::clamp(work.band_cycles * shares / kTaskCycles, 1.0, kTasksPerThread * work.threads);
  t.bands = std::clamp<int64_t>(static_cast<int64_t>(shares / wanted), 1, work.bands);
  t.count = ceil_div(work.bands, t.bands);
  if (work.threads > 1) {
    const int64_t tasks = images_and_groups * t.count;
    t.shares = std::clamp<int64_t>(static_cast<int64_t>(wanted) / tasks, 1, work.units);
  }
  return t;
}

// Places that tiles of so many bands read: of the largest, and of all together.
struct Read {
  int64_t most = 0, all = 0;
};
Read read_by(const Tiles& t, const Slabs& slabs, const Bands& bands, const Planes& planes, int64_t lanes) {
  Read r;
  for (int64_t tile = 0; tile < t.count; ++tile) {
    const int64_t end = std::min(bands.count, (tile + 1) * t.bands);
    const Places places = places_of(slabs, bands, planes, lanes, tile * t.bands, end);
    r.most = std::max(r.most, places.end - places.begin);
    r.all += places.end - places.begin;
  }
  return r;
}

// Values from one channel of a panel to the next: an odd number of vectors, see planes_of.
int64_t panel_pitch(int64_t positions, int64_t lanes) { return (ceil_div(positions, lanes) | 1) * lanes; }

// A panel per tile saves a pass over the planes and the wait for it, and no core reads what another wrote. Tiles that
// overlap pad some places several times: they may grow fewer for that, and smaller for the cache and even threads as
// long as it costs next to nothing. Answers `planes` where no cut into such tiles is bearable.
template <class T>
Tiles tile_panels(const Given<T>& given, const Work& work, const Planes& planes, const Slabs& slabs, const Bands& bands,
                  const Tiles& with_planes) {
  const int64_t ci = given.p.ci, lanes = given.lanes();
  const size_t limit = given.context.workspace_limit / 2;
  const double once = static_cast<double>(ci * planes.plane) / static_cast<double>(lanes) * kPlaneCycles;
  const double bearable = std::max(kBearableCopies, 1 + kBearableShare * work.cycles() / once);
  const double negligible = std::max(kNegligibleCopies, 1 + kNegligibleShare * work.cycles() / once);
  Tiles best = with_planes;
  for (int64_t wanted = 1;; wanted *= 2) {
    Tiles t = with_planes;
    t.source = Source::kTilePanels;
    t.bands = ceil_div(bands.count, std::min(wanted, bands.count));
    t.count = ceil_div(bands.count, t.bands);
    t.shares = 1;
    if (t.count > kMostTiles) return best;
    const Read read = read_by(t, slabs, bands, planes, lanes);
    if (static_cast<double>(read.all) > bearable * static_cast<double>(planes.plane)) return best;
    while (t.shares < std::min<int64_t>(work.units, work.threads) && !work.even(t)) ++t.shares;
    t.copies = static_cast<double>(read.all * t.shares) / static_cast<double>(planes.plane);
    t.panel_pitch = panel_pitch(read.most, lanes);
    const int64_t bytes = ci * t.panel_pitch * static_cast<int64_t>(sizeof(T));
    const bool fits =
        bytes <= in_l2(kTilePanelBytes) && static_cast<size_t>(bytes) * static_cast<size_t>(work.threads) <= limit;
    if (work.even(t) && fits && t.copies <= (best.source == Source::kTilePanels ? negligible : bearable)) {
      best = t;
      const double tasks = work.tasks(t);
      const bool many =
          tasks >= kEvenTasks * work.threads || work.cycles() * work.outer < kTablesShare * kTaskCycles * tasks;
      if (many && bytes <= in_l2(kPanelBytes)) return best;
    }
    if (t.bands == 1) return best;
  }
}

}  // namespace

template <class T>
Tiles tiles_of(const Given<T>& given, const Planes& planes, const std::vector<TapList>& lists, const Units& units,
               const Slabs& slabs, const Bands& bands, bool in_place) {
  const Problem& p = given.p;
  const Work work = work_of(given, lists, units, slabs, bands);
  Tiles t = even_tiles(work, p.n * p.groups);
  if (in_place) {
    const bool dense = p.x.axis[2] == 1 && given.same_type();
    t.source = std::ssize(units.rows) > kPanelRows || !dense ? Source::kStripPanels : Source::kInPlace;
    t.panel_pitch = panel_pitch(bands.width - kMaxLanes, given.lanes());
  } else {
    t = tile_panels(given, work, planes, slabs, bands, t);
  }
  // Images padded at once: a few megabytes, so that the copy is still in the cache when it is read.
  const double image = static_cast<double>(p.groups * p.ci * planes.plane) * sizeof(T);
  const double limit = std::min(kCopyBytes, static_cast<double>(given.context.workspace_limit) / 2);
  t.images = t.source == Source::kPlanes ? std::clamp<int64_t>(static_cast<int64_t>(limit / image), 1, p.n) : p.n;
  return t;
}

namespace {

// Cycles of one vector of positions in all rows of a block.
template <class T>
double block_cycles(const Plan<T>& k, const Block& b) {
  const int64_t strip = std::min<int64_t>(kMostPositionVectors, k.slabs.vectors);
  const int64_t most = std::min(kMostPositionVectors, k.moves.accumulators / b.rows);
  const auto v = static_cast<double>(ceil_div(strip, ceil_div(strip, most)));
  const auto products = static_cast<double>(k.p.ci * at(k.lists, b.list).taps());
  const double step = on_ports(std::max(b.rows * v, kLoadCycles * v + b.rows));
  return (products * k.slabs.real * step * kFmaCycles + kCallCycles) / v +
         b.rows * (kPositionsStoreCycles + far_store_cycles(k.p));
}

}  // namespace

template <class T>
double seconds_of(const Plan<T>& k) {
  const Problem& p = k.p;
  const auto outputs = static_cast<double>(p.out_elements()), outer = static_cast<double>(p.n * p.groups);
  double cycles = 0;
  for (const Block& b : k.units.blocks) cycles += block_cycles(k, b);
  cycles *= static_cast<double>(k.slabs.count * k.slabs.vectors) * outer;
  if (!k.tiles.in_place()) {
    const double gather = p.x.c == 1 && p.ci * p.groups > 1 ? kGatheredPlanes : 1;
    cycles += k.tiles.copies * static_cast<double>(p.n * p.groups * p.ci * k.planes.plane) / k.moves.lanes *
              kPlaneCycles * gather;
  } else if (p.x.axis[2] != 1) {
    cycles += static_cast<double>(p.in_elements()) * kTransposeCycles;
  }
  cycles += outputs / static_cast<double>(k.grid[2].o) * kRowCycles;
  if (!k.store.contiguous()) cycles += scatter_cycles(p);
  if (size_of(p.types.y) != sizeof(T)) cycles += outputs / k.moves.lanes * kNarrowCycles;
  const double tasks = outer * static_cast<double>(k.tiles.count * k.tiles.shares);
  cycles += tasks * kSmallTaskCycles;
  return call_seconds(cycles / std::min<double>(k.threads, tasks), p, k.threads);
}

template Tiles tiles_of(const Given<float>&, const Planes&, const std::vector<TapList>&, const Units&, const Slabs&,
                        const Bands&, bool);
template Tiles tiles_of(const Given<double>&, const Planes&, const std::vector<TapList>&, const Units&, const Slabs&,
                        const Bands&, bool);
template double seconds_of(const Plan<float>&);
template double seconds_of(const Plan<double>&);

}  // namespace ctconv::native::positions
