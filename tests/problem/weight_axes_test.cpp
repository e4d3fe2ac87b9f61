// SPDX-License-Identifier: Apache-2.0
// Where the axes of a weight stand: the documented orders, and that no two axes share a place.
#include "src/desc/weight_axes.h"

#include <catch2/catch_test_macros.hpp>
#include <set>
#include <vector>

using namespace ctconv;

namespace {

// Extents of a weight with 2 groups of 3 input and 5 output channels and taps 7, 11, 13; one group holds all 6.
std::vector<int64_t> extents(WeightOrder order, int64_t groups, int rank) {
  const int64_t taps[] = {7, 11, 13};
  const WeightAxes axes = weight_axes(order, groups, rank);
  const auto out = weight_extents(axes, groups, 6, 5, std::span(taps).first(static_cast<size_t>(rank)));
  return {out.begin(), out.begin() + axes.ndim};
}

using Shape = std::vector<int64_t>;

}  // namespace

TEST_CASE("weight axes: the documented orders", "[problem][weights]") {
  CHECK(extents(WeightOrder::kInOutTaps, 2, 3) == Shape{6, 5, 7, 11, 13});
  CHECK(extents(WeightOrder::kInOutTaps, 1, 1) == Shape{6, 5, 7});
  CHECK(extents(WeightOrder::kGroupInOutTaps, 2, 2) == Shape{2, 3, 5, 7, 11});
  CHECK(extents(WeightOrder::kGroupInOutTaps, 1, 2) == Shape{6, 5, 7, 11});
  CHECK(extents(WeightOrder::kTapsOutIn, 1, 3) == Shape{7, 11, 13, 5, 6});
  CHECK(extents(WeightOrder::kInOutOneTaps, 2, 1) == Shape{6, 5, 1, 7});
}

TEST_CASE("weight axes: every place belongs to one axis", "[problem][weights]") {
  for (size_t order = 0; order < std::size(kWeightOrders); ++order) {
    for (int64_t groups : {1, 2}) {
      for (int rank = 1; rank <= 3; ++rank) {
        const WeightAxes axes = weight_axes(static_cast<WeightOrder>(order), groups, rank);
        std::set<int> places = {axes.in, axes.out};
        for (int a = 0; a < rank; ++a) places.insert(axes.tap + a);
        if (axes.one >= 0) places.insert(axes.one);
        if (axes.own_group()) places.insert(axes.group);
        INFO("order " << order << " groups " << groups << " rank " << rank);
        CHECK(static_cast<int>(places.size()) == 2 + rank + (axes.one >= 0) + axes.own_group());
        CHECK((*places.begin() == 0 && *places.rbegin() == axes.ndim - 1));
        CHECK(static_cast<int>(places.size()) == axes.ndim);
      }
    }
  }
}
