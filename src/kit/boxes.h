// SPDX-License-Identifier: Apache-2.0
// Boxes of a tensor, turned on their way into a worker's panel and back.
//
//   in, out: memory of any element type and strides; a panel of the computing type, one of whose dimensions has
//            stride 1
//   Dimensions that follow each other on both sides are copied as one. Where the two sides have different innermost
//   dimensions, the box is transposed.
//   box_out may read a vector past the end of each of the panel's rows.
//   refuses: nothing
#pragma once

#include <array>

#include "src/kit/moves.h"

namespace ctconv::kit {

inline constexpr size_t kBoxDims = 6;

// Strides in elements: of the tensor, any sign; of the panel, positive.
struct BoxDim {
  int64_t extent = 1, outside = 0, panel = 0;
};
using Box = std::array<BoxDim, kBoxDims>;

// panel[..] = widened x[..]
template <class T>
void box_in(const Moves<T>& moves, const char* x, Dtype dtype, const Box& box, T* panel);
// y[..] = narrowed panel[..]
template <class T>
void box_out(const Moves<T>& moves, const T* panel, const Box& box, Dtype dtype, char* y);

}  // namespace ctconv::kit
