// SPDX-License-Identifier: Apache-2.0
// Planning and packing the form "rows"; see rows.h.
//
//   in:  a problem and its grid; the raw weight
//   out: a Plan, or null; [group][(d, h) phases][w phase][tap]
#include <algorithm>
#include <atomic>

#include "src/engine/native/costs.h"
#include "src/engine/native/rows.h"
#include "src/kit/pack.h"

namespace ctconv::native::rows {
namespace {

// All taps of a (d, h) phase and one of w, in the order of the kernel's taps.
void append_taps(const Problem& p, const Grid& grid, const Planes& planes, const Phase& d, const Phase& h,
                 const Phase& w, PhasePair& pair) {
  const int64_t late = w.u_begin - grid[2].u0;  // its position 0 lies so much further
  const auto& tap = p.w.tap;
  pair.begin.push_back(static_cast<int32_t>(pair.x_tap.size()));
  for (int64_t i = 0; i < d.taps; ++i) {
    for (int64_t j = 0; j < h.taps; ++j) {
      for (int64_t q = 0; q < w.taps; ++q) {
        pair.x_tap.push_back(planes.tap(grid, 0, d, i) + planes.tap(grid, 1, h, j) + planes.tap(grid, 2, w, q) + late);
        pair.w_tap.push_back((d.t0 + i * grid[0].t_step) * tap[0] + (h.t0 + j * grid[1].t_step) * tap[1] +
                             (w.t0 + q * grid[2].t_step) * tap[2]);
      }
    }
  }
}

std::vector<PhasePair> pairs_of(const Problem& p, const Grid& grid, const Planes& planes) {
  std::vector<PhasePair> pairs;
  int64_t weights = 0;
  for (const Phase& d : grid[0].phases) {
    for (const Phase& h : grid[1].phases) {
      PhasePair pair;
      pair.weight = weights;
      for (const Phase& w : grid[2].phases) append_taps(p, grid, planes, d, h, w, pair);
      pair.begin.push_back(static_cast<int32_t>(pair.x_tap.size()));
      weights += std::ssize(pair.x_tap);
      pairs.push_back(std::move(pair));
    }
  }
  return pairs;
}

template <class T>
double seconds_of(const Plan<T>& k) {
  const Problem& p = k.p;
  const double lanes = k.moves.lanes;
  const auto outputs = static_cast<double>(p.out_elements()), channels = static_cast<double>(p.n * p.groups);
  const double phases = static_cast<double>(k.pairs.size()) * static_cast<double>(k.grid[2].s);
  double cycles = outputs / lanes * (static_cast<double>(k.weights) / phases * kRowTapCycles + kRowStoreCycles);
  const bool broken = p.axis[2].o % (k.grid[2].s * k.moves.lanes) != 0;
  cycles += outputs / static_cast<double>(p.axis[2].o) * (kRowCycles + (broken ? kBrokenCycles : 0));
  cycles += channels * (static_cast<double>(k.planes.plane) / lanes * kPlaneCycles + kChannelCycles);
  if (size_of(p.types.y) != sizeof(T)) cycles += outputs / lanes * kNarrowCycles;
  // Whole channels are handed out: the slowest thread has so many of them.
  const double share = static_cast<double>(ceil_div(p.n * p.groups, k.threads)) / channels;
  return call_seconds(cycles * share, p, k.threads);
}

}  // namespace

template <class T>
std::unique_ptr<Kernel> plan(const Given<T>& given) {
  const Problem& p = given.p;
  const AxisPhases& w = given.grid[2];
  if (p.ci != 1 || p.co != 1 || p.y.axis[2] != 1) return nullptr;
  const RowsRoutines<T> routines = rows_routines<T>();
  if (!w.complete() || w.s > kMostRowPhases || routines.row[0][w.s] == nullptr) return nullptr;
  const int64_t lanes = given.lanes();
  Plan<T> k{.p = p,
            .channel = p,
            .moves = given.moves,
            .routines = routines,
            .grid = given.grid,
            .threads = given.threads(),
            .planes = kit::planes_of(given.grid, kMostRowVectors * lanes + kMaxLanes, lanes),
            .places = std::min<int64_t>(given.threads(), p.n * p.groups),
            .stream = leaves_cache(p, size_of(p.types.y))};
  k.channel.n = k.channel.groups = 1;
  k.pairs = pairs_of(p, k.grid, k.planes);
  for (const PhasePair& pair : k.pairs) k.weights += std::ssize(pair.x_tap);
  // Values wait to be streamed, or to be activated in the computing type.
  if (k.stream || p.epilogue.activation.kind != Activation::kNone) k.room = p.axis[2].o + (k.stream ? kStreamedRun : 0);
  k.seconds = seconds_of(k);
  return kernel_of(std::move(k));
}

template <class T>
size_t packed_size(const Plan<T>& k) {
  return static_cast<size_t>(k.p.groups * k.weights) * sizeof(T);
}

template <class T>
std::string packing_key(const Plan<T>& k) {
  return std::string("native.rows/") + name_of(k.p.types.w) + phases_key(k.grid);
}

template <class T>
Result<bool> pack_weights(const Plan<T>& k, const void* w, void* packed, const Runner& runner) {
  std::atomic<bool> finite{true};
  const bool ok = runner(k.p.groups, [&](int64_t g, int32_t) {
    const int64_t row = g * k.p.w.g;
    for (const PhasePair& pair : k.pairs) {
      const kit::RowPack rows{.c0 = 0,
                              .c1 = 1,
                              .base = 0,
                              .row = &row,
                              .valid = 1,
                              .width = 1,
                              .tap = pair.w_tap.data(),
                              .taps = std::ssize(pair.w_tap)};
      T* out = static_cast<T*>(packed) + g * k.weights + pair.weight;
      if (!kit::pack_rows<T>(k.moves, k.p, w, rows, out)) finite.store(false, std::memory_order_relaxed);
    }
  });
  if (!ok) return runner_broke();
  return finite.load();
}

template std::unique_ptr<Kernel> plan(const Given<float>&);
template std::unique_ptr<Kernel> plan(const Given<double>&);
template size_t packed_size(const Plan<float>&);
template size_t packed_size(const Plan<double>&);
template std::string packing_key(const Plan<float>&);
template std::string packing_key(const Plan<double>&);
template Result<bool> pack_weights(const Plan<float>&, const void*, void*, const Runner&);
template Result<bool> pack_weights(const Plan<double>&, const void*, void*, const Runner&);

}  // namespace ctconv::native::rows
