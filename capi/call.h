// SPDX-License-Identifier: Apache-2.0
// One call, read and judged: what output_spec, prepare, execute and describe share.
//
//   in:  an op and a ctconv_call;   out: views, Geometry, the work for the op's backend
//   refuses: in the order the header promises; a box or a window that does not fit last (MISUSE_REGION)
#pragma once

#include "capi/op.h"
#include "src/problem/judge.h"

namespace ctconv {

struct Call {
  TensorView x, y, weight, bias;
  bool has_y = false, has_weight = false, has_bias = false;  // given with the call
  void* workspace = nullptr;
  size_t workspace_bytes = 0;
  void* stream = nullptr;
  Geometry geometry;  // with a region: the box's
  bool has_region = false;
  std::array<int64_t, 3> x_begin{};  // with a region: where its window of the whole x begins; x is then that window
  TensorSpec y_spec;

  // Of the call, else the op's own; null: there is none.
  const TensorView* weight_for(const ctconv_op& op) const { return has_weight ? &weight : op.backend->weight(); }
  const TensorView* bias_for(const ctconv_op& op) const { return has_bias ? &bias : op.backend->bias(); }
};

enum class Stage { kSpec, kPrepare, kExecute };

// Records, pointers and devices, then the dialect's judgement; y and the workspace too, but for kSpec.
Status read_call(const ctconv_op& op, const ctconv_call* given, Stage stage, Call* out);

// y against the output; for kExecute also against all that it must not share memory with (call_output.cpp).
Status check_output(const ctconv_op& op, const Call& call, Stage stage);

// The call as the op's backend takes it; it borrows `call`.
WorkCall work_of(const ctconv_op& op, const Call& call);

}  // namespace ctconv
