// SPDX-License-Identifier: Apache-2.0
// Property: a scan marks an Inf or NaN wherever it stands, and no other value.
#include "src/kit/finite.h"

#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <limits>
#include <vector>

namespace ctconv::kit {
namespace {

template <class T>
void scans() {
  using Limits = std::numeric_limits<T>;
  const std::vector<T> fine = {0, T(-0.0), 1, Limits::max(), Limits::lowest(), Limits::min(), -Limits::denorm_min()};
  const std::vector<T> bad = {Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN(), -Limits::quiet_NaN(),
                              Limits::signaling_NaN()};
  for (size_t size = 0; size < 40; ++size) {
    std::vector<T> values(size);
    for (size_t k = 0; k < size; ++k) values[k] = fine[k % fine.size()];
    CHECK(not_finite(values.data(), static_cast<int64_t>(size)) == 0);
    for (size_t k = 0; k < size; ++k) {
      for (T b : bad) {
        std::vector<T> one = values;
        one[k] = b;
        CHECK(not_finite(one.data(), static_cast<int64_t>(size)) != 0);
      }
    }
  }
}

}  // namespace

TEST_CASE("finite: an Inf or NaN is found at every place") {
  scans<float>();
  scans<double>();
}

}  // namespace ctconv::kit
