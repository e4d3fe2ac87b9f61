// SPDX-License-Identifier: Apache-2.0
// Form "rows": one input and one output channel per group, rows of y contiguous: lanes run over positions.
//
//   x of one channel -> padded plane of one worker -> per output row: all phases in registers, interleaved -> y, once
//   Weights: [group][(d, h) phases][w phase][tap].
//   16-bit types are widened on their way into the plane and narrowed in registers.
//   Refuses (null): more than one channel in a group, rows that are not contiguous or miss a phase, strides along w
//   that have no interleaving store.
//   Refuses to pack: weights with Inf or NaN, which padding could meet.
#pragma once

#include <memory>
#include <vector>

#include "src/engine/native/form.h"
#include "src/engine/native/rows_routines.h"

namespace ctconv::native::rows {

// One phase of d and of h, all of w.
struct PhasePair {
  std::vector<int32_t> begin;         // per w phase, and the end: its first tap
  std::vector<int64_t> x_tap, w_tap;  // places in the plane and in the raw weight
  int64_t weight = 0;                 // offset inside the group's packed weights
};

template <class T>
struct Plan {
  Problem p, channel;  // channel: a single one of it
  Moves<T> moves;
  RowsRoutines<T> routines;
  Grid grid;
  int32_t threads = 1;
  Planes planes;
  std::vector<PhasePair> pairs;
  int64_t weights = 0;  // packed elements of a group
  int64_t room = 0;     // values that wait for their place in y; 0: rows go straight to y
  int64_t places = 1;   // planes at a time: no more than channels, so that many threads need no more than x does
  bool stream = false;  // y is too large for the cache
  double seconds = 0;
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
  return Kernel::Spoils::kBorders;
}
template <class T>
Status compute(const Plan<T>& plan, const Operands& memory, const Runner& runner);

}  // namespace ctconv::native::rows
