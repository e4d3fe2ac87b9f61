// SPDX-License-Identifier: Apache-2.0
// Fills weights and biases by the dialect's initialiser: seeded, and the same bits on every machine.
//
//   in:      a Descriptor (weight_init, bias_init), a seed, the shape of the real weight (for the fans)
//   out:     host memory filled: f16, bf16, f32 or f64, any strides
//            element i of the row-major logical order depends on (seed, parameter, i) only
//   refuses: a tensor initialiser of another shape (VALUE_WEIGHT_INIT, VALUE_BIAS_INIT)
//            UNSUPPORTED_INIT where the dialect has no such parameter, or a bias asks for a rule that needs two axes
//            NO_MEMORY (orthogonal works on a copy)
//   Only integer arithmetic and correctly rounded operations (+ - * / sqrt fma): src/base/philox.h, src/base/normal.h.
#pragma once

#include <span>

#include "src/base/tensor.h"
#include "src/desc/descriptor.h"

namespace ctconv {

Status initialise_weight(const Descriptor& desc, uint64_t seed, const TensorView& out);
Status initialise_bias(const Descriptor& desc, uint64_t seed, std::span<const int64_t> weight_shape,
                       const TensorView& out);

}  // namespace ctconv
