// SPDX-License-Identifier: Apache-2.0
// One judged backward call, as an op's backend takes it.
//
//   data    the problem that writes dx (Written::kX), where dx is wanted
//   weight  the problem that writes dw (Written::kW), with epilogue.bias where db is wanted; its dw may be unwanted
//   Both read dy through the strides of Problem::y. `y` is there where the op has an activation.
//   It borrows the views of whoever made it.
#pragma once

#include <optional>

#include "src/base/tensor.h"
#include "src/problem/problem.h"

namespace ctconv {

struct GradientCall {
  std::optional<Problem> data, weight;
  const TensorView& dy;
  const TensorView *x = nullptr, *y = nullptr, *w = nullptr;  // w null: the op's own, or not read
  const TensorView *dx = nullptr, *dw = nullptr, *db = nullptr;
  Activation activation;
  bool accumulate = false;  // added to what dx, dw, db hold
  void* workspace = nullptr;
  size_t workspace_bytes = 0;
  void* stream = nullptr;
};

}  // namespace ctconv
