// SPDX-License-Identifier: Apache-2.0
// The reference's gradients against their scalar definition, bit for bit: by the engine and by a plan.
//
//   written = x and = w (with and without the gradient of the bias), four float types, any views, groups, dilations,
//   crops of any sign, tails, empty problems; one to four threads and a caller's own runner.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "capi/engines.h"
#include "src/base/pool.h"
#include "src/engine/reference/reference.h"
#include "tests/rig/checked.h"

using namespace ctconv;
using namespace ctconv::rig;

namespace {

Limits gradients(Written written) {
  Limits limits;
  limits.written = {written};
  limits.far = 40;
  limits.empty = true;
  limits.products = 2e4;
  if (written == Written::kW) limits.types.insert(limits.types.end(), std::begin(kWideWeights), std::end(kWideWeights));
  return limits;
}

// A caller's hook: the last task first, two workers by turns.
void backwards(void*, int64_t count, Runner::Task task, void* data) {
  for (int64_t k = count; k-- > 0;) task(data, k, static_cast<int32_t>(k % 2));
}

bool zero(const Numbers& n) {
  return std::all_of(n.bits.begin(), n.bits.end(), [](uint64_t b) { return b == 0; });
}

void sweep(Written written, uint64_t seed) {
  PoolHold hold;
  Rng rng(seed);
  int empty = 0, biases = 0, negative = 0, grouped = 0, types[4] = {};
  for (int round = 0; round < 600; ++round) {
    const Problem p = random_problem(rng, gradients(written));
    const Case c = make_case(p, rng, Values::kReal);
    INFO(to_text(p));
    const Runner runner = round % 5 == 4 ? Runner(backwards, nullptr, 2) : pool_runner(1 + round % 5);
    const Outcome got = checked(kReferenceEngine, c, {}, runner);
    REQUIRE(got.status.ok());
    REQUIRE(got.bits == Bits::kReference);
    const Numbers want = defined(p, c.operand());
    REQUIRE(difference(got.written, want) == "");
    const bool no_terms = p.n == 0 || p.out_elements() == 0;
    if (no_terms) REQUIRE(zero(got.written));
    empty += no_terms && !want.bits.empty();
    biases += p.epilogue.bias;
    negative += p.axis[2].lo < 0;
    grouped += p.groups > 1;
    ++types[static_cast<int>(p.types.x)];
  }
  CHECK(empty > 20);
  CHECK(negative > 60);
  CHECK(grouped > 60);
  CHECK((biases > 100) == (written == Written::kW));
  for (const int count : types) CHECK(count > 60);
}

}  // namespace

TEST_CASE("gradients: of x, the definition's bits", "[reference]") { sweep(Written::kX, 31); }
TEST_CASE("gradients: of w and of the bias, the definition's bits", "[reference]") { sweep(Written::kW, 32); }

TEST_CASE("gradients: a weight that sums more places than one chain", "[reference]") {
  Rng rng(33);
  for (const Dtype type : {Dtype::kF32, Dtype::kF64, Dtype::kBf16}) {
    Problem p;
    p.written = Written::kW;
    p.types = uniform_types(type);
    p.rank = 2;
    p.n = 3;
    p.ci = 2;
    p.axis[1] = {.i = 41, .o = 83, .k = 3, .s = 2};
    p.axis[2] = {.i = 90, .o = 93, .k = 4, .s = 1};
    p.epilogue.bias = true;
    lay_out(&p, true, false);
    const Case c = make_case(p, rng, Values::kReal);
    const Outcome got = checked(kReferenceEngine, c);
    REQUIRE(got.status.ok());
    REQUIRE(difference(got.written, defined(p, c.operand())) == "");
  }
}

TEST_CASE("gradients: by a plan, forced by name and automatic", "[reference]") {
  PoolHold hold;
  Rng rng(34);
  for (int round = 0; round < 200; ++round) {
    const Problem p = random_problem(rng, gradients(round % 2 ? Written::kX : Written::kW));
    const Case c = make_case(p, rng, Values::kReal);
    INFO(to_text(p));
    PlanTrial trial;
    trial.engines = cpu_engines();
    trial.reference = reference_engine();
    trial.engine = round % 4 < 2 ? "reference" : "auto";
    trial.own_weight = round % 3 != 0;
    const Outcome got = checked(trial, c, pool_runner(1 + round % 4));
    REQUIRE(got.reason() == "");
    REQUIRE(got.bits == Bits::kReference);
    if (p.empty()) continue;
    REQUIRE(difference(got.written, defined(p, c.operand())) == "");
  }
}
