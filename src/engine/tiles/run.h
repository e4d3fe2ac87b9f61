// SPDX-License-Identifier: Apache-2.0
// Running a layout: the memory of a call and of each worker, and the end of a unit. See layout.h.
//
//   in:  x, packed weights, bias
//   out: the core of y
#pragma once

#include "src/engine/tiles/layout.h"
#include "src/kit/arena.h"

namespace ctconv::tiles {

// Positions of a slab that lie in one row of the grid.
struct Segment {
  int64_t n, d, h, w;               // image; u of the first
  int64_t at, count;                // from the slab's first position on
  kit::RowStore<float>::Span span;  // rows only
};

struct Worker {
  uint16_t* panel;  // own_panel: lines of a slab
  uint32_t* spare;
  float* sums;  // of a block: [position][kRows]
  float* rows;  // of a unit, transposed; unless runs
  float* stage;
  float* bias;  // of a block's rows
  Segment* segments;
  int64_t* row;  // of positions, a segment each

  Worker(const Layout& k, kit::Arena& arena);
};

struct Scratch {
  int64_t worker_bytes;
  char* workers;
  uint16_t* planes;  // [stack][group] lines, unless own_panel

  Scratch(const Layout& k, kit::Arena& arena);
};

// A slab of a group of a stack, with its segments. n, images: those of the stack.
struct SlabOf {
  int64_t n, images, g, first, positions;
  int64_t segments;
};
// Answers how many.
int64_t segments_of(const Layout& k, const SlabOf& slab, Segment* out);

// A finished block: activation, then its runs into y, or its rows transposed.
void finish_block(const Layout& k, const SlabOf& slab, const RowUnit& u, const RowBlock& b, char* y,
                  const Worker& worker);
// The transposed rows of a unit into y.
void finish_unit(const Layout& k, const SlabOf& slab, const RowUnit& u, char* y, const Worker& worker);

Status compute(const Layout& k, const Operands& memory, const Runner& runner);

}  // namespace ctconv::tiles
