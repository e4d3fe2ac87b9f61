// SPDX-License-Identifier: Apache-2.0
// Vector routines of the tiles: rows and runs of x into lines of bf16 parts, sums into runs of y.
//
//   in:  this CPU (Highway's run-time dispatch);   out: lines(); pair is null where vectors have no multiply-add
//   Parts of a value: bf16 has one, itself.
#pragma once

#include <cstdint>

#include "src/base/dtype.h"

namespace ctconv::tiles {

struct Lines {
  // out[k] = a[k*stride] in the low half, b[k*stride] in the high one; b null: zeros. Parts lie out_part apart.
  void (*pair)(const void* a, const void* b, int64_t stride, Dtype dtype, int64_t count, uint32_t* out,
               int64_t out_part, int64_t parts) = nullptr;
  // line k = `channels` (1 .. 32) values from src + k*step elements, then zeros. Parts lie out_part values apart.
  void (*copy)(const void* src, int64_t step, Dtype dtype, int64_t channels, int64_t count, uint16_t* out,
               int64_t out_part, int64_t parts) = nullptr;
  // y + k*step elements, `values` (1 .. 32) of them = narrowed sums[32*k ..]
  void (*store)(const float* sums, int64_t count, int64_t values, Dtype dtype, void* y, int64_t step) = nullptr;
};

Lines lines();

}  // namespace ctconv::tiles
