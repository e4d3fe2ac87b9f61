// SPDX-License-Identifier: Apache-2.0
// The engine `winograd`: fewer products a sum, by transforming tiles of x and the weight.
//
//   in:      a forward problem of f32, f16 or bf16 whose phases have at most 3 taps along h and w, and 2 or 3 on one
//   out:     a Kernel with bits kStable: the sums of docs/decisions/winograd.md, the same for any threads and blocks
//   refuses: f64; few input channels; more than 3 taps a phase along h or w; phases without a tap; dilation together
//            with a stride; tables or workspace beyond their limits. Weights and x out of its range: see values.h
#pragma once

#include "src/plan/engine.h"

namespace ctconv {

// Neighbours of an input enter a point and leave the sum again, not so their rounding errors. With few channels these
// stand out: one input may be small beside its neighbours, the whole sum is not.
inline constexpr int64_t kLeastWinogradChannels = 24;

extern const Engine kWinogradEngine;

}  // namespace ctconv
