// SPDX-License-Identifier: Apache-2.0
// Values that oneDNN does not honour: found before a call, so that another engine computes it.
//
//   not finite: its blocked loops multiply padding zeros, an Inf or NaN among the weights would make a NaN of them;
//               its 16-bit loops multiply neighbours in x by zeros of the weights, so there x counts too;
//               its activations turn a NaN into a number, so with one of them x and bias count in every type
//   subnormal:  its bf16 products take a number below 2^-126 for zero (vdpbf16ps), whatever it is multiplied by
//   in:  weights as packed, x as the caller's layout says;   out: whether every value is honoured
#pragma once

#include <cstddef>
#include <cstdint>

#include "src/base/runner.h"
#include "src/problem/problem.h"

namespace ctconv::onednn {

// True for the element types whose subnormal numbers it takes for zero. f16 is widened exactly.
constexpr bool flushes_subnormals(Dtype dtype) { return dtype == Dtype::kBf16; }

// True where the activation may turn a NaN into a number. relu, clip and bf16's sigmoid were seen to.
constexpr bool swallows_nan(const Activation& act) { return act.kind != Activation::kNone; }

// True where each call's x and bias are looked through.
constexpr bool looks_at_input(const Problem& p) {
  return size_of(p.types.x) == 2 || swallows_nan(p.epilogue.activation);
}

// What a kernel of this type says of weights it cannot honour.
const char* weights_not_honoured(Dtype dtype);

bool honours_weights(const void* packed, size_t bytes, Dtype dtype);

// bias: dense f32, null: none. *broken: the runner did not keep its contract.
bool honours_input(const Problem& p, const void* x, const float* bias, const Runner& runner, bool* broken);

}  // namespace ctconv::onednn
