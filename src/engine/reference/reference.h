// SPDX-License-Identifier: Apache-2.0
// The meaning of the library: every other engine is judged against this one.
//
//   y[n, g*co + c, o] = act(bias + sum over ci, then taps in d, h, w order, of x * w), one chain of fused multiply-adds
//   in:  any Problem of the four float types: any rank, groups and strides, any written operand
//   refuses: other types, rescaling
#pragma once

#include "src/plan/engine.h"

namespace ctconv {

extern const Engine kReferenceEngine;

}  // namespace ctconv
