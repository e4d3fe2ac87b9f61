// SPDX-License-Identifier: Apache-2.0
// One task: a block of tiles, some of the columns; and the memory its worker needs.
//
//   x -> points of the block (input.cpp) -> products (run.cpp) -> outputs, interleaved into y (finish.cpp)
#pragma once

#include <algorithm>

#include "src/engine/winograd/plan.h"
#include "src/kit/arena.h"

namespace ctconv::winograd {

inline constexpr int64_t kMostRunTiles = 48;  // of one run

inline int64_t most_run(const Plan& plan) { return std::min({plan.block, plan.w.per_class, kMostRunTiles}); }
// Inputs along w of such a run.
inline int64_t run_inputs(const Plan& plan, int64_t tiles) { return (tiles - 1) * plan.w.m + plan.w.inputs; }

// Rows of x with channels innermost, and which rows they are.
struct RowCache {
  struct Tag {
    int64_t n = -1, d = 0, h = 0, w = 0, c = 0, columns = 0;
    friend bool operator==(const Tag&, const Tag&) = default;
  };
  Tag tag[kMostInputs];
};

struct Scratch {
  float* points;     // [h point][w point][tile][pitch]
  float* sums;       // [w phase][point][tile][width]
  float* stage;      // [row][column][width]
  float* moved;      // a piece of the stage, transposed
  float* rows;       // [kMostInputs][input][kChunk]
  float* strided;    // [kChunk][input]
  float* zeros;      // kChunk of them
  float* bias;       // of a block of columns
  const float** at;  // [kMostInputs][input]
  RowCache cache;

  Scratch(const Plan& plan, kit::Arena& arena) {
    const int64_t inputs = run_inputs(plan, most_run(plan));
    const bool copies = !plan.in_place;
    points = arena.take<float>(plan.most_points_h() * plan.all_points_w * plan.block * plan.pitch);
    sums = arena.take<float>(sums_of(plan) * plan.block * plan.width);
    stage = arena.take<float>(plan.h.m * plan.stage_columns * plan.width);
    moved = arena.take<float>(plan.stage_columns * plan.width);
    rows = arena.take<float>(copies ? kMostInputs * inputs * kChunk : 0);
    strided = arena.take<float>(copies ? kChunk * inputs : 0);
    zeros = arena.take<float>(kChunk);
    bias = arena.take<float>(plan.width);
    at = arena.take<const float*>(kMostInputs * inputs);
  }

  // Points of all w phases under the h kind that has most.
  static int64_t sums_of(const Plan& plan) {
    int64_t w = 0;
    for (const Kind kind : plan.w.kind) w += row_of(kind).points;
    return plan.most_points_h() * w;
  }
};

struct Block {
  int64_t g, begin, end;
  int64_t tiles() const { return end - begin; }
};

// Points of the block's tiles for a pass. x: element (0, 0, ...).
void transform_block(const Plan& plan, const Pass& pass, const Block& block, const void* x, Scratch& scratch);

// From the sums of all w phases of (fd, fh) to y.
struct Columns {
  int64_t fd, fh, column;
};
void finish_columns(const Plan& plan, const Block& block, const Columns& columns, const float* bias, void* y,
                    Scratch& scratch);

}  // namespace ctconv::winograd
