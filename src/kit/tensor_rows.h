// SPDX-License-Identifier: Apache-2.0
// A tensor as rows of equal steps, for who looks at every element in the order of memory.
//
//   in:  a problem and the layout of its x
//   out: part[0]: stride and extent of a row; start(row): where each begins, 0 <= row < count()
//   Dimensions that continue each other are one. Of a dimension that does not move (stride 0) one element is enough.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <utility>

#include "src/problem/problem.h"

namespace ctconv::kit {

struct TensorRows {
  std::array<std::pair<int64_t, int64_t>, 5> part;  // stride and extent, the innermost first

  TensorRows(const Problem& p, const ActivationLayout& l)
      : part{{{l.n, p.n},
              {l.c, p.groups * p.ci},
              {l.axis[0], p.axis[0].i},
              {l.axis[1], p.axis[1].i},
              {l.axis[2], p.axis[2].i}}} {
    for (auto& [stride, extent] : part) {
      if (extent != 1 && stride != 0) continue;
      stride = 0;
      extent = 1;
    }
    std::sort(part.begin(), part.end(), [](const auto& a, const auto& b) {
      return std::pair{a.second == 1, std::abs(a.first)} < std::pair{b.second == 1, std::abs(b.first)};
    });
    size_t kept = 0;
    for (size_t k = 1; k < part.size() && part[k].second != 1; ++k) {
      auto& [stride, extent] = part[kept];
      if (part[k].first == stride * extent) {
        extent *= part[k].second;
      } else {
        part[++kept] = part[k];
      }
    }
    std::fill(part.begin() + static_cast<std::ptrdiff_t>(kept) + 1, part.end(), std::pair<int64_t, int64_t>{0, 1});
  }

  int64_t count() const { return part[1].second * part[2].second * part[3].second * part[4].second; }
  int64_t start(int64_t row) const {
    int64_t at = 0;
    for (size_t k = 1; k < part.size(); ++k) {
      at += row % part[k].second * part[k].first;
      row /= part[k].second;
    }
    return at;
  }
};

}  // namespace ctconv::kit
