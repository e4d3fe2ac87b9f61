// SPDX-License-Identifier: Apache-2.0
// Estimates follow the record: what computes by its clock and ports, what moves by its bandwidth.
#include "src/engine/reference/reference.h"
#include "tests/machine/records.h"

using namespace ctconv;
using namespace ctconv::test;

TEST_CASE("estimates: a scalar engine follows the clock alone", "[machine]") {
  const Problem p = square(64, 64, 32, 4, 2, false);
  Machine wide, slow;
  wide.fma = 2;
  wide.memory_1 = wide.memory_2 = 90e9;
  slow.hertz /= 2;
  const double plain = estimate(kReferenceEngine, p, Machine());
  CHECK(estimate(kReferenceEngine, p, wide) == plain);
  CHECK(within(estimate(kReferenceEngine, p, slow), 2 * plain, 1e-9));
}
