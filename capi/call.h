// One call, read and judged: what output_spec, prepare, execute and describe share.
//
//   in:  an op and a ctconv_call;   out: views, Geometry, Problem, Plan;   refuses: in the order the header promises
#pragma once

#include "capi/op.h"
#include "src/problem/canonicalize.h"
#include "src/problem/judge.h"

namespace ctconv {

struct Call {
  TensorView x, y, weight, bias;
  bool has_y = false, has_weight = false, has_bias = false;  // given with the call
  void* workspace = nullptr;
  size_t workspace_bytes = 0;
  void* stream = nullptr;
  Geometry geometry;
  TensorSpec y_spec;
};

enum class Stage { kSpec, kPrepare, kExecute };

// Records, pointers and devices, then the dialect's judgement.
Status read_call(const ctconv_op& op, const ctconv_call* given, Stage stage, Call* out);
// y against the output; for execute also overlap and workspace.
Status check_output(const ctconv_op& op, const Call& call, Stage stage);

Problem problem_of(const ctconv_op& op, const Call& call);
Result<std::shared_ptr<const Plan>> plan_of(const ctconv_op& op, const Call& call);

}  // namespace ctconv
