// SPDX-License-Identifier: Apache-2.0
// Shapes as people write them, for messages: (1, 16, 4, 4).
#pragma once

#include <string>

#include "src/base/tensor.h"

namespace ctconv {

template <class Range>
std::string show_shape(const Range& shape) {
  std::string s = "(";
  size_t n = 0;
  for (int64_t extent : shape) s += (n++ ? ", " : "") + std::to_string(extent);
  return s + (n == 1 ? ",)" : ")");
}

inline std::string show_shape(const TensorView& t) { return show_shape(t.dims()); }

}  // namespace ctconv
