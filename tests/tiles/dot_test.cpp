// SPDX-License-Identifier: Apache-2.0
// Engine dot: exact where sums are exact, as accurate as the reference elsewhere, the same bits however it is cut.
#include <catch2/catch_test_macros.hpp>
#include <cmath>

#include "src/engine/tiles/tiles.h"
#include "src/problem/text.h"
#include "tests/tiles/harness.h"

using namespace ctconv;
using namespace ctconv::rig;
using namespace ctconv::tiles_test;

// Sums of small integers are exact in any order: y is the definition's, bit for bit.
TEST_CASE("dot: sums of integers are the definition's in every layout", "[tiles]") {
  if (const std::string why = missing(kDotEngine); !why.empty()) SKIP(why);
  int run = 0;
  for (uint64_t i = 0; i < 600; ++i) {
    Rng rng(1000 + i);
    const Problem p = problem_of(rng, Dtype::kBf16, i % 2 ? Layouts::kViews : Layouts::kSlices);
    const Case c = make_case(p, rng, Values::kSmallInteger);
    const Outcome o = run_on(kDotEngine, c, 1 + static_cast<int>(rng() % 4));
    INFO(i << ": " << to_text(p) << "\n" << o.form << o.reason());
    if (!o.status.ok()) {
      CHECK(o.refused());
      continue;
    }
    ++run;
    CHECK(difference(o.written, defined(p, c.operand())).empty());
  }
  CHECK(run > 550);
}

// The order of sums is the layout's alone: other threads cut other slabs and shares, and pack before or by task.
TEST_CASE("dot: the same bits for any number of threads and any batch split", "[tiles]") {
  if (const std::string why = missing(kDotEngine); !why.empty()) SKIP(why);
  for (uint64_t i = 0; i < 60; ++i) {
    Rng rng(5000 + i);
    Problem p = problem_of(rng, Dtype::kBf16, Layouts::kDense);
    p.n = 1 + static_cast<int64_t>(i % 3);
    lay_out(&p, i % 2 == 0, i % 4 < 2);
    const Case c = make_case(p, rng, Values::kReal);
    const Outcome one = run_on(kDotEngine, c, 1);
    if (!one.status.ok()) continue;
    for (const int workers : {2, 3, 7}) {
      const Outcome more = run_on(kDotEngine, c, workers);
      INFO(to_text(p) << "\n" << one.form << "\n" << more.form);
      REQUIRE(more.status.ok());
      CHECK(difference(more.written, one.written).empty());
    }
  }
}

// One rounding to bf16 is the largest error there is: half a unit of it, and the sum's own beside.
TEST_CASE("dot: reals come out within a rounding of the exact sums", "[tiles]") {
  if (const std::string why = missing(kDotEngine); !why.empty()) SKIP(why);
  int run = 0;
  for (uint64_t i = 0; i < 100; ++i) {
    Rng rng(9000 + i);
    Problem p = problem_of(rng, Dtype::kBf16, Layouts::kSlices);
    p.epilogue.activation = {};
    const Case c = make_case(p, rng, Values::kReal);
    const Outcome o = run_on(kDotEngine, c, 1);
    if (!o.status.ok()) continue;
    ++run;
    const std::vector<Exact> exact = defined_in_f64(p, c.operand());
    INFO(to_text(p));
    for (size_t k = 0; k < exact.size(); ++k) {
      const double most = std::fabs(exact[k].value) * 0x1p-8 + 1e-5 * exact[k].magnitude;
      REQUIRE(std::fabs(o.written.values[k] - exact[k].value) <= most);
    }
  }
  CHECK(run > 80);
}
