// SPDX-License-Identifier: Apache-2.0
// What the descriptor and the tensors of a call say together: the questions that the judgements ask.
//
//   in:  a Descriptor, the tensors of the call
//   out: rank, channels, kernel, extents, the shapes a weight and a bias must have;   refuses: nothing
//   A size that cannot be known yet is 0: each judgement is asked in the dialect's order, not in that of its needs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "src/desc/weight_axes.h"
#include "src/problem/judge.h"
#include "src/problem/lowering.h"

namespace ctconv {

struct Facts {
  Facts(const Descriptor& descriptor, const CallTensors& tensors);

  const Descriptor& desc;
  const CallTensors& call;
  const TensorView* const x;  // each may be null
  const TensorView* const w;
  const TensorView* const b;
  int rank = 0;  // spatial axes, 0 to 3
  bool batched = true;
  WeightAxes axes;  // of a weight of that rank

  // x has the number of axes that its extents are read from.
  bool x_ready() const { return x && (x->ndim == rank + 2 || !batched); }
  bool weight_ready() const { return w && w->ndim == axes.ndim; }
  bool new_weight() const { return w && !call.weights_judged; }
  int64_t x_extent(int axis) const { return at(x->shape, (desc.channels_last ? 0 : 1) + (batched ? 1 : 0) + axis); }
  int64_t x_channels() const;
  int64_t weight_in_channels() const;   // of all groups
  int64_t weight_out_channels() const;  // of one group
  int64_t in_channels() const;
  int64_t out_channels() const;
  int64_t kernel(int axis) const;
  std::optional<int64_t> requested_size(int axis) const;
  Lowered lowered(int axis) const {
    return lower_axis(desc, static_cast<size_t>(axis), x_extent(axis), kernel(axis), requested_size(axis));
  }

  // The shape a weight must have; 0 where only the weight itself can tell.
  std::vector<int64_t> expected_weight(bool with_derived_taps) const;
  std::vector<int64_t> expected_bias() const;
};

}  // namespace ctconv
