// SPDX-License-Identifier: Apache-2.0
// Spans in memory, compared; see shared_memory.h.
#include "capi/shared_memory.h"

#include <algorithm>
#include <string>

namespace ctconv {
namespace {

bool intersects(const void* a, const Span& sa, const void* b, const Span& sb) {
  const auto pa = reinterpret_cast<uintptr_t>(a), pb = reinterpret_cast<uintptr_t>(b);
  const auto at = [](uintptr_t p, int64_t offset) { return p + static_cast<uintptr_t>(offset); };
  return at(pa, sa.lo) < at(pb, sb.hi) && at(pb, sb.lo) < at(pa, sa.hi);
}

Status overlap(const std::string& name, const std::string& other) {
  return Status(Status::Detail{.code = Code::MISUSE_Y_OVERLAP,
                               .argument = name,
                               .value = "memory of " + other,
                               .range = "memory of its own",
                               .message = name + " shares memory with " + other});
}

}  // namespace

Status judge_shared(const WrittenTensor& written, const char* other_name, const TensorView& other) {
  Span span;
  CTCONV_RETURN_IF_ERROR(span_of(other, other_name, &span));
  const bool shared = written.span.dense && span.dense && intersects(written.view.data, written.span, other.data, span);
  return shared ? overlap(written.name, other_name) : Status();
}

Status judge_workspace(const WrittenTensor& written, const void* workspace, size_t bytes) {
  if (workspace == nullptr || !written.span.dense) return {};
  const Span span{0, static_cast<int64_t>(std::min<size_t>(bytes, INT64_MAX)), true};
  return intersects(written.view.data, written.span, workspace, span) ? overlap(written.name, "the workspace")
                                                                      : Status();
}

}  // namespace ctconv
