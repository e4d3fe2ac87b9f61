// SPDX-License-Identifier: Apache-2.0
// The passes around the gradients' sums: through the activation before them, into the caller's tensors behind them.
//
//   activation_gradient   g = dy * act'(y), from y alone:   relu  y > 0        leaky relu  y > 0 ? 1 : alpha
//                         clip  alpha < y < beta, both as y's type rounds them
//                         tanh  1 - y*y                           sigmoid  y * (1 - y)
//                         a NaN in y keeps dy where the slope is a condition, as PyTorch's threshold does
//   store_gradient        to = from, or to = to + from
//   f16 and bf16: in f32, rounded once; f64 in f64.   Any strides; rows are shared out, the bits never vary.
//   Refuses: a runner that breaks its contract.
#pragma once

#include "src/base/activations.h"
#include "src/base/runner.h"
#include "src/base/tensor.h"

namespace ctconv {

// g: dense row-major, of dy's shape and type.
Status activation_gradient(const Activation& activation, const TensorView& dy, const TensorView& y, void* g,
                           const Runner& runner);

// `from`: dense row-major, of to's shape; of to's type, or of its accumulator's where `sums`.
Status store_gradient(const void* from, bool sums, bool accumulate, const TensorView& to, const Runner& runner);

}  // namespace ctconv
