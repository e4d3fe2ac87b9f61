// SPDX-License-Identifier: Apache-2.0
// The tasks of a call; see task.h for what one does.
//
//   in:  Operands, a Runner;   out: the core of y
//   A task is a block of tiles and a part of the columns; each worker has memory of its own.
#include "src/base/at.h"
#include "src/engine/winograd/task.h"

namespace ctconv::winograd {
namespace {

// The products of one point: all rows of the block, in groups as equal as can be.
void multiply_point(const Plan& plan, int64_t tiles, const float* v, const float* u, int64_t chain, float* out) {
  const auto& routines = at(plan.routines.products, plan.vectors - 1);
  const int64_t groups = (tiles + plan.row_limit - 1) / plan.row_limit;
  for (int64_t q = 0, row = 0; q < groups; ++q) {
    const int64_t rows = (tiles - row + groups - q - 1) / (groups - q);
    const ProductArgs args{
        .v = v + row * plan.pitch, .v_pitch = plan.pitch, .u = u, .k = chain, .out = out + row * plan.width};
    routines[rows - 1](args);
    row += rows;
  }
}

// All w phases of (fd, fh), one block of columns: s.sums. weights: of the group.
void multiply(const Plan& plan, const Block& block, const Columns& c, const float* weights, Scratch& s) {
  const int64_t tiles = block.tiles(), chain = plan.d.phase(c.fd).taps * plan.p.ci;
  const int64_t point_v = tiles * plan.pitch, point_u = chain * plan.width, point_out = tiles * plan.width;
  float* out = s.sums;
  for (int64_t fw = 0; fw < plan.w.phases.count(); ++fw) {
    const PointsW& w = plan.of_kind(at(plan.w.kind, fw));
    const int64_t points_w = row_of(w.kind).points, packed_w = row_of(at(plan.w.packed, fw)).points;
    const int64_t packed = row_of(at(plan.h.packed, c.fh)).points * packed_w;
    const float* u = weights + at(plan.weight_at, plan.phase_index(c.fd, c.fh, fw)) + c.column * packed * point_u;
    for (int64_t k = 0; k < plan.points(c.fh, fw); ++k, out += point_out) {
      const int64_t a = k / points_w, b = k % points_w;
      const int64_t point = (at(plan.h.first_point, c.fh) + a) * packed_w + at(plan.w.first_point, fw) + b;
      multiply_point(plan, tiles, s.points + (a * plan.all_points_w + w.at + b) * point_v, u + point * point_u, chain,
                     out);
    }
  }
}

struct Part {
  Block block;
  int64_t index;  // of plan.parts
};
Part part_of(const Plan& plan, int64_t task) {
  Part part{.block = {}, .index = task % plan.parts};
  task /= plan.parts;
  part.block.begin = task % plan.blocks * plan.block;
  part.block.end = std::min(plan.tiles, part.block.begin + plan.block);
  part.block.g = task / plan.blocks;
  return part;
}

void run_task(const Plan& plan, const Operands& m, int64_t task, Scratch& s) {
  const auto [block, index] = part_of(plan, task);
  const float* weights = static_cast<const float*>(m.packed) + block.g * plan.weight_at.back();
  for (const Pass& pass : plan.passes) {
    const int64_t phases_h = std::ssize(pass.h_phases);
    const int64_t units = plan.d.count() * phases_h * plan.column_blocks;
    const int64_t begin = units * index / plan.parts, end = units * (index + 1) / plan.parts;
    if (begin == end) continue;
    transform_block(plan, pass, block, m.x, s);
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t phase = unit / plan.column_blocks;
      const Columns columns{phase / phases_h, at(pass.h_phases, phase % phases_h), unit % plan.column_blocks};
      multiply(plan, block, columns, weights, s);
      finish_columns(plan, block, columns, static_cast<const float*>(m.bias), m.y, s);
    }
  }
}

size_t worker_bytes(const Plan& plan) {
  size_t most = 0;
  for (const Plan& region : plan.regions) most = std::max(most, kit::bytes_taken<Scratch>(region));
  return most;
}

}  // namespace

size_t scratch_size(const Plan& plan) { return static_cast<size_t>(plan.threads) * worker_bytes(plan); }

Status compute(const Plan& plan, const Operands& memory, const Runner& given) {
  // The calling thread, where there are more workers than the plan has memory for.
  const Runner runner = given.workers() <= plan.threads ? given : Runner();
  const size_t bytes = worker_bytes(plan);
  int64_t tasks = 0;
  for (const Plan& region : plan.regions) tasks += region.tasks();
  const bool ran = runner(tasks, [&](int64_t task, int32_t worker) {
    const Plan* region = plan.regions.data();
    while (task >= region->tasks()) task -= (region++)->tasks();
    kit::Arena arena(static_cast<char*>(memory.scratch) + static_cast<size_t>(worker) * bytes);
    Scratch scratch(*region, arena);
    run_task(*region, memory, task, scratch);
  });
  return ran ? Status() : runner_broke();
}

}  // namespace ctconv::winograd
