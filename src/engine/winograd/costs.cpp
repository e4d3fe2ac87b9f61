// SPDX-License-Identifier: Apache-2.0
// Expected seconds of a call.
//
//   in:  a Plan, the op's context;   out: seconds
//   Products at the machine's rate, transforms and moves in cycles beside them, the transformed weight and the tensors
//   through memory where they do not fit the caches. Cycles were measured on AMD Zen 4 (EPYC 9004), November 2026.
#include <algorithm>
#include <cmath>

#include "src/base/at.h"
#include "src/engine/winograd/plan.h"
#include "src/machine/machine.h"

namespace ctconv::winograd {
namespace {

constexpr double kFmaCycles = 1.04;        // a vector multiply-add inside a block
constexpr double kCallCycles = 40;         // a block: prologue and epilogue
constexpr double kInputCycles = 3.0;       // a vector of inputs and points, read, added and written
constexpr double kOutputCycles = 3.0;      // the same of points and outputs
constexpr double kTransposeCycles = 1.5;   // an element of x or y, channels not innermost
constexpr double kScatterCycles = 2.5;     // the same alone
constexpr double kStoreCycles = 3;         // a vector of outputs, channels innermost
constexpr double kPieceCycles = 60;        // a row of y in each region it crosses, channels not innermost
constexpr double kWakeCycles = 11e3;       // a call
constexpr double kPackCycles = 4;          // a transformed weight, where it comes with the call
constexpr double kStreamCycles = 0.05;     // a byte of the weight, for each block, from the last cache: little overlaps
constexpr double kNotOverlapped = 0.2;     // of the shorter of computing and moving
constexpr double kMovedShare = 25.0 / 27;  // of the bandwidth past the caches

// The transformed weight as one task reads it, where it does not stay in the second-level cache.
double streamed_cycles(const Plan& plan) {
  double packed = 0, read = 0;  // points
  for (int64_t fh = 0; fh < plan.h.phases.count(); ++fh) {
    for (int64_t fw = 0; fw < plan.w.phases.count(); ++fw) {
      packed += row_of(at(plan.h.packed, fh)).points * row_of(at(plan.w.packed, fw)).points;
      read += static_cast<double>(plan.points(fh, fw));
    }
  }
  const double bytes = static_cast<double>(plan.weight_at.back()) * sizeof(float);
  if (bytes < static_cast<double>(machine().l2) / 2) return 0;
  return bytes * read / packed / static_cast<double>(plan.parts) * kStreamCycles;
}

// Cycles of one task: all passes of a full block.
double task_cycles(const Plan& plan) {
  const Machine& m = machine();
  const Problem& p = plan.p;
  const double lanes = plan.routines.lanes, tiles = static_cast<double>(plan.block);
  const double groups = static_cast<double>((plan.block + plan.row_limit - 1) / plan.row_limit);
  const double chunks = static_cast<double>((p.ci + plan.routines.lanes - 1) / plan.routines.lanes);
  const double vectors = static_cast<double>(plan.vectors);
  double products = 0, moved = 0;
  for (const Pass& pass : plan.passes) {
    const KindRow h = row_of(pass.kind);
    double inputs = 0;
    for (const PointsW& w : plan.points_w)
      inputs += h.inputs * row_of(w.kind).inputs + h.points * row_of(w.kind).points;
    moved += tiles * static_cast<double>(plan.d_taps) * chunks * inputs * kInputCycles;
    for (int64_t fd = 0; fd < plan.d.count(); ++fd) {
      for (const int64_t fh : pass.h_phases) {
        for (int64_t fw = 0; fw < plan.w.phases.count(); ++fw) {
          const auto points = static_cast<double>(plan.points(fh, fw));
          const double outputs = h.outputs * row_of(at(plan.w.kind, fw)).outputs;
          const double chain = static_cast<double>(plan.d.phase(fd).taps * p.ci);
          const double columns = static_cast<double>(plan.column_blocks) / static_cast<double>(plan.parts);
          products += columns * points * (tiles * chain * vectors * kFmaCycles / m.fma + groups * kCallCycles);
          moved += columns * tiles * vectors * (points + outputs) * kOutputCycles;
          const bool plain = p.y.axis[2] * plan.w.step == 1;
          moved += columns * tiles * vectors * outputs *
                   (p.y.c == 1 ? kStoreCycles : lanes * (plain ? kTransposeCycles : kScatterCycles));
        }
      }
    }
  }
  if (!plan.in_place) {
    const double copied = tiles * static_cast<double>(plan.w.m * plan.h.m * plan.d_taps * p.ci) * 1.2;
    const bool plain = p.x.c == 1 || p.x.axis[2] * plan.w.step == 1;
    moved += copied * static_cast<double>(plan.passes.size()) *
             (p.x.c == 1 ? kStoreCycles / lanes
              : plain    ? kTransposeCycles
                         : kScatterCycles);
  }
  return products + moved + streamed_cycles(plan);
}

}  // namespace

double expected_seconds(const Plan& plan, const PlanContext& context) {
  const Machine& m = machine();
  const double threads = plan.threads;
  const double weights = static_cast<double>(plan.weight_at.back()) * static_cast<double>(plan.p.groups);
  double cycles = 0, blocks = 0, longest = 0, rounds = 0;
  for (const Plan& region : plan.regions) {
    const double one = task_cycles(region), count = static_cast<double>(region.tasks());
    cycles += one * count / threads;
    blocks = std::max(blocks, static_cast<double>(region.blocks));
    if (one < longest) continue;
    longest = one;
    rounds = std::ceil(count / threads);
  }
  // The tasks of all regions are one queue: short ones fill what the longest leave.
  cycles = std::max(cycles, rounds * longest);
  if (plan.p.y.c != 1) {
    const Problem& p = plan.p;
    const double pieces = plan.regions.size() > 1 ? 3 : 1;  // w has a first, a middle and a last region
    cycles += pieces * static_cast<double>(p.n * p.groups * p.co * p.axis[0].o * p.axis[1].o) * kPieceCycles / threads;
  }
  if (context.weights_per_call) cycles += weights * kPackCycles / threads;
  // The weight is read anew for every block; past the caches where it does not fit half of the last one.
  const double weight_bytes = weights * sizeof(float);
  const double last = static_cast<double>(std::max(m.l2, m.l3));
  const double raw = static_cast<double>(plan.p.weight_elements()) * static_cast<double>(size_of(plan.p.types.w));
  double bytes = moved_bytes(plan.p) - raw + weight_bytes;
  if (weight_bytes > last / 2) {
    bytes += weight_bytes * std::max(0.0, blocks / threads - 1);
  }
  const double computing = m.seconds(cycles), moving = bytes / (kMovedShare * m.bandwidth(plan.threads));
  return std::max(computing, moving) + kNotOverlapped * std::min(computing, moving) + m.seconds(kWakeCycles);
}

}  // namespace ctconv::winograd
