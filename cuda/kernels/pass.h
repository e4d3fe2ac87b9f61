// SPDX-License-Identifier: Apache-2.0
// pass: the element-wise steps of a backward call beside its sums.
//
//   slope   to = from * act'(with), from the activation's result `with` alone:
//             relu  y > 0    leaky relu  y > 0 ? 1 : alpha    clip  alpha < y < beta, both as y's type rounds them
//             tanh  1 - y*y  sigmoid  y * (1 - y)             a NaN in y keeps dy where the slope is a condition
//           a slope of 0 makes +0 of any dy: 0 * Inf would be a NaN
//   store   to = from, or to = to + from; from of to's type or of its accumulator's
//   All in the accumulator's type, rounded once: the bits of src/backend/cpu/gradient_steps.cpp.
//   Any strides; the host folds axes that lie together. refuses: nothing
#pragma once

#include "cuda/activation.h"
#include "cuda/index.h"
#include "cuda/module.h"

namespace ctconv::cuda {

struct PassParams {
  void* to;
  const void *from, *with;
  int64_t elements;
  int32_t rank, wide;  // wide: 2^31 elements or more
  int64_t extent[CTCONV_CUDA_PASS_AXES], to_stride[CTCONV_CUDA_PASS_AXES], from_stride[CTCONV_CUDA_PASS_AXES],
      with_stride[CTCONV_CUDA_PASS_AXES];  // outermost first
  Divider by_extent[CTCONV_CUDA_PASS_AXES];
  int32_t kind, from_sums;
  ActParams act;
};

template <class Acc>
CTCONV_HD Acc slope_of(Act kind, Acc alpha, Acc beta, Acc y) {
  switch (kind) {
    case Act::kRelu:
      return y <= Acc(0) ? Acc(0) : Acc(1);
    case Act::kLeakyRelu:
      return y <= Acc(0) ? alpha : Acc(1);
    case Act::kClip:
      return y <= alpha || y >= beta ? Acc(0) : Acc(1);
    case Act::kTanh:
      return Acc(1) - y * y;
    case Act::kSigmoid:
      return y * (Acc(1) - y);
    default:
      return Acc(1);
  }
}

struct PassOffsets {
  int64_t to, from, with;
};

CTCONV_HD PassOffsets pass_offsets(const PassParams& p, int64_t index) {
  PassOffsets at{0, 0, 0};
  int64_t rest = index;
  for (int a = p.rank - 1; a >= 0; --a) {
    int64_t k = rest;
    if (a == 0) {
      rest = 0;
    } else if (p.wide) {
      k = rest % p.extent[a];
      rest /= p.extent[a];
    } else {
      auto narrow = static_cast<uint32_t>(rest);
      k = p.by_extent[a].split(&narrow);
      rest = narrow;
    }
    at.to += k * p.to_stride[a];
    at.from += k * p.from_stride[a];
    at.with += k * p.with_stride[a];
  }
  return at;
}

template <class T>
CTCONV_HD void pass_element(const PassParams& p, int64_t index) {
  using Acc = Accumulator<T>;
  const PassOffsets at = pass_offsets(p, index);
  T* to = static_cast<T*>(p.to) + at.to;
  const Acc from =
      p.from_sums ? static_cast<const Acc*>(p.from)[at.from] : Acc(widen(static_cast<const T*>(p.from)[at.from]));
  if (p.kind == CTCONV_CUDA_PASS_SLOPE) {
    const bool clip = p.act.kind == Act::kClip;
    const Acc alpha = alpha_of(p.act, Acc(0)), beta = beta_of(p.act, Acc(0));
    const Acc factor =
        slope_of<Acc>(p.act.kind, clip ? Acc(widen(narrow<T>(alpha))) : alpha,
                      clip ? Acc(widen(narrow<T>(beta))) : beta, widen(static_cast<const T*>(p.with)[at.with]));
    *to = narrow<T>(factor == Acc(0) ? Acc(0) : factor == Acc(1) ? from : from * factor);
  } else {
    *to = narrow<T>(p.kind == CTCONV_CUDA_PASS_ADD ? Acc(widen(*to)) + from : from);
  }
}

}  // namespace ctconv::cuda
