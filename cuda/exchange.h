// SPDX-License-Identifier: Apache-2.0
// A data gradient as what our kernels know: a forward problem without strides, of which some outputs are left out.
//
//   in:  a record that writes x;   out: one that writes y, with x and y, ci and co exchanged, taps reversed
//   x[i] gathers y[i*s + t*d - lo].  With t = k-1-t' that is  y[i*s - t'*d + lo'],  lo' = (k-1)*d - lo: output i*s of a
//   forward problem of stride 1. skip = s - 1 outputs lie between two that are computed; 0 where one is all there is.
//   The chain goes over co, then the taps from the last to the first: the same sums, in the reference's order.
//   Its weights begin `last_tap` elements behind the given ones, and taps have negative strides.
//   Refuses: nothing. src/plan/as_forward.h does the same for the CPU's engines, where nothing is strided.
#pragma once

#include <utility>

#include "cuda/module.h"

namespace ctconv::cuda {

inline ctconv_cuda_problem exchanged(const ctconv_cuda_problem& p) {
  ctconv_cuda_problem q = p;
  q.written = CTCONV_CUDA_WRITES_Y;
  q.bias = CTCONV_CUDA_BIAS_NONE;
  q.activation = 0;
  std::swap(q.ci, q.co);
  std::swap(q.w[1], q.w[2]);
  std::swap(q.x, q.y);
  for (int a = 0; a < 3; ++a) {
    ctconv_cuda_axis& axis = q.axis[a];
    std::swap(axis.i, axis.o);
    axis.lo = (axis.k - 1) * axis.d - axis.lo;
    axis.skip = axis.o > 1 ? axis.s - 1 : 0;
    axis.s = 1;
    axis.tail = 0;
    q.w[3 + a] = -q.w[3 + a];
  }
  return q;
}

// Of the record that writes x.
inline int64_t last_tap(const ctconv_cuda_problem& p) {
  int64_t last = 0;
  for (int a = 0; a < 3; ++a) last += (p.axis[a].k - 1) * p.w[3 + a];
  return last;
}

inline bool leaves_out(const ctconv_cuda_problem& p) {
  return p.axis[0].skip != 0 || p.axis[1].skip != 0 || p.axis[2].skip != 0;
}

}  // namespace ctconv::cuda
