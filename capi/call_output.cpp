// Judging y: its type and shape, that no two of its elements meet, and that it shares no memory. See call.h.
#include <algorithm>
#include <string>
#include <utility>

#include "capi/call.h"
#include "src/base/overlap.h"
#include "src/base/show.h"

namespace ctconv {
namespace {

bool intersects(const TensorView& a, const Span& sa, const void* b, const Span& sb) {
  const auto pa = reinterpret_cast<uintptr_t>(a.data), pb = reinterpret_cast<uintptr_t>(b);
  const auto at = [](uintptr_t p, int64_t offset) { return p + static_cast<uintptr_t>(offset); };
  return at(pa, sa.lo) < at(pb, sb.hi) && at(pb, sb.lo) < at(pa, sa.hi);
}

Status overlap(const char* other) {
  return Status(Status::Detail{.code = Code::MISUSE_Y_OVERLAP,
                               .argument = "y",
                               .value = std::string("memory of ") + other,
                               .range = "memory of its own",
                               .message = std::string("y shares memory with ") + other});
}

// Only dense tensors are asked: the bytes between strided elements may be anyone's.
Status check_shared(const ctconv_op& op, const Call& call, const Span& y) {
  const std::pair<const char*, const TensorView*> inputs[] = {
      {"x", &call.x}, {"weight", call.weight_for(op)}, {"bias", call.bias_for(op)}};
  for (const auto& [name, view] : inputs) {
    if (view == nullptr || view->data == nullptr) continue;
    Span span;
    CTCONV_RETURN_IF_ERROR(span_of(*view, name, &span));
    if (y.dense && span.dense && intersects(call.y, y, view->data, span)) return overlap(name);
  }
  if (call.workspace == nullptr || !y.dense) return {};
  const Span bytes{0, static_cast<int64_t>(std::min<size_t>(call.workspace_bytes, INT64_MAX)), true};
  return intersects(call.y, y, call.workspace, bytes) ? overlap("the workspace") : Status();
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
