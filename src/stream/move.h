// SPDX-License-Identifier: Apache-2.0
// Copies between strided tensors of three axes; no memory is taken.
//
//   in:  two views of one shape and element type, any strides, that share no byte;   out: the first one's elements in
//        the second
//   refuses: nothing, both were judged
#pragma once

#include "src/base/tensor.h"

namespace ctconv {

// `count` positions of `axis`: those from `from_at` on become those from `to_at` on.
void move_rows(const TensorView& from, int64_t from_at, const TensorView& to, int64_t to_at, int axis, int64_t count);

}  // namespace ctconv
