// SPDX-License-Identifier: Apache-2.0
// Planning and packing the form "depthwise"; see depthwise.h.
//
//   in:  a problem and its grid; the raw weight
//   out: a Plan, or null; [triple][tap][channel]
#include <algorithm>
#include <atomic>

#include "src/engine/native/costs.h"
#include "src/engine/native/depthwise.h"
#include "src/engine/native/limits.h"
#include "src/kit/finite.h"

namespace ctconv::native::depthwise {
namespace {

int64_t most_taps(const AxisPhases& axis) {
  int64_t most = 1;
  for (const Phase& p : axis.phases) most = std::max(most, p.taps);
  return most;
}

// Positions whose outputs the first-level cache holds beside their inputs; whole blocks.
int64_t near_positions(const AxisPhases& w, int64_t channels, int64_t element) {
  const int64_t blocks = in_l1(kNearBytes) / (w.count() * channels * element * kRowBlock);
  return std::max<int64_t>(1, blocks) * kRowBlock;
}

// Whole lines that leave the caches anyway.
template <class T>
bool streams(const Given<T>& given) {
  const Problem& p = given.p;
  const int64_t line = kLine / static_cast<int64_t>(sizeof(T));
  if (p.epilogue.activation.kind != Activation::kNone || !given.same_type() || given.lanes() < line ||
      !leaves_cache(p, sizeof(T)))
    return false;
  const auto& y = p.y;
  return (p.groups | y.n | y.axis[0] | y.axis[1] | y.axis[2]) % line == 0;
}

Tiles tiles_in_place(const Problem& p, const AxisPhases& w, bool straight) {
  Tiles t;
  t.positions = ceil_div(w.un, std::clamp<int64_t>(p.axis[2].o * p.groups / kRowTileOutputs, 1, w.un));
  t.count = ceil_div(w.un, t.positions);
  t.wide = straight ? 0 : t.positions * p.groups;
  return t;
}

// The second-level cache holds a panel and the outputs of a tile.
Tiles tiles_of_panels(const Problem& p, const Grid& grid, bool straight) {
  Tiles t;
  const AxisPhases& w = grid[2];
  const int64_t rows = most_taps(grid[0]) * most_taps(grid[1]);
  int64_t channels = std::min(p.groups, kMostPart);
  while (channels > 2 * kLeastPart && rows * (w.v_max + kLeastRowTile) * channels > kPanelElements) channels /= 2;
  t.parts = ceil_div(p.groups, channels);
  channels = ceil_div(p.groups, t.parts);
  const int64_t fits = std::min(kWideElements / channels, kPanelElements / (rows * channels) - w.v_max);
  t.positions = ceil_div(w.un, ceil_div(w.un, std::max(fits, kLeastRowTile)));
  t.count = ceil_div(w.un, t.positions);
  t.panel_row = std::min(p.axis[2].i, t.positions + w.v_max) * channels;
  t.panel = rows * t.panel_row;
  t.wide = straight ? 0 : t.positions * channels;
  return t;
}

template <class T>
double seconds_of(const Plan<T>& k, double flop) {
  const Problem& p = k.p;
  const double lanes = k.moves.lanes;
  const auto outputs = static_cast<double>(p.out_elements());
  const double tap = kChannelTapCycles + (k.in != Stored::kWide ? kWidenedTapCycles : 0);
  const double filled =
      static_cast<double>(p.groups) / (lanes * static_cast<double>(ceil_div(p.groups, k.moves.lanes)));
  const double store = kRowStoreCycles + far_store_cycles(p);
  double cycles = (outputs * store + flop / 2 * tap) / (lanes * filled);
  if (!k.in_place) {  // an input row is widened for every output row that meets it
    const double met = static_cast<double>(p.axis[0].k * p.axis[1].k) *
                       (1 + static_cast<double>(k.grid[2].v_max) / static_cast<double>(k.tiles.positions));
    cycles += static_cast<double>(p.in_elements()) * met / lanes * kWidenCycles;
  }
  if (size_of(p.types.y) != sizeof(T)) cycles += outputs / lanes * kNarrowCycles;
  return call_seconds(cycles / k.threads, p, k.threads);
}

// One tap of a triple for all channels.
template <class T>
bool pack_tap(const Plan<T>& k, const void* w, int64_t place, T* to) {
  const Dtype type = k.p.types.w;
  k.moves.load(static_cast<const char*>(w) + place * bytes_of(type), k.p.w.g, type, k.p.groups, to);
  return kit::not_finite(to, k.p.groups) == 0;
}

template <class T>
bool pack_triple(const Plan<T>& k, const void* w, int64_t triple, T* to) {
  const int64_t hs = k.grid[1].count(), ws = k.grid[2].count();
  const Phase &d = k.grid[0].phase(triple / ws / hs), &h = k.grid[1].phase(triple / ws % hs),
              &l = k.grid[2].phase(triple % ws);
  const auto& tap = k.p.w.tap;
  bool finite = true;
  for (int64_t i = 0; i < d.taps; ++i) {
    for (int64_t j = 0; j < h.taps; ++j) {
      for (int64_t q = 0; q < l.taps; ++q, to += k.p.groups) {
        const int64_t place = (d.t0 + i * k.grid[0].t_step) * tap[0] + (h.t0 + j * k.grid[1].t_step) * tap[1] +
                              (l.t0 + q * k.grid[2].t_step) * tap[2];
        finite &= pack_tap(k, w, place, to);
      }
    }
  }
  return finite;
}

}  // namespace

template <class T>
std::unique_ptr<Kernel> plan(const Given<T>& given) {
  const Problem& p = given.p;
  if (p.ci != 1 || p.co != 1 || p.groups < given.lanes() || p.x.c != 1 || p.y.c != 1) return nullptr;
  for (const AxisPhases& a : given.grid) {
    if (kit::most_stretches(a) > kMostStretches) return nullptr;
  }
  const bool straight = given.same_type() || p.epilogue.activation.kind == Activation::kNone;
  const bool in_place = given.same_type() || given.strided() || most_taps(given.grid[2]) <= kFewRowTaps;
  Plan<T> k{.p = p,
            .moves = given.moves,
            .routines = depthwise_routines<T>(),
            .grid = given.grid,
            .threads = given.threads(),
            .in_place = in_place,
            .straight = straight,
            .stream = streams(given),
            .in = in_place ? kit::stored_as(p.types.x) : Stored::kWide,
            .out = straight ? kit::stored_as(p.types.y) : Stored::kWide,
            .tiles = in_place ? tiles_in_place(p, given.grid[2], straight) : tiles_of_panels(p, given.grid, straight)};
  k.tiles.near = near_positions(k.grid[2], ceil_div(p.groups, k.tiles.parts), bytes_of(p.types.y));
  for (size_t a = 0; a < 3; ++a) {
    for (const Phase& f : k.grid[a].phases) {
      k.stretches[a].push_back(kit::stretches_of(k.grid[a], f, f.u_begin, f.u_end));
    }
  }
  for (const Phase& d : k.grid[0].phases) {
    for (const Phase& h : k.grid[1].phases) {
      k.most_rows = std::max(k.most_rows, d.taps * h.taps);
      for (const Phase& w : k.grid[2].phases) {
        k.weight.push_back(k.weights);
        k.weights += d.taps * h.taps * w.taps * p.groups;
      }
    }
  }
  k.seconds = seconds_of(k, given.flop);
  return kernel_of(std::move(k));
}

template <class T>
size_t packed_size(const Plan<T>& k) {
  return static_cast<size_t>(k.weights) * sizeof(T);
}

template <class T>
std::string packing_key(const Plan<T>& k) {
  return std::string("native.depthwise/") + name_of(k.p.types.w) + phases_key(k.grid);
}

template <class T>
Result<bool> pack_weights(const Plan<T>& k, const void* w, void* packed, const Runner& runner) {
  std::atomic<bool> finite{true};
  const bool ok = runner(std::ssize(k.weight), [&](int64_t triple, int32_t) {
    T* to = static_cast<T*>(packed) + at(k.weight, triple);
    if (!pack_triple(k, w, triple, to)) finite.store(false, std::memory_order_relaxed);
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

}  // namespace ctconv::native::depthwise
