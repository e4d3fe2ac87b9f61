// SPDX-License-Identifier: Apache-2.0
// See dense.h.
#include "src/problem/dense.h"

#include "src/base/at.h"
#include "src/base/tensor.h"

namespace ctconv {

ActivationLayout dense_layout(const Problem& p, bool output, bool channels_last) {
  std::array<int64_t, 5> shape{p.n};
  const int channels = channels_last ? 4 : 1, first = channels_last ? 1 : 2;
  at(shape, channels) = p.groups * (output ? p.co : p.ci);
  for (int a = 0; a < 3; ++a) {
    const Axis& axis = at(p.axis, a);
    at(shape, first + a) = output ? axis.o + axis.tail : axis.i;
  }
  const Strides strides = dense_strides(shape);
  ActivationLayout l{.n = strides[0], .c = at(strides, channels)};
  for (int a = 3 - p.rank; a < 3; ++a) at(l.axis, a) = at(strides, first + a);
  return l;
}

WeightLayout dense_weight(const Problem& p) {
  const std::array<int64_t, 6> shape{p.groups, p.ci, p.co, p.axis[0].k, p.axis[1].k, p.axis[2].k};
  const Strides strides = dense_strides(shape);
  WeightLayout w{.g = strides[0], .ci = strides[1], .co = strides[2]};
  for (int a = 3 - p.rank; a < 3; ++a) at(w.tap, a) = at(strides, 3 + a);
  return w;
}

}  // namespace ctconv
