// SPDX-License-Identifier: Apache-2.0
// The numbers of a problem, read off the `problem:` line of describe, and the formula of an extent with them in place.
//
//   o = (i - 1)*s + d*(k - 1) + 1 - lo - hi
//   lo, hi: rows cropped at the two ends; hi < 0: rows appended (output_padding)
//
//   in:      a line such as "f32 n1 g1 ci3 co32 i4x9x16 k5x5x5 s3x3x3 d1x1x1 lo2x2x2 o12x27x48 ..."
//   refuses: (Fault) other text
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cli {

struct Numbers {
  int64_t n = 1, groups = 1, ci = 1, co = 1;  // channels per group
  std::vector<int64_t> i, k, s, d, lo, o, tail;
  size_t rank() const { return i.size(); }
  int64_t hi(size_t axis) const { return (i[axis] - 1) * s[axis] + d[axis] * (k[axis] - 1) + 1 - lo[axis] - o[axis]; }
  std::string formula(size_t axis) const;        // "12 = (4 - 1)*3 + 1*(5 - 1) + 1 - 2 - 0"
  std::string short_formula(size_t axis) const;  // "12 = 3*3 + 1*4 + 1 - 2 - 0"
};

Numbers numbers_of(const std::string& problem);
std::string axis_name(size_t rank, size_t axis);  // "d", "h", "w"

}  // namespace cli
