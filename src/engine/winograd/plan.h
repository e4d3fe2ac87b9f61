// SPDX-License-Identifier: Apache-2.0
// What is planned of a problem: tiles along h and w, passes, blocks, the places of the transformed weight.
//
//   in:  a Problem, the op's context;   out: a Plan of constants, or the reason for a refusal
//   The sums of one output:  for each point (a, b) of its tile a chain from +0 over (tap of d, input channel), in this
//   order, of v * u; then the inverse along h, along w, then + bias, the activation, one rounding.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "src/engine/winograd/routines.h"
#include "src/kit/moves.h"
#include "src/kit/phases.h"
#include "src/plan/engine.h"

namespace ctconv::winograd {

inline constexpr int64_t kChunk = 64;  // input channels transformed at a time

// Tiles along h or w: of all u, or of a part of them. A dilated axis of stride 1 is `step` interleaved ones: classes.
struct TiledAxis {
  kit::AxisPhases phases;
  std::vector<Kind> kind;            // of each phase
  std::vector<Kind> packed;          // the kind its weight was transformed for
  std::vector<int64_t> first_point;  // of the packed points, the one that point 0 multiplies
  int64_t u0 = 0, un = 1;            // the part
  int64_t m = 1, inputs = 1;         // outputs and inputs of a tile
  int64_t step = 1, back = 0;        // between its rows; from its first output's u to its first input
  int64_t per_class = 1, tiles = 1;

  int64_t first(int64_t tile) const { return u0 + tile % per_class * m * step + tile / per_class; }
  int64_t input(int64_t tile, int64_t r) const { return first(tile) - back + r * step; }
};

// The points of one kind along w: `at` of the `points_w` of a pass.
struct PointsW {
  Kind kind;
  int64_t at;
};

// Phases of one kind along h share the points of x.
struct Pass {
  Kind kind;
  std::vector<int64_t> h_phases;
};

struct Plan {
  Problem p;
  kit::Moves<float> moves;
  Routines routines;
  kit::AxisPhases d;
  TiledAxis h, w;
  std::vector<PointsW> points_w;
  int64_t all_points_w = 0;
  std::vector<Pass> passes;
  int64_t d_taps = 1;               // of the d phase that has most
  int64_t k = 1, pitch = 1;         // longest chain; from one tile's values to the next one's
  int64_t vectors = 1, width = 16;  // of a block of columns
  int64_t column_blocks = 1;
  int64_t row_limit = 1;           // rows of a block of sums
  std::vector<int64_t> weight_at;  // of each phase (d, h, w), in elements; the last: of the next group
  int64_t tiles = 1, block = 1;    // of all images; of one task
  int64_t blocks = 1, parts = 1;   // tasks of a group
  int64_t stage_tiles = 1, stage_columns = 1;
  int32_t threads = 1;
  bool in_place = false;  // x is read where it lies
  double seconds = 0;
  // Of the whole: the part of each axis where tiles are transformed, and its edges. They share the packed weight.
  std::vector<Plan> regions;

  int64_t phase_index(int64_t fd, int64_t fh, int64_t fw) const {
    return (fd * h.phases.count() + fh) * w.phases.count() + fw;
  }
  int64_t points(int64_t fh, int64_t fw) const;
  const PointsW& of_kind(Kind kind) const;
  int64_t most_points_h() const;
  int64_t tasks() const { return p.groups * blocks * parts; }
};

// Null, and *why set, where it is refused.
std::unique_ptr<const Plan> plan_of(const Problem& p, const PlanContext& context, std::string* why);
double expected_seconds(const Plan& plan, const PlanContext& context);
size_t scratch_size(const Plan& plan);

// A piece of a block whose tiles follow each other in one row and class.
struct Run {
  int64_t n, u_d, tile_h, tile_w, count;
  int64_t row;  // of the block
};
// The piece that begins at tile `id` and ends before `end`, at most `most` long.
Run run_at(const Plan& plan, int64_t id, int64_t begin, int64_t end, int64_t most);

Result<bool> pack_weights(const Plan& plan, const void* w, float* packed, const Runner& runner);
Status compute(const Plan& plan, const Operands& memory, const Runner& runner);

}  // namespace ctconv::winograd
