// SPDX-License-Identifier: Apache-2.0
// Form "depthwise": one input and one output channel per group, channels innermost in x and y: lanes run over channels.
//
//   x (in place, or widened) -> per output row and phase: positions x taps of vector multiply-adds -> y
//   Only taps that meet a real input element are multiplied. Weights: [triple][tap][channel]; a triple is one phase of
//   each axis.
//   16-bit types are read where they lie, too. Where each is read many times a task first widens what it reads into a
//   panel of its worker; it is then a range of channels too, which bounds the panel.
//   Refuses (null): fewer channels than lanes, other layouts, more than one channel in a group, too large tables.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "src/engine/native/depthwise_routines.h"
#include "src/engine/native/form.h"

namespace ctconv::native::depthwise {

// A task: a tile of positions of one output row, all their phases, and a part of the channels.
struct Tiles {
  int64_t positions = 1, count = 1;  // of a row
  int64_t near = 1;                  // of them computed in all phases before the next ones
  int64_t parts = 1;                 // of the channels
  int64_t panel_row = 0;             // elements of one input row in a panel
  int64_t panel = 0, wide = 0;       // elements: of the panel, of the outputs before they are narrowed
};

template <class T>
struct Plan {
  Problem p;
  Moves<T> moves;
  DepthwiseRoutines<T> routines;
  Grid grid;
  int32_t threads = 1;
  std::array<std::vector<std::vector<Stretch>>, 3> stretches;  // per axis and phase
  std::vector<int64_t> weight;                                 // per triple: where its taps begin
  int64_t weights = 0, most_rows = 1;                          // elements; taps of d and h together
  bool in_place = false;                                       // x is read where it lies
  bool straight = false;                                       // sums go to y at once
  bool stream = false;                                         // y is too large for the cache and made of whole lines
  Stored in = Stored::kWide, out = in;                         // what the routine reads and writes
  Tiles tiles;
  double seconds = 0;

  int64_t triple(int64_t d, int64_t h, int64_t w) const { return (d * grid[1].count() + h) * grid[2].count() + w; }
};

template <class T>
std::unique_ptr<Kernel> plan(const Given<T>& given);
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

}  // namespace ctconv::native::depthwise
