// SPDX-License-Identifier: Apache-2.0
// Form "channels": vector lanes run over packed output channels, rows of a block are positions.
//
//   For many channels: any positions fill the rows, so narrow images, borders and batches of tiny images waste nothing.
//   x (in place where its channels lie innermost, else copied so) -> blocks in slices of input channels -> sums of a
//   tile -> y
//   Only taps that meet a real input element are multiplied: a tile is cut into boxes of equal tap sets. No padding.
//   Positions may lie several input rows apart (the data gradient). Then x is many times y: what a tile reads comes
//   into a panel of its worker, unless it is read in place.
//   Weights: [group][triple][block][ci][taps][V*N]; a triple is one phase of d and h and one, or all merged, of w.
//   Lanes of a block: (c, f) or, with y's channels innermost, (f, c): runs of lanes are contiguous in y.
//   Form "merged": the same with all w phases in the lanes; it needs them to have one tap list and their sums as runs.
//
//   Refuses (null): tables beyond limits.h, lanes that are mostly padding, phases that cannot be merged.
//   Refuses to pack: weights with Inf or NaN, although padding cannot meet them here.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "src/engine/native/channels_routines.h"
#include "src/engine/native/form.h"

namespace ctconv::native::channels {

// What the lanes hold: the output channels of a group, in merged form each with all w phases.
struct Lanes {
  bool merged = false;
  bool inner = false;       // y's channels innermost: lanes are (f, c)
  bool runs = false;        // lanes lie in y as runs; otherwise sums are transposed and stored as rows
  bool everywhere = false;  // no w phase misses a position of the grid
  int64_t co = 1, phases = 1;
  int64_t rows = 1;    // co * phases
  int64_t padded = 1;  // the same in whole vectors
  int64_t run = 1;     // rows that follow each other in y

  int64_t channel(int64_t row) const { return inner ? row % co : row / phases; }
  int64_t phase(int64_t row) const { return inner ? row / co : row % phases; }
};

// x as the routines read it: where it lies, in a copy of some images, or in a panel of the tile at hand.
struct Source {
  bool in_place = false;
  int64_t pitch = 1;                // from one position of the copy to the next
  std::array<int64_t, 5> stride{};  // n, g, d, h, w
  int64_t image = 0;                // elements of the copy
  int64_t panel = 0;                // elements of a panel of one group; 0: none
};

// One phase of each axis; w: the first of those in the lanes.
struct Triple {
  int32_t d = 0, h = 0, w = 0;
  int64_t taps = 0;
  int64_t weight = 0;  // offset inside the group's packed weights
  int64_t w_tap = 0;   // where its taps begin in Triples::w_taps
};
// Triples [first, last) whose sums are finished together: all w phases of a (d, h) phase where they become rows of y.
struct Unit {
  int64_t first = 0, last = 0;
  int64_t count() const { return last - first; }
};
struct Triples {
  std::vector<Triple> all;
  std::vector<Unit> units;
  std::vector<int64_t> w_taps;  // places of the taps in the raw weight, counted from the triple's first
  std::array<std::vector<std::vector<Stretch>>, 3> stretches;  // per axis and phase
  int64_t weights = 0;                                         // packed elements of a group
  int64_t most_taps = 1, most_in_unit = 1;
};

// Vectors of lanes that are summed in one call.
struct Block {
  int32_t row0 = 0, vectors = 0, valid = 0;  // valid: lanes that compute something
};

struct Range {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
};
using Box = std::array<Range, 4>;  // n (of the images at hand), u along d, h, w

struct Tiles {
  std::array<int64_t, 4> step{}, count{};  // size and number of tiles along n, d, h, w
  int64_t images = 1;                      // copied, and cut into tiles, at once
  int64_t positions = 1;                   // of a tile, at most
  int64_t widest = 1;                      // lanes of the widest block
  bool weights_outer = false;              // a task's neighbour has the same weights, not the same x
  bool own_copy = false;  // every worker copies x for itself: cheaper than reading what another core wrote

  int64_t per_images(int64_t n) const { return ceil_div(n, step[0]) * count[1] * count[2] * count[3]; }
};

template <class T>
struct Plan {
  Problem p;
  Moves<T> moves;
  ChannelsRoutines<T> routines;
  Grid grid;
  int32_t threads = 1;
  Lanes lanes;
  Source source;
  Triples triples;
  std::vector<Block> blocks;
  Tiles tiles;
  bool direct = false;  // blocks write y themselves
  bool stream = false;  // y is too large for the cache and made of whole lines
  int64_t room = 0;     // of the row store's stage
  RowStore<T> store;
  double seconds = 0;

  int64_t width(const Block& b) const { return b.vectors * moves.lanes; }
  int64_t pairs() const { return std::ssize(triples.units) * std::ssize(blocks); }  // of a unit and a block
  const Phase& w_phase(int64_t i) const { return lanes.merged ? grid[2].by_f(i) : grid[2].phase(i); }
};

template <class T>
std::unique_ptr<Kernel> plan(const Given<T>& given);
template <class T>
std::unique_ptr<Kernel> plan_merged(const Given<T>& given);
template <class T>
std::string describe(const Plan<T>& plan);
template <class T>
size_t scratch_size(const Plan<T>& plan);
template <class T>
size_t packed_size(const Plan<T>& plan);
template <class T>
std::string packing_key(const Plan<T>& plan);
template <class T>
Result<bool> pack_weights(const Plan<T>& plan, const void* w, void* packed, const Runner& runner);
template <class T>
Kernel::Spoils spoils_of(const Plan<T>& /*plan*/) {
  return Kernel::Spoils::kNothing;
}
template <class T>
Status compute(const Plan<T>& plan, const Operands& memory, const Runner& runner);

}  // namespace ctconv::native::channels
