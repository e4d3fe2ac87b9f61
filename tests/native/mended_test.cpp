// SPDX-License-Identifier: Apache-2.0
// Property: an Inf or NaN among the weights, one or all of them, gives what the reference gives, by the same form that
// computes finite weights; it costs the borders of its channels, and no plan falls to the reference for it.
#include "src/plan/mended.h"

#include <catch2/catch_test_macros.hpp>

#include "src/engine/reference/reference.h"
#include "tests/native/forms.h"
#include "tests/native/random_problem.h"
#include "tests/rig/rounds.h"

namespace ctconv::native_test {
namespace {

template <const Engine* form>
Planned plan_mended(const Problem& p, const PlanContext& c) {
  auto kernel = form->plan(p, c);
  if (!kernel.ok()) return kernel;
  return mended(p, c, kReferenceEngine, INFINITY, std::move(*kernel));
}

const Engine kMendedPositions{"positions", Bits::kReference, kForwardFloats, &plan_mended<&kPositions>};
const Engine kMendedChannels{"channels", Bits::kReference, kForwardFloats, &plan_mended<&kChannels>};
const Engine kMendedMerged{"merged", Bits::kReference, kForwardFloats, &plan_mended<&kMerged>};
const Engine kMendedDepthwise{"depthwise", Bits::kReference, kForwardFloats, &plan_mended<&kDepthwise>};
const Engine kMendedRows{"rows of y", Bits::kReference, kForwardFloats, &plan_mended<&kRows>};
const Engine kMendedTurned{"turned", Bits::kReference, kForwardFloats, &plan_mended<&kTurned>};

double bad_value(rig::Rng& rng) {
  const double values[] = {INFINITY, -INFINITY, NAN};
  return values[rng() % 3];
}

// Some weights, or all of them; now and then values of x beside them.
void spoil(rig::Case* c, rig::Rng& rng) {
  const Problem& p = c->p;
  const int64_t weights = p.weight_elements(), inputs = p.in_elements();
  const int64_t count = rng() % 4 == 0 ? weights : 1 + static_cast<int64_t>(rng() % 3);
  for (int64_t k = 0; k < count; ++k) {
    const auto at = count == weights ? k : static_cast<int64_t>(rng() % static_cast<uint64_t>(weights));
    rig::store(c->w.data(p.types.w), p.types.w, at, bad_value(rng));
  }
  if (inputs == 0 || rng() % 3 != 0) return;
  const auto at = static_cast<int64_t>(rng() % static_cast<uint64_t>(inputs));
  rig::store(c->x.data(p.types.x), p.types.x, at, bad_value(rng));
}

void sweep(const Engine& engine, uint64_t seed, int count, int least_run, Problem (*draw)(rig::Rng&) = random_problem) {
  int ran = 0;
  for (int i = 0; i < rig::drawn(count); ++i) {
    rig::Rng rng(seed * 1000003 + static_cast<uint64_t>(i));
    const Problem p = draw(rng);
    if (p.weight_elements() == 0) continue;
    rig::Case c = rig::make_case(p, rng, rig::Values::kReal);
    spoil(&c, rng);
    int workers = 1 + static_cast<int>(rng() % 4);
    const Runner runner = workers == 1 ? Runner() : Runner(&threads_for, &workers, workers);
    const rig::Outcome got = rig::run(engine, c, {}, runner);
    if (got.refused()) continue;
    ++ran;
    INFO(i << ": " << text(p) << "\n  " << got.form << ", workers " << workers << "\n  " << got.reason() << got.fault);
    REQUIRE(got.ok());
    REQUIRE(rig::difference(got.written, rig::defined(p, c.operand())) == "");
  }
  CHECK(ran >= rig::drawn(least_run));
}

}  // namespace

TEST_CASE("mended: positions with weights that are not finite equal the reference") {
  sweep(kMendedPositions, 31, 1000, 900);
}
TEST_CASE("mended: channels with weights that are not finite equal the reference") {
  sweep(kMendedChannels, 32, 1000, 900);
}
TEST_CASE("mended: merged with weights that are not finite equals the reference") {
  sweep(kMendedMerged, 33, 2000, 200);
}
TEST_CASE("mended: depthwise with weights that are not finite equals the reference") {
  sweep(kMendedDepthwise, 34, 8000, 60);
}
TEST_CASE("mended: rows with weights that are not finite equal the reference") { sweep(kMendedRows, 35, 8000, 60); }
TEST_CASE("mended: turned pieces with weights that are not finite equal the reference") {
  sweep(kMendedTurned, 37, 500, 100, many_small);
}

TEST_CASE("mended: a plan takes the native engine for such weights, given at create or with the call") {
  const Engine* engines[] = {&kNativeEngine, &kReferenceEngine};
  int native = 0, runs = 0;
  for (int i = 0; i < 600; ++i) {
    rig::Rng rng(36 * 1000003 + static_cast<uint64_t>(i));
    const Problem p = random_problem(rng);
    if (p.weight_elements() == 0) continue;
    rig::Case c = rig::make_case(p, rng, rig::Values::kReal);
    spoil(&c, rng);
    rig::PlanTrial trial{.engines = engines, .reference = &kReferenceEngine};
    trial.own_weight = rng() % 2 == 0;
    int workers = 1 + static_cast<int>(rng() % 4);
    const rig::Outcome got = rig::run_planned(trial, c, Runner(&threads_for, &workers, workers));
    INFO(i << ": " << text(p) << "\n  " << got.form << "\n  " << got.reason() << got.fault);
    REQUIRE(got.ok());
    REQUIRE(rig::difference(got.written, rig::defined(p, c.operand())) == "");
    ++runs;
    native += got.engine == "native";
  }
  CHECK(runs > 500);
  CHECK(native > runs * 9 / 10);
}

}  // namespace ctconv::native_test
