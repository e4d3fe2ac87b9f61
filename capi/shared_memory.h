// Does a tensor that is written share bytes with anything else of its call?
//
//   in:  the written tensor and another one, or the workspace;   out: OK, or MISUSE_Y_OVERLAP with both names
//   Only dense tensors are asked: the bytes between strided elements may be anyone's.
#pragma once

#include "src/base/tensor.h"

namespace ctconv {

Status judge_shared(const char* name, const TensorView& written, const char* other_name, const TensorView& other);
Status judge_workspace(const char* name, const TensorView& written, const void* workspace, size_t bytes);

}  // namespace ctconv
