// SPDX-License-Identifier: Apache-2.0
// A box of the output as a call of its own: what it reads of x, and every size of it.
//
//   in:  the Geometry of the whole call; a box [begin, end) of each spatial axis of y
//   out: the Geometry of the box, whose x is the window [x_begin, x_begin + in) of the whole x
//   Outputs o, inputs i and taps t meet where i*s + t*d - lo == o. With core_end = min(end, core):
//       x_begin = max(ceil((begin + lo - d*(k-1)) / s), 0)        x_end = min(floor((core_end - 1 + lo) / s) + 1, in)
//       lo of the box = lo + begin - x_begin*s                    tail of the box = the box's rows from core on
//   At least one input, so that a box which meets none is a call like any other.
//   refuses: a box that is empty, reversed or not inside the output (MISUSE_REGION)
#pragma once

#include "src/problem/judge.h"

namespace ctconv {

struct Box {
  std::array<int64_t, 3> begin{}, end{};  // of the dialect's own spatial axes, first `rank` used
};

struct Region {
  Geometry geometry;
  std::array<int64_t, 3> x_begin{};
};

Result<Region> region_of(const Geometry& whole, const Box& box);

// Where spatial axis `a` stands among the axes of x and y.
int spatial_axis(const Descriptor& desc, const Geometry& geometry, int a);

}  // namespace ctconv
