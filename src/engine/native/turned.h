// SPDX-License-Identifier: Apache-2.0
// Form "turned": the problem in pieces, each turned in a worker's memory so that another form runs there at full speed.
//
//   x of a piece -> panel, turned and widened -> another form, one thread -> panel -> y, turned back and narrowed
//   For operands whose innermost dimension is of no use as lanes: few channels a group and channels innermost, batches
//   of tiny maps, short rows of many groups. Values of a piece are in the cache for all three steps.
//
//   A view says which dimension becomes the lanes:
//     rows     w, as it is
//     batch    the batch is the innermost axis: n -> w, w -> h, h -> d. Needs an axis that is not in use.
//     groups   the groups; input channels of a group become taps of an axis in front, output channels are computed one
//              after the other. Needs an axis that is not in use, or a single input channel.
//   All pieces are alike: where one sticks out of x, its panel holds zeros there; what sticks out of y is left there.
//
//   Refuses (null): problems whose layout other forms serve as well, pieces that no other form computes.
//   Refuses to pack: weights with Inf or NaN, which padding could meet.
#pragma once

#include <array>
#include <memory>

#include "src/engine/native/costs.h"
#include "src/engine/native/form.h"
#include "src/kit/boxes.h"

namespace ctconv::native::turned {

enum class Lanes { kRows, kBatch, kGroups };

// The problem with other names for its dimensions.
struct View {
  Lanes lanes = Lanes::kRows;
  Problem p;
  // One after the other: output channels of a group. From one to the next in y and in the raw weight.
  int64_t repeats = 1, y_repeat = 0, w_repeat = 0;
  int64_t vectors = kTurnedVectors;         // of lanes in a piece, at least
  std::array<int64_t, 3> strides{1, 1, 1};  // of positions in x: those of a data gradient; groups as lanes only
  bool channel_axis = false;  // the first axis is the input channels of a group: row i is channel ci - 1 - i

  bool strided() const { return strides[0] * strides[1] * strides[2] != 1; }
};

// How one dimension of the view is cut: pieces of `step` outputs, images or groups.
struct Cut {
  int64_t whole = 1, step = 1, count = 1;
  // Of an axis: input rows of a piece, the first of piece 0, and from one piece to the next.
  int64_t window = 1, first = 0, in_step = 0;
};
struct Cuts {
  Cut n, g;
  std::array<Cut, 3> axis;

  int64_t count() const { return n.count * g.count * axis[0].count * axis[1].count * axis[2].count; }
};

template <class T>
struct Plan {
  Problem p;
  Moves<T> moves;
  int32_t threads = 1;
  View view;
  Cuts cuts;
  Problem piece;                     // as the inner form sees it: dense, in the computing type
  int64_t x_panel = 0, y_panel = 0;  // elements, of one repeat
  int64_t x_first = 0;               // place of the piece's first element in the panel
  std::unique_ptr<Kernel> inner;
  double seconds = 0;

  int64_t packed_part() const { return static_cast<int64_t>(round_up(inner->packed_bytes())); }
  // The first group of a part: the last part overlaps the one before it where parts do not come out even.
  int64_t first_group(int64_t part) const { return std::min(part * cuts.g.step, cuts.g.whole - cuts.g.step); }
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
Kernel::Spoils spoils_of(const Plan<T>& plan) {
  const auto& axis = plan.cuts.axis;
  return axis[0].count * axis[1].count * axis[2].count == 1 ? plan.inner->spoils() : Kernel::Spoils::kBorders;
}
template <class T>
Status compute(const Plan<T>& plan, const Operands& memory, const Runner& runner);

}  // namespace ctconv::native::turned
