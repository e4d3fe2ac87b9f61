// SPDX-License-Identifier: Apache-2.0
// A problem record of the CUDA module read back as a Problem: the inverse of cuda_problem (src/backend/cuda).
//
//   in:  a record, and the raw bias it came with;   out: the Problem it says, its bias dense in f32 or f64
#pragma once

#include "cuda/module.h"
#include "tests/rig/definition.h"

namespace ctconv::rig {

inline Axis axis_of(const ctconv_cuda_axis& a) {
  return {.i = a.i, .o = a.o, .k = a.k, .s = a.s, .d = a.d, .lo = a.lo, .tail = a.tail};
}

inline Problem problem_of(const ctconv_cuda_problem& r) {
  Problem p;
  p.written = r.written == CTCONV_CUDA_WRITES_BIAS ? Written::kW : static_cast<Written>(r.written);
  p.types = uniform_types(static_cast<Dtype>(r.dtype));
  if (r.wide_weights) p.types.w = p.types.accumulator;
  p.rank = r.rank;
  p.n = r.n;
  p.groups = r.groups;
  p.ci = r.ci;
  p.co = r.co;
  for (size_t a = 0; a < 3; ++a) {
    p.axis[a] = axis_of(r.axis[a]);
    p.x.axis[a] = r.x[2 + a];
    p.y.axis[a] = r.y[2 + a];
    p.w.tap[a] = r.w[3 + a];
  }
  p.x.n = r.x[0];
  p.x.c = r.x[1];
  p.y.n = r.y[0];
  p.y.c = r.y[1];
  p.w.g = r.w[0];
  p.w.ci = r.w[1];
  p.w.co = r.w[2];
  p.epilogue.bias = r.bias != CTCONV_CUDA_BIAS_NONE;
  p.epilogue.activation = {static_cast<Activation::Kind>(r.activation), r.alpha, r.beta};
  return p;
}

// The bias of all channels in `as`, the type that p's sums are kept in.
inline std::vector<uint8_t> bias_of(const ctconv_cuda_problem& r, const void* bias, Dtype as) {
  const auto element = static_cast<Dtype>(r.dtype);
  const Dtype from = r.bias == CTCONV_CUDA_BIAS_ACCUMULATOR ? accumulator_of(element) : element;
  std::vector<uint8_t> dense(static_cast<size_t>(r.groups * r.co) * size_of(as));
  for (int64_t c = 0; bias != nullptr && c < r.groups * r.co; ++c) {
    store(dense.data(), as, c, load(bias, from, c * r.bias_stride));
  }
  return dense;
}

}  // namespace ctconv::rig
