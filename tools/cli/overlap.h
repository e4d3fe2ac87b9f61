// SPDX-License-Identifier: Apache-2.0
// How many kernel taps reach each output position, and whether that is the same everywhere.
//
//   taps(o) = the number of pairs (i, t), 0 <= i < I, 0 <= t < K, with i*s + t*d - lo == o; of several axes the product
//   Ones in x and in a weight of one channel give y = taps.
//   inside: where every tap finds its input, so that taps(o) depends on (o + lo) mod s alone. Where that differs from
//   phase to phase the picture shows a checkerboard. Even: s and d have no common factor, and s divides K.
//   in:  the numbers of a problem;   out: counts, JSON, lines of text
//   refuses: to count (nothing is said of min and max) where more than 2^26 steps would be needed
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/cli/formula.h"
#include "tools/cli/output.h"

namespace cli {

struct TapRange {
  int64_t min = 0, max = 0;
  bool operator==(const TapRange& other) const { return min == other.min && max == other.max; }
};

// The taps of one output position: t = first, first + step, ... `count` of them.
struct Taps {
  int64_t first = 0, step = 1, count = 0;
};
Taps taps_of(const Numbers& n, size_t axis, int64_t o);
// At position u = o + lo before anything is cropped.
Taps taps_before_crop(const Numbers& n, size_t axis, int64_t u);

struct AxisOverlap {
  std::optional<TapRange> all;        // over every position of y; nullopt: too many to count
  TapRange inside;                    // over the phases
  std::vector<int64_t> even_kernels;  // the nearest that are even at this stride and dilation
  int64_t even_stride = 0;            // the largest below s that is even with this kernel; 0: already even
  bool uneven() const { return inside.min != inside.max; }
};

struct Overlap {
  std::vector<AxisOverlap> axes;
  std::optional<TapRange> all;
  bool uneven = false;
};

Overlap overlap_of(const Numbers& n);
// With the counts of each axis where it has no more than 4096 positions.
Json json_of(const Overlap& overlap, const Numbers& n);
// The first line says it of all axes together, then one for each axis.
std::vector<std::string> lines_of(const Overlap& overlap, const Numbers& n);

}  // namespace cli
