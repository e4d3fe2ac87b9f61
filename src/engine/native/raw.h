// SPDX-License-Identifier: Apache-2.0
// Form "raw": weights that come with the call are multiplied where they lie; lanes run over positions.
//
//   x -> panels [input channel, tap][positions], zeros where a tap leaves x -> blocks of rows of w, broadcast -> y
//   For few positions: packing a weight would then cost more than multiplying it. One phase in each axis: what is not
//   strided, and data gradients.
//   Panels that no cache holds are filled by the worker that multiplies them, a piece at a time. x is copied first
//   where the taps of a row do not follow each other in it.
//   Blocks: rows (output channels) by vectors of positions, from the routines of the weight gradient.
//   Refuses (null): weights of the op's own, 16-bit types, several phases, activations, more places than limits.h says.
//   Packs nothing. Looks for weights with Inf or NaN where a panel holds zeros that they would meet.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "src/engine/native/costs.h"
#include "src/engine/native/form.h"
#include "src/engine/native/outer_routines.h"

namespace ctconv::native::raw {

// Neighbouring positions: from `from` in x, or of y; place `to` in a block.
struct Run {
  int64_t to, from, count;
};

// A block of positions: what each tap reads of an input channel, and where the outputs go.
struct Block {
  int64_t positions = 0, vectors = 0;
  std::vector<Run> taps;       // of tap 0, 1, ...
  std::vector<int64_t> begin;  // of each tap in `taps`, and the end
  std::vector<Run> out;
};

template <class T>
struct Plan {
  Problem p;
  Moves<T> moves;
  OuterRoutines<T> routines;
  Grid grid;
  int32_t threads = 1;
  std::vector<Block> blocks;
  ActivationLayout x;            // of what panels are filled from: x, or its copy
  bool copied = false;           // x to channels outermost, rows as they are
  bool shared = true;            // panels hold everything, for all workers; else each a piece of its own
  int64_t width = 0;             // values of a panel's row
  std::vector<int64_t> row_at;   // of each (input channel, tap) in a row of w
  std::vector<int64_t> lane_at;  // of the rows of a panel that are read together
  int64_t part = 0;              // rows of a task
  int64_t row_first = 0;         // the least of row_at
  bool dense = false;            // row_at are neighbours, in whatever order
  bool padded = false;           // a tap leaves x
  double seconds = 0;

  int64_t taps() const { return grid[0].phases[0].taps * grid[1].phases[0].taps * grid[2].phases[0].taps; }
  int64_t depth() const { return p.ci * taps(); }
  int64_t parts() const { return ceil_div(p.co, part); }
  int64_t panel() const { return depth() * width; }
  int64_t piece() const { return shared ? 0 : std::min(kRawChunk, depth()) * width; }
  // Of a block: few enough that lines of w at equal distances do not push each other out of the first-level cache.
  int64_t rows(int64_t vectors) const { return std::min<int64_t>(kRawRows, routines.most_rows(vectors)); }
};

// Rows first .. last of a panel: input channels and taps in the chain's order, zeros where a tap leaves x. `x` is what
// the plan's layout says, of the group at hand.
template <class T>
void fill_rows(const Plan<T>& plan, const Block& block, const T* x, int64_t first, int64_t last, T* panel);

template <class T>
std::unique_ptr<Kernel> plan(const Given<T>& given);
template <class T>
std::string describe(const Plan<T>& plan);
template <class T>
size_t scratch_size(const Plan<T>& plan);
template <class T>
size_t packed_size(const Plan<T>& /*plan*/) {
  return 0;
}
template <class T>
std::string packing_key(const Plan<T>& /*plan*/) {
  return "native.raw";
}
template <class T>
Result<bool> pack_weights(const Plan<T>& plan, const void* w, void* packed, const Runner& runner);
template <class T>
Kernel::Spoils spoils_of(const Plan<T>& plan) {
  return plan.padded ? Kernel::Spoils::kBorders : Kernel::Spoils::kNothing;
}
template <class T>
Status compute(const Plan<T>& plan, const Operands& memory, const Runner& runner);

}  // namespace ctconv::native::raw
