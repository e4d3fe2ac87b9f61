// SPDX-License-Identifier: Apache-2.0
// Outputs that meet no input: lo of either sign far beyond the padding. They are the bias and the activation alone.
//
//   Every engine that does not refuse, by its kernel and forced by name through a plan: the definition's bits where it
//   promises the reference's, its stated bound else (1e-5 of the terms' magnitude, and a rounding of y's type).
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <utility>

#include "capi/engines.h"
#include "src/base/pool.h"
#include "tests/rig/checked.h"

using namespace ctconv;
using namespace ctconv::rig;

namespace {

// A case and what must come out of it.
struct Expected {
  Case c;
  Numbers want;
  std::vector<Exact> exact;
  explicit Expected(Case given)
      : c(std::move(given)), want(defined(c.p, c.operand())), exact(defined_in_f64(c.p, c.operand())) {}
};

void check(const Expected& e, const Outcome& got) {
  INFO(to_text(e.c.p));
  INFO(got.engine << ": " << got.form);
  if (got.bits == Bits::kReference) {
    REQUIRE(difference(got.written, e.want) == "");
    return;
  }
  const Dtype type = e.c.p.types.y;
  const double narrow = type == Dtype::kBf16 ? 0x1p-8 : type == Dtype::kF16 ? 0x1p-11 : 0;
  const std::vector<double>&have = got.written.values, &want = e.want.values;
  REQUIRE(have.size() == want.size());
  for (size_t k = 0; k < want.size(); ++k) {
    const double bound = 1e-5 * std::max(1.0, e.exact[k].magnitude) + 2 * narrow * std::fabs(want[k]);
    if (std::fabs(have[k] - want[k]) <= bound) continue;
    FAIL("element " << k << " is " << have[k] << ", not " << want[k]);
  }
}

// Outputs of the last axis that meet nothing.
int64_t bare(const Axis& a) {
  int64_t count = 0;
  for (int64_t o = 0; o < a.o; ++o) count += met_at(a, Written::kY, o).empty();
  return count;
}

}  // namespace

TEST_CASE("far: every engine by its kernel and by a plan") {
  PoolHold hold;
  Rng rng(51);
  Limits limits;
  limits.far = 60;
  limits.steps = 5;
  limits.products = 3e4;
  std::map<std::string, int> ran;
  int64_t outputs = 0;
  for (int round = 0; round < 500; ++round) {
    limits.layouts = round % 2 ? Layouts::kDense : Layouts::kViews;
    const Problem p = random_problem(rng, limits);
    const Expected e(make_case(p, rng, Values::kReal));
    outputs += bare(p.axis[2]);
    for (const Engine* engine : cpu_engines()) {
      const Runner runner = pool_runner(1 + round % 3);
      const Outcome own = checked(*engine, e.c, {}, runner);
      if (own.status.ok()) {
        check(e, own);
        ++ran[engine->name];
      }
      PlanTrial trial;
      trial.engines = cpu_engines();
      trial.reference = reference_engine();
      trial.engine = engine->name;
      trial.own_weight = round % 4 < 2;
      trial.bias_per_call = round % 3 == 0;
      const Outcome planned = checked(trial, e.c, runner);
      INFO(to_text(p) << " " << engine->name);
      REQUIRE((planned.status.ok() || planned.refused()));
      if (planned.status.ok()) check(e, planned);
    }
  }
  CAPTURE(ran);
  CHECK(outputs > 1000);
  CHECK(ran["reference"] == 500);
  CHECK(ran["native"] > 400);
}

TEST_CASE("far: windows wholly before and wholly behind the extent") {
  Rng rng(52);
  for (const Dtype type : {Dtype::kF32, Dtype::kF16, Dtype::kBf16, Dtype::kF64}) {
    for (const int64_t lo : {-1000, -12, 30, 31, 5000}) {  // the full extent is 23
      Problem p;
      p.types = uniform_types(type);
      p.ci = 3;
      p.co = 4;
      p.axis[2] = {.i = 10, .o = 12, .k = 5, .s = 2, .lo = lo};
      p.epilogue.bias = true;
      p.epilogue.activation.kind = Activation::kSigmoid;
      lay_out(&p, false, false);
      const Expected e(make_case(p, rng, Values::kReal));
      REQUIRE(bare(p.axis[2]) == 12);
      for (const Engine* engine : cpu_engines()) {
        const Outcome got = checked(*engine, e.c);
        if (got.status.ok()) check(e, got);
        REQUIRE((got.status.ok() || (got.refused() && engine != reference_engine())));
      }
    }
  }
}
