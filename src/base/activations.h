// SPDX-License-Identifier: Apache-2.0
// The one list of activations: numbers, names of the problem text, and how many parameters each has.
//
//   in:  a kind;   out: its row
//   The numbers are the public CTCONV_ACTIVATION_ constants (capi/options.cpp asserts it). What each computes, to the
//   bit, stands in activation.h.
#pragma once

#include <cstdint>

namespace ctconv {

struct Activation {
  enum Kind : int32_t { kNone, kRelu, kLeakyRelu, kTanh, kSigmoid, kClip };
  Kind kind = kNone;
  double alpha = 0, beta = 0;  // leaky slope; clip to [alpha, beta]
  friend bool operator==(const Activation&, const Activation&) = default;
};

struct ActivationRow {
  Activation::Kind kind;
  const char* name;
  int parameters;  // the first of alpha, beta that it reads
};

inline constexpr ActivationRow kActivations[] = {
    {Activation::kNone, "none", 0}, {Activation::kRelu, "relu", 0},       {Activation::kLeakyRelu, "leaky_relu", 1},
    {Activation::kTanh, "tanh", 0}, {Activation::kSigmoid, "sigmoid", 0}, {Activation::kClip, "clip", 2},
};

// True: the slope is a function of the result, as gradients need it.
constexpr bool slope_from_result(const Activation& a) { return a.kind != Activation::kLeakyRelu || a.alpha >= 0; }

constexpr const ActivationRow& row_of(Activation::Kind kind) { return kActivations[kind]; }

namespace activations {
constexpr bool rows_in_order() {
  int32_t n = 0;
  for (const ActivationRow& row : kActivations) {
    if (row.kind != n++) return false;
  }
  return n == Activation::kClip + 1;
}
static_assert(rows_in_order(), "a row a kind, in the order of the numbers");
}  // namespace activations

}  // namespace ctconv
