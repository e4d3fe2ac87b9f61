// SPDX-License-Identifier: Apache-2.0
// Geometry and memory layouts -> the canonical Problem: three axes, per-group channels, strides in elements.
//
//   in:  a judged Geometry, views of x, w, y (strides only; y or w absent: dense row-major in the dialect's order)
//   out: a Problem;   refuses: nothing, all sizes were judged
#pragma once

#include "src/problem/judge.h"
#include "src/problem/problem.h"

namespace ctconv {

struct Layouts {
  const TensorView* x = nullptr;
  const TensorView* w = nullptr;
  const TensorView* y = nullptr;
  bool bias = false;
  Activation act;
};

Problem canonicalize(const Descriptor& desc, const Geometry& geometry, const Layouts& layouts);

}  // namespace ctconv
