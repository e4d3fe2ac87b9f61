// SPDX-License-Identifier: Apache-2.0
// Does a strided tensor meet itself: do two different indices share an element?
//
//   in:  a TensorView whose offsets fit 63 bits (span_of judges that)
//   out: kNone, kSome, or kUndecided where the strides interleave so that a bounded search does not end
//   The question: is there d, not all zero, with |d_a| < extent_a and sum of d_a * stride_a == 0?
//   Decided: every view with at most two axes that interleave, whatever its size; every view of up to 5 axes
//   and 2^22 elements; beyond that all whose search ends within kMostSteps. No memory is allocated.
#pragma once

#include "src/base/tensor.h"

namespace ctconv {

enum class Overlap { kNone, kSome, kUndecided };

inline constexpr int64_t kMostOverlapSteps = int64_t{1} << 20;

Overlap self_overlap(const TensorView& t);

// MISUSE_Y_OVERLAP where two different indices share an element, or where that could not be decided.
Status judge_self_overlap(const char* name, const TensorView& t);

}  // namespace ctconv
