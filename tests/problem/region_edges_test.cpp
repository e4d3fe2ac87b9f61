// SPDX-License-Identifier: Apache-2.0
// Boxes at the edges of what region_of takes: outputs without rows, rows far beyond the input, sums that do not fit.
#include <catch2/catch_test_macros.hpp>

#include "src/problem/problem.h"
#include "src/problem/region.h"

using namespace ctconv;

namespace {

Geometry line(const AxisSizes& axis) {
  Geometry g;
  g.rank = 1;
  g.n = g.in_channels = g.out_channels = 1;
  g.axis[0] = axis;
  return g;
}

Status refusal(const AxisSizes& axis, int64_t begin, int64_t end) {
  auto region = region_of(line(axis), {.begin = {begin, 0, 0}, .end = {end, 0, 0}});
  REQUIRE_FALSE(region.ok());
  CHECK(region.status().code() == Code::MISUSE_REGION);
  return region.take_status();
}

}  // namespace

TEST_CASE("region edges: an output without rows has no box", "[problem][region]") {
  const Status status = refusal({.in = 4, .k = 1, .core = 0}, 0, 0);
  CHECK(status.detail().argument == "begin");
  CHECK(status.detail().range == "none: there are no rows");
}

TEST_CASE("region edges: a box of zeros behind the core reads one input, which decides nothing", "[problem][region]") {
  const AxisSizes axis{.in = 4, .k = 3, .s = 2, .d = 1, .lo = 0, .hi = 0, .core = 9, .tail = 3};
  auto region = region_of(line(axis), {.begin = {10, 0, 0}, .end = {12, 0, 0}});
  REQUIRE(region.ok());
  CHECK(region->geometry.axis[0].core == 0);
  CHECK(region->geometry.axis[0].tail == 2);
  CHECK(region->geometry.axis[0].in == 1);
}

TEST_CASE("region edges: a box too far from the input is refused, not computed beside it", "[problem][region]") {
  const int64_t huge = INT64_MAX / 2;
  const auto far = [](const AxisSizes& axis, int64_t begin, int64_t end) {
    CHECK(refusal(axis, begin, end).detail().range == "rows whose sums fit 62 bits");
  };
  far({.in = 1, .k = 1, .s = 1, .d = 1, .lo = INT64_MAX, .core = INT64_MAX}, 1, 2);               // begin + lo
  far({.in = 1, .k = 3, .s = 1, .d = huge, .lo = -huge, .core = INT64_MAX}, 1, 2);                // ... - d * (k - 1)
  far({.in = 1, .k = 1, .s = 1, .d = 1, .lo = 0, .core = INT64_MAX}, kMostLo + 9, kMostLo + 10);  // the new lo
  far({.in = 1, .k = 1, .s = 1, .d = 1, .lo = -kMostLo - 5, .core = 9}, 1, 2);                    // likewise, below
  far({.in = 1, .k = 1, .s = 1, .d = 1, .lo = INT64_MAX - 5, .core = INT64_MAX}, 1, 10);          // end - 1 + lo
  far({.in = 3, .k = 1, .s = huge + 2, .d = 1, .lo = INT64_MAX - 10, .core = 9}, 1, 2);           // the first input * s
  far({.in = 3, .k = 2, .s = 4, .d = INT64_MAX - 1, .lo = 0, .core = 20}, 0, 9);                  // the new hi
}
