// SPDX-License-Identifier: Apache-2.0
// Writes zeros to every element of y outside the core; see tail.h. Any strides.
#include "src/plan/tail.h"

#include <cstring>

namespace ctconv {

Status fill_tail(const Problem& p, void* y, const Runner& runner) {
  const size_t bytes = size_of(p.types.y);
  const auto plane = [&](int64_t index, int32_t) {
    const int64_t channels = p.groups * p.co;
    const int64_t base = (index / channels) * p.y.n + (index % channels) * p.y.c;
    const auto& a = p.axis;
    for (int64_t d = 0; d < a[0].o + a[0].tail; ++d) {
      for (int64_t h = 0; h < a[1].o + a[1].tail; ++h) {
        const bool core_row = d < a[0].o && h < a[1].o;
        for (int64_t w = core_row ? a[2].o : 0; w < a[2].o + a[2].tail; ++w) {
          const int64_t at = base + d * p.y.axis[0] + h * p.y.axis[1] + w * p.y.axis[2];
          std::memset(static_cast<char*>(y) + at * static_cast<int64_t>(bytes), 0, bytes);
        }
      }
    }
  };
  return runner(p.n * p.groups * p.co, plane) ? Status() : runner_broke();
}

}  // namespace ctconv
