// SPDX-License-Identifier: Apache-2.0
// Values that bf16 products cannot honour: another engine computes them, and y is the reference's bits.
#include "src/engine/tiles/values.h"

#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <limits>

#include "capi/engines.h"
#include "src/engine/tiles/tiles.h"
#include "src/problem/text.h"
#include "tests/tiles/harness.h"

using namespace ctconv;
using namespace ctconv::rig;
using namespace ctconv::tiles_test;

namespace {

struct Kind {
  double value;
  bool fit_x, fit_w;
};
const double kInf = std::numeric_limits<double>::infinity();
const Kind kKinds[] = {{0.0, true, true},         {-0.0, true, true},         {1.0, true, true},
                       {0x1p-62, true, false},    {-0x1.8p-63, false, false}, {0x1p-50, true, true},
                       {0x1.fcp-51, true, false}, {0x1.fcp43, true, true},    {0x1p44, true, false},
                       {-0x1.fcp59, true, false}, {0x1p60, false, false},     {0x1p-126, false, false},
                       {0x1p-130, false, false},  {0x1p-133, false, false},   {0x1.fep127, false, false},
                       {kInf, false, false},      {-kInf, false, false},      {std::nan(""), false, false}};

// Two groups, every size odd, so that each value has its own place among tails of chunks, lines and vectors.
Case small_case(Rng& rng, bool last) {
  Problem p;
  p.types = uniform_types(Dtype::kBf16);
  p.rank = 2;
  p.n = 2;
  p.groups = 2;
  p.ci = 35;
  p.co = 5;
  p.axis[1] = {.i = 3, .o = 7, .k = 3, .s = 2};
  p.axis[2] = {.i = 37, .o = 75, .k = 3, .s = 2};
  lay_out(&p, last, last);
  return make_case(p, rng, Values::kReal);
}

}  // namespace

TEST_CASE("tiles: a value is fit or not wherever it lies in x", "[tiles]") {
  for (const bool last : {false, true}) {
    Rng rng(3);
    Case c = small_case(rng, last);
    for (const Kind& kind : kKinds) {
      for (int round = 0; round < 40; ++round) {
        const int64_t at = pick(rng, 0, c.p.in_elements() - 1);
        const double before = load(c.x.data(Dtype::kBf16), Dtype::kBf16, at);
        store(c.x.data(Dtype::kBf16), Dtype::kBf16, at, kind.value);
        bool broken = false;
        INFO(kind.value << " at " << at);
        const auto range = tiles::input_range(Dtype::kBf16);
        CHECK(kit::input_within(range, c.p, c.x.data(Dtype::kBf16), Runner(), &broken) == kind.fit_x);
        CHECK_FALSE(broken);
        store(c.x.data(Dtype::kBf16), Dtype::kBf16, at, before);
      }
    }
  }
}

TEST_CASE("tiles: weights and inputs that are not fit take an exact engine", "[tiles]") {
  if (const std::string why = missing(kDotEngine); !why.empty()) SKIP(why);
  PlanTrial trial{.engines = cpu_engines(), .reference = reference_engine(), .engine = "dot"};
  for (const bool own_weight : {true, false}) {
    trial.own_weight = own_weight;
    for (const Kind& kind : kKinds) {
      for (const bool in_x : {true, false}) {
        if (!in_x && own_weight && !kind.fit_w) continue;  // refused by name, below
        Rng rng(5);
        Case c = small_case(rng, own_weight);
        const int64_t at = pick(rng, 0, (in_x ? c.p.in_elements() : c.p.weight_elements()) - 1);
        store((in_x ? c.x : c.w).data(Dtype::kBf16), Dtype::kBf16, at, kind.value);
        const Outcome o = checked(trial, c);
        INFO(kind.value << (in_x ? " in x" : " in w") << (own_weight ? ", own" : ", per call") << ": " << o.form);
        REQUIRE(o.status.ok());
        if (!(in_x ? kind.fit_x : kind.fit_w)) CHECK(difference(o.written, defined(c.p, c.operand())).empty());
      }
    }
  }
}

TEST_CASE("tiles: a weight that is not fit is refused by name with the reason, and auto goes on", "[tiles]") {
  if (const std::string why = missing(kDotEngine); !why.empty()) SKIP(why);
  for (const Kind& kind : kKinds) {
    Rng rng(7);
    Case c = small_case(rng, true);
    store(c.w.data(Dtype::kBf16), Dtype::kBf16, pick(rng, 0, c.p.weight_elements() - 1), kind.value);
    PlanTrial trial{.engines = cpu_engines(), .reference = reference_engine(), .engine = "dot"};
    const Outcome named = checked(trial, c);
    INFO(kind.value << ": " << named.reason());
    CHECK(named.status.ok() == kind.fit_w);
    if (!kind.fit_w) CHECK(named.reason().find("too small or too large for bf16 products") != std::string::npos);
    trial.engine = "auto";
    CHECK(checked(trial, c).status.ok());
  }
}
