// SPDX-License-Identifier: Apache-2.0
// The op's own weight or bias in host memory: a dense copy, or the caller's memory where it is lent.
//
//   in:  a view of host memory, how to allocate, who may help to copy
//   out: OwnTensor: a view that lives as long as it does
//   refuses: SHAPE_OUTPUT_OVERFLOW from 2^63 bytes on, MISUSE_TENSOR where strides reach beyond 63 bits, NO_MEMORY
#pragma once

#include "src/base/memory.h"
#include "src/base/runner.h"
#include "src/base/tensor.h"

namespace ctconv {

struct OwnTensor {
  TensorView view;
  Buffer copy;  // empty where borrowed
};

// `name` is what a refusal calls it; `runner` copies what is large.
Status keep_tensor(const TensorView& given, const char* name, bool borrow, const Allocator& allocator,
                   const Runner& runner, OwnTensor* out);

}  // namespace ctconv
