// SPDX-License-Identifier: Apache-2.0
// Workspace, stream, output size; see requests.h.
#include "capi/requests.h"

#include <array>
#include <memory_resource>
#include <string>

namespace ctconv {

Status check_resources(const Backend& backend, const void* workspace, size_t workspace_bytes, const void* stream) {
  if (workspace == nullptr && workspace_bytes != 0) {
    return argument_error(Code::MISUSE_WORKSPACE, "workspace",
                          "NULL with " + std::to_string(workspace_bytes) + " bytes", "NULL with 0 bytes",
                          "contradicts itself");
  }
  return backend.check_stream(stream);
}

Status read_size(const Descriptor& desc, const ctconv_value& given, int ndim, RequestedSize* out) {
  std::array<std::byte, 4096> stack;
  std::pmr::monotonic_buffer_resource memory(stack.data(), stack.size());
  Value value(&memory);
  CTCONV_RETURN_IF_ERROR(read_value(given, "output_size", &value));
  if (!desc.output_size_in_call) {
    return argument_error(Code::TYPE_ARGUMENT_NAME, desc.spelling.output_size, value.show(),
                          "no argument but the input", "is no argument of a call of " + desc.dialect);
  }
  *out = read_output_size(desc, value, ndim);
  return {};
}

}  // namespace ctconv
