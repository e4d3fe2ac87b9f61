// SPDX-License-Identifier: Apache-2.0
// pack: weights into a dense order a kernel wants. One thread, one element of the packed array.
//
//   in:  raw w by its strides (group, ci, co, d, h, w);   out: dense elements in the order of `extent`, last fastest;
//        zeros where the last index is at or above `real`
//   Element type only moves, so 2, 4 and 8 bytes serve all types.
#pragma once

#include "cuda/scalar.h"

namespace ctconv::cuda {

struct PackParams {
  const void* w;
  void* packed;
  int64_t elements;
  int64_t extent[6], stride[6];  // of the packed order: outermost first, strides of the raw weight
  int64_t real;                  // of the last axis; extent[5] above it is padding
  int64_t first;                 // the raw element of index 0
};

template <class Bits>
CTCONV_HD void pack_element(const PackParams& p, int64_t index) {
  int64_t rest = index, at = p.first;
  if (index % p.extent[5] >= p.real) {
    static_cast<Bits*>(p.packed)[index] = Bits(0);
    return;
  }
  CTCONV_UNROLL
  for (int a = 5; a >= 0; --a) {
    at += rest % p.extent[a] * p.stride[a];
    rest /= p.extent[a];
  }
  static_cast<Bits*>(p.packed)[index] = static_cast<const Bits*>(p.w)[at];
}

}  // namespace ctconv::cuda
