// SPDX-License-Identifier: Apache-2.0
// What a call and a backward call ask beside their tensors: a workspace, a stream, an output size.
//
//   refuses: MISUSE_WORKSPACE for bytes without a workspace; what the backend says of a stream; TYPE_ARGUMENT_NAME for
//   an output_size that the dialect's call does not have
#pragma once

#include "capi/op.h"

namespace ctconv {

Status check_resources(const Backend& backend, const void* workspace, size_t workspace_bytes, const void* stream);

// `ndim`: of x. Nothing is allocated: execute uses no heap.
Status read_size(const Descriptor& desc, const ctconv_value& given, int ndim, RequestedSize* out);

}  // namespace ctconv
