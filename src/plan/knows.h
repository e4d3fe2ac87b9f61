// SPDX-License-Identifier: Apache-2.0
// What an engine can be asked at all, as data: which operand it writes, of which types, with which epilogue.
//
//   in:  a Problem and an engine's Knows; the bits of a kernel and the weakest that the op accepts
//   out: OK, or UNSUPPORTED_ENGINE with the first thing the engine does not know or promise
//   Engine::plan asks this before the engine's own code sees the problem, so that no engine answers a question it has
//   misread: a data gradient is never run as a forward pass, an int8 tensor never read as 16 bits.
#pragma once

#include <span>

#include "src/plan/bits.h"
#include "src/problem/problem.h"

namespace ctconv {

struct Knows {
  std::span<const Written> written;
  std::span<const Types> types;
  bool rescale = false;
  bool activations = false;
  std::span<const Types> weight_types = {};  // of weight gradients, beside `types`
};

inline constexpr Written kForwardOnly[] = {Written::kY};
inline constexpr Types kFloatTypes[] = {uniform_types(Dtype::kF32), uniform_types(Dtype::kF16),
                                        uniform_types(Dtype::kBf16), uniform_types(Dtype::kF64)};
// Weight gradients kept in the sums' own type.
inline constexpr Types kWideWeights[] = {{Dtype::kF16, Dtype::kF32, Dtype::kF16, Dtype::kF32},
                                         {Dtype::kBf16, Dtype::kF32, Dtype::kBf16, Dtype::kF32}};
// All three operands, the four float types, weight gradients in their own type or in float32.
inline constexpr Knows kEveryFloat{
    .written = kEveryWritten, .types = kFloatTypes, .activations = true, .weight_types = kWideWeights};
// Forward, one of the four float types, any activation: what the documented operators ask.
inline constexpr Knows kForwardFloats{.written = kForwardOnly, .types = kFloatTypes, .activations = true};

Status check_known(const char* engine, const Knows& knows, const Problem& problem);
Status check_bits(const char* engine, Bits bits, Bits weakest);

}  // namespace ctconv
