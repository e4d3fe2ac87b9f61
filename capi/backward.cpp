// SPDX-License-Identifier: Apache-2.0
// ctconv_backward_prepare, _backward and _backward_describe: a call is read and judged, then the op's backend works.
#include "capi/describe.h"
#include "capi/grads.h"
#include "src/base/utf8.h"

using namespace ctconv;

namespace {

// The lines of one plan under its gradient's name.
std::string under(const std::string& name, const std::string& lines) {
  std::string out;
  for (size_t at = 0; at < lines.size();) {
    const size_t end = lines.find('\n', at) + 1;
    out += name + "." + lines.substr(at, end - at);
    at = end;
  }
  return out;
}

std::string text_of(const GradientFacts& facts) {
  std::string s = "workspace_bytes: " + std::to_string(facts.workspace_bytes) + "\n";
  if (facts.data) s += under("dx", describe_plan(*facts.data));
  if (facts.weight) s += under("dw", describe_plan(*facts.weight));
  return s;
}

}  // namespace

extern "C" {

ctconv_status ctconv_backward_prepare(const ctconv_op* op, const ctconv_grads* grads, size_t* workspace_bytes,
                                      ctconv_error* error) {
  if (workspace_bytes != nullptr) *workspace_bytes = 0;
  return guarded(error, [&]() -> Status {
    if (op == nullptr) return null_argument("op");
    if (workspace_bytes == nullptr) return null_argument("workspace_bytes");
    Grads judged;
    CTCONV_RETURN_IF_ERROR(read_grads(*op, grads, false, &judged));
    auto bytes = op->backend->prepare_backward(work_of(*op, judged));
    if (!bytes.ok()) return bytes.take_status();
    *workspace_bytes = *bytes;
    return {};
  });
}

ctconv_status ctconv_backward(const ctconv_op* op, const ctconv_grads* grads, ctconv_error* error) {
  return guarded(error, [&]() -> Status {
    if (op == nullptr) return null_argument("op");
    Grads judged;
    CTCONV_RETURN_IF_ERROR(read_grads(*op, grads, true, &judged));
    return op->backend->backward(work_of(*op, judged));
  });
}

ctconv_status ctconv_backward_describe(const ctconv_op* op, const ctconv_grads* grads, char* buf, size_t cap,
                                       size_t* needed, ctconv_error* error) {
  if (needed != nullptr) *needed = 0;
  if (buf != nullptr && cap > 0) buf[0] = '\0';
  return guarded(error, [&]() -> Status {
    if (op == nullptr) return null_argument("op");
    if (buf == nullptr && cap > 0) return null_argument("buf");
    Grads judged;
    CTCONV_RETURN_IF_ERROR(read_grads(*op, grads, false, &judged));
    auto facts = op->backend->describe_backward(work_of(*op, judged));
    if (!facts.ok()) return facts.take_status();
    const std::string text = text_of(*facts);
    if (needed != nullptr) *needed = text.size() + 1;
    copy_text(text, buf, cap);
    return {};
  });
}

}  // extern "C"
