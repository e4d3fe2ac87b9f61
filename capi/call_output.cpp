// SPDX-License-Identifier: Apache-2.0
// Judging y: its type and shape, that no two of its elements meet, and that it shares no memory. See call.h.
#include <algorithm>
#include <string>
#include <utility>

#include "capi/call.h"
#include "capi/shared_memory.h"
#include "src/base/overlap.h"
#include "src/base/show.h"

namespace ctconv {
namespace {

Status check_shared(const ctconv_op& op, const Call& call, const Span& span) {
  const WrittenTensor y{"y", call.y, span};
  const std::pair<const char*, const TensorView*> inputs[] = {
      {"x", &call.x}, {"weight", call.weight_for(op)}, {"bias", call.bias_for(op)}};
  for (const auto& [name, view] : inputs) {
    if (view == nullptr || view->data == nullptr) continue;
    CTCONV_RETURN_IF_ERROR(judge_shared(y, name, *view));
  }
  return judge_workspace(y, call.workspace, call.workspace_bytes);
}

}  // namespace

Status check_output(const ctconv_op& op, const Call& call, Stage stage) {
  if (!call.has_y) return {};
  const TensorSpec& want = call.y_spec;
  const std::span<const int64_t> shape(want.shape.data(), static_cast<size_t>(want.ndim));
  if (!(call.y.type == want.type)) {
    return argument_error(Code::MISUSE_Y_DTYPE, "y", name_of(call.y.type), name_of(want.type),
                          "has another element type than the output");
  }
  if (!std::equal(shape.begin(), shape.end(), call.y.dims().begin(), call.y.dims().end())) {
    return argument_error(Code::MISUSE_Y_SHAPE, "y", show_shape(call.y), show_shape(shape),
                          "has another shape than the output");
  }
  Span y;
  CTCONV_RETURN_IF_ERROR(span_of(call.y, "y", &y));
  CTCONV_RETURN_IF_ERROR(judge_self_overlap("y", call.y));
  return stage == Stage::kExecute ? check_shared(op, call, y) : Status();
}

}  // namespace ctconv
