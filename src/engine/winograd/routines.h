// SPDX-License-Identifier: Apache-2.0
// The vector routines of this engine: tiles of x to points, products, points to outputs. See simd_winograd.cpp.
//
//   in:  this CPU (Highway's run-time dispatch);   out: routines(); entries are null where vectors have no fma
#pragma once

#include <cstdint>

#include "src/engine/winograd/kinds.h"

namespace ctconv::winograd {

inline constexpr int kMostRows = 12, kMostVectors = 4;  // of one block of sums

// out[r][q] = fma chain over k, from +0, of v[r*v_pitch + k] * u[k*width + q]; r < rows, q < width = V vectors
struct ProductArgs {
  const float* v;
  int64_t v_pitch;
  const float* u;
  int64_t k;
  float* out;
};

// Points of one tile: at[r*at_row + q]: `channels` values of input (r, q), whole vectors are read.
// Point (a, b) goes to v + a*v_row + b*v_point, whole vectors are written.
struct InputArgs {
  const float* const* at;
  int64_t at_row;
  int64_t channels;
  float* v;
  int64_t v_row, v_point;
};

// Outputs of one tile: point (a, b) lies at m + (a*points of w + b)*m_point, V vectors each.
// Output (i, j) + bias goes to out + i*out_row + j*out_column.
struct OutputArgs {
  const float* m;
  int64_t m_point;
  const float* bias;
  int64_t vectors;
  float* out;
  int64_t out_row, out_column;
};

// Points of one phase's weights: tap[k] has `width` columns, the oldest input's first; point k goes to
// out + k*out_point.
struct WeightArgs {
  const float* tap[kMostTaps * kMostTaps];
  int64_t width;
  float* out;
  int64_t out_point;
};

struct Routines {
  int lanes = 0;
  void (*products[kMostVectors][kMostRows])(const ProductArgs&) = {};  // [V-1][rows-1]; null: not in registers
  void (*input[kKinds][kKinds])(const InputArgs&) = {};                // [h][w]
  void (*output[kKinds][kKinds])(const OutputArgs&) = {};
  void (*weights[kKinds][kKinds])(const WeightArgs&) = {};
};

Routines routines();

}  // namespace ctconv::winograd
