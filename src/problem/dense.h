// SPDX-License-Identifier: Apache-2.0
// How the operands of a Problem lie when nothing lies between their elements: row-major strides by name.
//
//   in:  a Problem's sizes;   out: layouts;   refuses: nothing
//   y has its tail. An extent of 0 counts as 1; axes that the rank does not have keep stride 0.
#pragma once

#include "src/problem/problem.h"

namespace ctconv {

// (n, channels, d, h, w), or (n, d, h, w, channels).
ActivationLayout dense_layout(const Problem& p, bool output, bool channels_last);
// (g, ci, co, taps)
WeightLayout dense_weight(const Problem& p);

}  // namespace ctconv
