// SPDX-License-Identifier: Apache-2.0
// Checked arithmetic against 128 bits, and the integer divisions.
#include "src/base/checked.h"

#include <catch2/catch_test_macros.hpp>

using namespace ctconv;

namespace {

constexpr int64_t kValues[] = {
    INT64_MIN,        INT64_MIN + 1,    -(int64_t{1} << 32), -3,       -2, -1, 0, 1, 2, 3, int64_t{1} << 31,
    int64_t{1} << 32, int64_t{1} << 62, INT64_MAX - 1,       INT64_MAX};

bool fits(__int128 v) { return v >= INT64_MIN && v <= INT64_MAX; }

}  // namespace

TEST_CASE("checked: sums, differences and products remember overflow", "[problem][checked]") {
  for (int64_t a : kValues) {
    for (int64_t b : kValues) {
      const __int128 wide_a = a, wide_b = b;
      const Checked sum = Checked(a) + b, difference = Checked(a) - b, product = Checked(a) * b;
      REQUIRE(sum.ok() == fits(wide_a + wide_b));
      REQUIRE(difference.ok() == fits(wide_a - wide_b));
      REQUIRE(product.ok() == fits(wide_a * wide_b));
      if (sum.ok()) REQUIRE(sum.value() == a + b);
      if (difference.ok()) REQUIRE(difference.value() == a - b);
      if (product.ok()) REQUIRE(product.value() == a * b);
      // Once lost, lost: what follows cannot mend it.
      REQUIRE((sum - b).ok() == sum.ok());
      if (!product.ok()) REQUIRE_FALSE((product * 0).ok());
    }
  }
}

TEST_CASE("checked: floor and ceiling division", "[problem][checked]") {
  for (int64_t a = -40; a <= 40; ++a) {
    for (int64_t b = 1; b <= 9; ++b) {
      const int64_t low = floor_div(a, b), high = ceil_div(a, b);
      REQUIRE((low * b <= a && a < (low + 1) * b));
      REQUIRE((high * b >= a && a > (high - 1) * b));
    }
  }
}

TEST_CASE("checked: parts meet, and end at the whole, beyond 63 bits too", "[problem][checked]") {
  for (const int64_t total : {int64_t{0}, int64_t{7}, int64_t{1} << 33, INT64_MAX}) {
    for (const int64_t parts : {int64_t{1}, int64_t{3}, (int64_t{1} << 32) + 5, INT64_MAX}) {
      REQUIRE(begin_of_part(total, 0, parts) == 0);
      REQUIRE(begin_of_part(total, parts, parts) == total);
      for (const int64_t i : {int64_t{1}, parts / 2, parts - 1}) {
        const int64_t begin = begin_of_part(total, i, parts);
        // floor: begin * parts <= total * i < (begin + 1) * parts
        REQUIRE(static_cast<__int128>(begin) * parts <= static_cast<__int128>(total) * i);
        REQUIRE(static_cast<__int128>(total) * i < (static_cast<__int128>(begin) + 1) * parts);
      }
    }
  }
}
