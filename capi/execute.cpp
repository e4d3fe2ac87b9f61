// SPDX-License-Identifier: Apache-2.0
// ctconv_output_spec, _region_window, _prepare and _execute: a call is read and judged, then the op's backend works.
#include <cstring>

#include "capi/call.h"
#include "src/base/at.h"

using namespace ctconv;

extern "C" {

ctconv_status ctconv_output_spec(const ctconv_op* op, const ctconv_call* call, ctconv_spec* y, ctconv_error* error) {
  if (y != nullptr) std::memset(y, 0, sizeof *y);
  return guarded(error, [&]() -> Status {
    if (op == nullptr) return null_argument("op");
    if (y == nullptr) return null_argument("y");
    Call judged;
    CTCONV_RETURN_IF_ERROR(read_call(*op, call, Stage::kSpec, &judged));
    write_spec(judged.y_spec, y);
    return {};
  });
}

ctconv_status ctconv_region_window(const ctconv_op* op, const ctconv_call* call, int64_t* x_begin, int64_t* x_end,
                                   ctconv_error* error) {
  return guarded(error, [&]() -> Status {
    if (op == nullptr) return null_argument("op");
    if (x_begin == nullptr) return null_argument("x_begin");
    if (x_end == nullptr) return null_argument("x_end");
    Call judged;
    CTCONV_RETURN_IF_ERROR(read_call(*op, call, Stage::kSpec, &judged));
    if (!judged.has_region) return null_argument("call.begin");
    for (int a = 0; a < judged.geometry.rank; ++a) {
      x_begin[a] = at(judged.x_begin, a);
      x_end[a] = x_begin[a] + at(judged.geometry.axis, a).in;
    }
    return {};
  });
}

ctconv_status ctconv_prepare(const ctconv_op* op, const ctconv_call* call, size_t* workspace_bytes,
                             ctconv_error* error) {
  if (workspace_bytes != nullptr) *workspace_bytes = 0;
  return guarded(error, [&]() -> Status {
    if (op == nullptr) return null_argument("op");
    if (workspace_bytes == nullptr) return null_argument("workspace_bytes");
    Call judged;
    CTCONV_RETURN_IF_ERROR(read_call(*op, call, Stage::kPrepare, &judged));
    auto bytes = op->backend->prepare(work_of(*op, judged));
    if (!bytes.ok()) return bytes.take_status();
    *workspace_bytes = *bytes;
    return {};
  });
}

ctconv_status ctconv_execute(const ctconv_op* op, const ctconv_call* call, ctconv_error* error) {
  return guarded(error, [&]() -> Status {
    if (op == nullptr) return null_argument("op");
    Call judged;
    CTCONV_RETURN_IF_ERROR(read_call(*op, call, Stage::kExecute, &judged));
    return op->backend->execute(work_of(*op, judged));
  });
}

}  // extern "C"
