// SPDX-License-Identifier: Apache-2.0
// One backward call, read and judged: what ctconv_backward_prepare, _backward and _backward_describe share.
//
//   in:  an op and a ctconv_grads;   out: views, Geometry, the work for the op's backend
//   refuses: records, pointers and devices first, then what the dialect refuses of x and the weight, then dy and y
//   against the output, then dx, dw, db against x, the weight and the bias, then shared memory
#pragma once

#include "capi/op.h"
#include "src/backend/gradients.h"
#include "src/problem/judge.h"

namespace ctconv {

struct Grads {
  TensorView dy, x, y, weight, dx, dw, db;
  bool has_x = false, has_y = false, has_weight = false;  // given with the call
  bool want_dx = false, want_dw = false, want_db = false;
  bool accumulate = false;
  bool has_region = false;  // x is then the region's window of it
  void* workspace = nullptr;
  size_t workspace_bytes = 0;
  void* stream = nullptr;
  Geometry geometry;
  TensorView dw_shape;  // dw with the element type a weight would have: what stands for one that is not known

  // The shape of x: dx has it too. The weight of the call, else the op's own, else dw's shape; null: none is known.
  const TensorView& x_shape() const { return has_x ? x : dx; }
  const TensorView* weight_shape(const ctconv_op& op) const {
    if (has_weight) return &weight;
    return op.backend->weight() != nullptr ? op.backend->weight() : want_dw ? &dw_shape : nullptr;
  }
};

// `run`: data is there and memory must not be shared.
Status read_grads(const ctconv_op& op, const ctconv_grads* given, bool run, Grads* out);

// The tensors of a read call against its output and against each other (grads_check.cpp).
Status check_grads(const ctconv_op& op, const Grads& grads, bool run);

// The call as the op's backend takes it; it borrows `grads`.
GradientCall work_of(const ctconv_op& op, const Grads& grads);

}  // namespace ctconv
