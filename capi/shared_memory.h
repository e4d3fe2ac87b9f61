// SPDX-License-Identifier: Apache-2.0
// Does a tensor that is written share bytes with anything else of its call?
//
//   in:  the written tensor with its span, and another one, or the workspace
//   out: OK, or MISUSE_Y_OVERLAP with both names
//   The bytes between strided elements may be anyone's: two slices of one array share none where no element is in both.
#pragma once

#include "src/base/tensor.h"

namespace ctconv {

struct WrittenTensor {
  const char* name;
  const TensorView& view;
  Span span;
};

Status judge_shared(const WrittenTensor& written, const char* other_name, const TensorView& other);
Status judge_workspace(const WrittenTensor& written, const void* workspace, size_t bytes);

}  // namespace ctconv
