// SPDX-License-Identifier: Apache-2.0
// Judges what only tensors can tell, in the order the descriptor lists, and fixes every size.
//
//   in:  a Descriptor, the tensors of the call (shapes and types; data is never read), the requested output size
//   out: a Geometry: all extents known;   refuses: the first fault in the dialect's order, worded with the legal range
//   weights given at create are judged by judge_weights (element type, rank, shape, bias shape) and not again at the
//   call.
#pragma once

#include "src/base/tensor.h"
#include "src/desc/descriptor.h"

namespace ctconv {

struct CallTensors {
  const TensorView* x = nullptr;
  const TensorView* w = nullptr;  // of this call, or the op's own
  const TensorView* b = nullptr;
  bool weights_judged = false;          // w is the op's own: judged at create
  bool bias_judged = false;             // b likewise
  const RequestedSize* size = nullptr;  // null: not given
  bool cuda = false;                    // the op's device decides which element types are taken
};

// One axis with everything decided. core = (in-1)*s + d*(k-1) + 1 - lo - hi + extra
struct AxisSizes {
  int64_t in = 1, k = 1, s = 1, d = 1, lo = 0, hi = 0, extra = 0, core = 1, tail = 0;
  int64_t out() const { return core + tail; }
};

struct Geometry {
  int rank = 0;
  bool batched = true;
  int64_t n = 1, in_channels = 0, out_channels = 0;  // totals over groups
  std::array<AxisSizes, 3> axis;                     // the dialect's own spatial axes, first `rank` used
  ElementType type;
};

// The call: x is required; w where the dialect's shapes come from it (else MISUSE_WEIGHT_MISSING).
Result<Geometry> judge_call(const Descriptor& desc, const CallTensors& tensors);

// What create can tell about weight and bias; either may be null.
Status judge_weights(const Descriptor& desc, const TensorView* w, const TensorView* b, bool cuda);

struct WeightSpecs {
  TensorSpec weight, bias;
};
// Shapes to allocate; x only where the kernel or the channels are derived from it.
Result<WeightSpecs> weight_specs(const Descriptor& desc, const TensorView* x);

// y as the dialect lays it out.
TensorSpec output_spec(const Descriptor& desc, const Geometry& geometry);

}  // namespace ctconv
