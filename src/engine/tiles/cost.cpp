// SPDX-License-Identifier: Apache-2.0
// Expected seconds of a call; see layout.h. Cycles were measured on Zen 4 (EPYC, 3.65 GHz), November 2026.
//
//   cycles = products over the unit's rate + lines packed + sums stored + rows and runs + blocks begun
//   What a cycle takes and the unit's rate stand in the machine record.
#include <algorithm>

#include "src/base/checked.h"
#include "src/engine/tiles/layout.h"
#include "src/machine/machine.h"

namespace ctconv::tiles {
namespace {

constexpr double kProductCycles = 1.07;       // per product, at one a cycle
constexpr double kStepCycles = 30;            // per step of positions of a block: sums begun and stored
constexpr double kLineCycles = 5;             // per line copied
constexpr double kTransposedLineCycles = 20;  // per line transposed
constexpr double kScanCycles = 1.5;           // per 64 bytes of x
// Per run of 16 sums stored, and per 16 sums transposed, interleaved and stored: near y, and what is added where y is
// larger than so many second-level caches.
constexpr double kRunCycles = 6, kFarRunCycles = 14, kStoredCycles = 20, kFarStoredCycles = 16;
constexpr double kFarRuns = 4, kFarStores = 16;
constexpr double kWeightCycles = 0.27;  // per byte of weights that do not stay in the second-level cache
constexpr double kRowCycles = 60;       // per row of y and channel
constexpr double kTaskCycles = 2000;
constexpr double kWakeCycles = 11000;  // per call of the runner

// Of a group of all images.
double positions_of(const Layout& k) {
  const int64_t stacks = k.stacks();
  return static_cast<double>((k.p.n - stacks) * k.image_places() + stacks * k.planes.positions);
}

// Vectors of 16 sums times 16 pairs, all images of a group.
double products(const Layout& k) {
  double sum = 0;
  for (const RowBlock& b : k.units.blocks) {
    double positions = positions_of(k);
    if (k.by_rows) {
      positions = static_cast<double>(k.p.n * (b.u[0].end - b.u[0].begin) * (b.u[1].end - b.u[1].begin) *
                                      (b.u[2].end - b.u[2].begin));
    }
    sum += positions * static_cast<double>(b.halves() * at(k.lists, b.list).taps());
  }
  return sum * static_cast<double>(k.unit->short_rows ? (k.chunks - 1) * kHalf + k.pairs : k.chunks * kHalf);
}

// Of a group.
double store_cycles(const Layout& k) {
  const double y = static_cast<double>(k.p.out_elements()) * static_cast<double>(size_of(k.p.types.y));
  const double caches = y / static_cast<double>(std::max(machine().l2, machine().l1));
  double vectors = 0;
  for (const RowBlock& b : k.units.blocks) vectors += static_cast<double>(std::max<int64_t>(b.rows, kHalf)) / kHalf;
  vectors *= positions_of(k);
  if (k.runs) return vectors * (kRunCycles + kFarRunCycles * std::min(1.0, caches / kFarRuns));
  const double rows = static_cast<double>(k.p.n * k.p.co * k.p.axis[0].o * k.p.axis[1].o);
  return vectors * (kStoredCycles + kFarStoredCycles * std::min(1.0, caches / kFarStores)) + kRowCycles * rows;
}

// Of a group: the tiles of w that every slab reads anew, where they do not stay near.
double weight_cycles(const Layout& k, double slabs) {
  const double bytes = static_cast<double>(k.units.weights) * sizeof(uint16_t);
  return bytes < static_cast<double>(machine().l2) / 2 ? 0 : bytes * slabs * kWeightCycles;
}

// x is looked through before the call, and read again where the last cache does not hold it.
double scan_seconds(const Layout& k) {
  const Machine& m = machine();
  const double bytes = static_cast<double>(k.p.in_elements()) * static_cast<double>(size_of(k.p.types.x));
  return bytes > static_cast<double>(std::max(m.l2, m.l3)) / 2 ? bytes / m.bandwidth(k.threads) : 0;
}

}  // namespace

double expected_seconds(const Layout& k) {
  const Machine& m = machine();
  const Slabs& s = k.slabs;
  const auto groups = static_cast<double>(k.p.groups), slabs = static_cast<double>(k.stacks() * s.count);
  const double positions = positions_of(k);
  const auto steps = static_cast<double>(ceil_div(s.positions, k.unit->step)) * slabs;
  double cycles =
      products(k) * kProductCycles * static_cast<double>(k.split.products.size()) / std::max(1e-3, k.unit->rate());
  cycles += kStepCycles * steps * static_cast<double>(k.units.blocks.size());
  const double again = s.own_panel ? slabs * static_cast<double>(k.planes.last + k.unit->step) : 0;
  const double lines = (positions + again) * static_cast<double>(k.chunk_parts());
  cycles += lines * (k.p.x.c == 1 ? kLineCycles : kTransposedLineCycles);
  cycles += store_cycles(k) + weight_cycles(k, slabs) + kTaskCycles * slabs * static_cast<double>(s.shares);
  const double bytes = static_cast<double>(k.p.in_elements()) * static_cast<double>(size_of(k.p.types.x));
  cycles = (groups * cycles + kScanCycles * bytes / static_cast<double>(m.line)) / k.threads;
  const double wakes = (s.own_panel ? 2 : 3) * (k.threads > 1 ? kWakeCycles : kWakeCycles / 4);
  const double computing = m.seconds(cycles), moving = moved_bytes(k.p) / m.bandwidth(k.threads);
  return std::max(computing, moving) + 0.15 * std::min(computing, moving) + scan_seconds(k) + m.seconds(wakes);
}

}  // namespace ctconv::tiles
