// SPDX-License-Identifier: Apache-2.0
// The form "raw", for weights that come with the call, against the scalar definition, bit for bit: forward and data
// gradients, any strides, threads, instruction sets; weights with Inf and NaN through a plan.
#include <catch2/catch_test_macros.hpp>

#include "hwy/targets.h"
#include "src/base/pool.h"
#include "src/engine/reference/reference.h"
#include "src/kit/moves.h"
#include "tests/native/forms.h"
#include "tests/rig/checked.h"
#include "tests/rig/rounds.h"

namespace ctconv::native_test {
namespace {

using namespace rig;

Limits limits_of(Written written, int64_t channels, int64_t steps) {
  Limits limits;
  limits.written = {written};
  limits.channels = channels;
  limits.steps = steps;
  limits.far = 20;
  limits.types = {uniform_types(Dtype::kF32), uniform_types(Dtype::kF64)};
  return limits;
}

void sweep(uint64_t seed, int rounds, int least, const Limits& limits) {
  PoolHold hold;
  Rng rng(seed);
  int run = 0;
  for (int round = 0; round < drawn(rounds); ++round) {
    const Case c = make_case(random_problem(rng, limits), rng, Values::kReal);
    INFO(to_text(c.p));
    PlanContext context;
    context.weights_per_call = true;
    context.threads = 1 + round % 4;
    const Outcome got = checked(kRaw, c, context, pool_runner(context.threads));
    if (got.refused()) continue;
    INFO(got.form);
    REQUIRE(got.status.ok());
    REQUIRE(got.bits == Bits::kReference);
    REQUIRE(difference(got.written, defined(c.p, c.operand())) == "");
    ++run;
  }
  CHECK(run >= drawn(least));
}

}  // namespace

TEST_CASE("native: raw weights equal the definition, forward and backward") {
  sweep(71, 600, 400, limits_of(Written::kX, 60, 3));
  sweep(72, 1200, 60, limits_of(Written::kY, 60, 2));
}

TEST_CASE("native: raw weights give the same on every instruction set") {
  std::vector<int64_t> targets;
  for (int64_t target : hwy::SupportedAndGeneratedTargets()) targets.push_back(target);
  for (const int64_t target : targets) {
    hwy::SetSupportedTargetsForTest(target);
    if (kit::moves<float>().lanes != 0) sweep(73, 150, 90, limits_of(Written::kX, 40, 3));
  }
  hwy::SetSupportedTargetsForTest(0);
}

TEST_CASE("native: raw weights are taken where they come with the call, and nowhere else") {
  Rng rng(74);
  Problem p;
  p.written = Written::kX;
  p.types = uniform_types(Dtype::kF32);
  p.rank = 2;
  p.ci = 512;
  p.co = 64;
  for (const size_t a : {size_t{1}, size_t{2}}) p.axis[a] = {.i = 8, .o = 16, .k = 4, .s = 2, .lo = 1};
  lay_out(&p, false, false);
  const Case c = make_case(p, rng, Values::kReal);
  PlanContext context;
  CHECK(checked(kRaw, c, context).refused());
  context.weights_per_call = true;
  const Outcome got = checked(kNativeEngine, c, context);
  CHECK(got.form.find("raw weights") == 0);
  CHECK(difference(got.written, defined(p, c.operand())) == "");
}

// Kernels so long that no cache holds what all taps read of a few positions.
Problem long_kernel(Rng& rng, bool plane) {
  Problem p;
  p.written = Written::kX;
  p.types = uniform_types(Dtype::kF32);
  p.rank = plane ? 2 : 1;
  p.n = pick(rng, 1, 2);
  p.groups = pick(rng, 1, 2);
  p.ci = pick(rng, 1, 9);
  p.co = pick(rng, 64, 80);
  for (size_t a = plane ? 1 : 2; a < 3; ++a) {
    const int64_t k = plane ? pick(rng, 30, 40) : pick(rng, 1100, 1200), d = pick(rng, 1, 2), s = pick(rng, 2, k / 2);
    const int64_t i = pick(rng, 2, plane ? 4 : 24), lo = pick(rng, -3, k / 2);
    p.axis[a] = {.i = i, .o = (i - 1) * s + (k - 1) * d + 1 - pick(rng, 0, k / 2), .k = k, .s = s, .d = d, .lo = lo};
  }
  lay_out(&p, pick(rng, 0, 1) == 1, pick(rng, 0, 1) == 1);
  return p;
}

TEST_CASE("native: raw weights by pieces of their panels equal the definition") {
  PoolHold hold;
  Rng rng(76);
  int pieces = 0, copied = 0;
  for (int round = 0; round < 16; ++round) {
    const Case c = make_case(long_kernel(rng, round % 4 == 3), rng, Values::kReal);
    INFO(to_text(c.p));
    PlanContext context;
    context.weights_per_call = true;
    context.threads = 1 + round % 3;
    const Outcome got = checked(kRaw, c, context, pool_runner(context.threads));
    INFO(got.form);
    REQUIRE(got.status.ok());
    REQUIRE(difference(got.written, defined(c.p, c.operand())) == "");
    pieces += got.form.find("in pieces") != std::string::npos;
    copied += got.form.find("x copied") != std::string::npos;
  }
  CHECK(pieces > 8);
  CHECK(copied > 2);
}

TEST_CASE("native: raw weights with Inf or NaN equal the definition") {
  const Engine* engines[] = {&kRaw, &kReferenceEngine};
  Rng rng(75);
  Limits limits = limits_of(Written::kX, 30, 3);
  limits.layouts = Layouts::kDense;
  int raw = 0, spoiled = 0;
  for (int round = 0; round < 400; ++round) {
    Case c = make_case(random_problem(rng, limits), rng, Values::kReal);
    const int64_t weights = c.p.weight_elements();
    if (weights == 0) continue;
    const double bad[] = {INFINITY, -INFINITY, NAN};
    for (int k = 0; k < 2; ++k) {
      store(c.w.data(c.p.types.w), c.p.types.w, static_cast<int64_t>(rng() % static_cast<uint64_t>(weights)),
            bad[rng() % 3]);
    }
    PlanTrial trial{.engines = engines, .reference = &kReferenceEngine};
    trial.own_weight = false;
    const Outcome got = run_planned(trial, c, Runner());
    INFO(to_text(c.p) << "\n  " << got.form);
    REQUIRE(got.ok());
    REQUIRE(difference(got.written, defined(c.p, c.operand())) == "");
    raw += got.engine == "raw";
    ++spoiled;
  }
  CHECK(raw > spoiled / 2);
}

}  // namespace ctconv::native_test
