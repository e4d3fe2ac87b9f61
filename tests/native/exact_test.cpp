// SPDX-License-Identifier: Apache-2.0
// Property: for any legal problem, any number of workers, any form and any instruction set, y holds the reference's
// bits and no other byte around y, between its elements or past the scratch memory is touched.
#include <catch2/catch_test_macros.hpp>
#include <vector>

#include "hwy/targets.h"
#include "tests/native/forms.h"
#include "tests/native/random_problem.h"
#include "tests/rig/rounds.h"

namespace ctconv::native_test {
namespace {

void sweep(const Engine& engine, uint64_t seed, int count, int least_run, Problem (*draw)(rig::Rng&) = random_problem) {
  int run = 0;
  for (int i = 0; i < rig::drawn(count); ++i) {
    std::mt19937_64 rng(seed * 1000003 + static_cast<uint64_t>(i));
    const Problem p = draw(rng);
    const int workers = 1 + static_cast<int>(rng() % 8);
    const Outcome o = compare(engine, p, rng, workers);
    if (!o.refused) ++run;
    if (!o.same) FAIL(i << ": " << text(p) << "\n  " << o.form << "\n  " << o.why << ", workers " << workers);
  }
  CHECK(run >= rig::drawn(least_run));
}

}  // namespace

TEST_CASE("native: what the planner chooses equals the reference") { sweep(kNativeEngine, 1, 1500, 1500); }
TEST_CASE("native: lanes over positions equals the reference") { sweep(kPositions, 2, 1500, 1500); }
TEST_CASE("native: lanes over channels equals the reference") { sweep(kChannels, 3, 1500, 1400); }
TEST_CASE("native: phases merged into lanes equals the reference") { sweep(kMerged, 4, 4000, 500); }
TEST_CASE("native: depthwise with lanes over channels equals the reference") { sweep(kDepthwise, 5, 12000, 100); }
TEST_CASE("native: depthwise by rows of y equals the reference") { sweep(kRows, 9, 12000, 100); }
TEST_CASE("native: turned pieces equal the reference") { sweep(kTurned, 12, 12000, 500); }
TEST_CASE("native: batches of tiny maps and many small groups equal the reference") {
  sweep(kNativeEngine, 14, 200, 200, many_small);
  sweep(kTurned, 15, 600, 200, many_small);
  for (const Engine& engine : {kPositions, kChannels}) sweep(engine, 16, 50, 45, many_small);
}

// Sizes the random ones do not reach: axes folded into one, copies of workers, panels of tiles, streamed rows.
TEST_CASE("native: layers of generators, decoders and vocoders equal the reference") {
  struct Size {
    int64_t n, ci, co;
    std::array<Axis, 3> axis;  // o: worked out below
    int64_t hi;
  };
  const Axis one;
  const std::vector<Size> sizes = {
      {5, 20, 21, {one, {.i = 1, .k = 4}, {.i = 1, .k = 4}}, 0},
      {2, 9, 16, {{{.i = 1, .k = 2, .s = 2}, {.i = 1, .k = 3}, {.i = 1, .k = 5, .s = 3}}}, 0},
      {1, 128, 70, {one, {.i = 6, .k = 4, .s = 2, .lo = 1}, {.i = 5, .k = 4, .s = 2, .lo = 1}}, 1},
      {1, 96, 64, {one, one, {.i = 40, .k = 16, .s = 8, .lo = 4}}, 4},
      {1, 5, 3, {one, one, {.i = 5000, .k = 8, .s = 4, .lo = 2}}, 2},
      {2, 24, 2, {one, {.i = 60, .k = 5, .s = 2, .lo = 2}, {.i = 50, .k = 5, .s = 2, .lo = 2}}, 1},
      {1,
       16,
       4,
       {{{.i = 9, .k = 4, .s = 2, .lo = 1}, {.i = 12, .k = 4, .s = 2, .lo = 1}, {.i = 17, .k = 4, .s = 2, .lo = 1}}},
       1},
      {1, 3, 48, {one, {.i = 30, .k = 2, .s = 2}, {.i = 60, .k = 2, .s = 2}}, 0},
      {1, 40, 33, {one, {.i = 21, .k = 3}, {.i = 35, .k = 3}}, 0},
  };
  std::mt19937_64 rng(11);
  for (const Size& size : sizes) {
    for (const bool last : {false, true}) {
      for (const Engine& engine : {kNativeEngine, kPositions, kChannels, kMerged}) {
        Problem p;
        p.rank = 3;
        p.n = size.n;
        p.ci = size.ci;
        p.co = size.co;
        p.axis = size.axis;
        for (Axis& a : p.axis) a.o = (a.i - 1) * a.s + a.k - a.lo - (a.k > 1 ? size.hi : 0);
        p.epilogue.bias = last;
        p.epilogue.activation.kind = static_cast<Activation::Kind>(rng() % 6);
        p.epilogue.activation.alpha = -0.25;
        p.epilogue.activation.beta = 0.5;
        p.x = rig::sliced_layout(p, false, last, 0);
        p.y = rig::sliced_layout(p, true, last, 0);
        p.w = {p.taps() * p.co * p.ci, p.taps() * p.co, p.taps(), {p.axis[1].k * p.axis[2].k, p.axis[2].k, 1}};
        const int workers = 1 + static_cast<int>(rng() % 5);
        const Outcome o = compare(engine, p, rng, workers);
        INFO(text(p) << "\n  " << o.form << "\n  " << o.why << ", workers " << workers);
        CHECK((o.refused || o.same));
      }
    }
  }
}

// Blocks of channels, chunks of rows and their shared columns, which small problems have one of.
TEST_CASE("native: wide and long depthwise layers equal the reference in every type") {
  struct Size {
    int64_t n, channels, gap;
    std::array<Axis, 3> axis;  // o: all of it but lo on both sides
  };
  const Axis one;
  const std::vector<Size> sizes = {
      {2, 600, 0, {one, one, {.i = 130, .k = 12, .s = 2, .lo = 5}}},
      {1, 192, 8, {one, {.i = 9, .k = 3, .s = 2, .lo = 1}, {.i = 100, .k = 3, .s = 2, .lo = 1}}},
      {1, 130, 0, {{{.i = 3, .k = 2, .s = 2}, {.i = 4, .k = 4, .s = 2, .lo = 1}, {.i = 9, .k = 5, .s = 3, .d = 2}}}},
      {3, 1030, 2, {one, one, {.i = 1, .k = 7, .lo = 1}}},
      {1, 300, 0, {one, {.i = 30, .k = 20}, {.i = 11, .k = 9, .lo = 2}}},
      {1, 64, 0, {one, one, {.i = 700, .k = 1, .s = 3}}},
  };
  std::mt19937_64 rng(13);
  for (const Size& size : sizes) {
    for (Dtype type : {Dtype::kF16, Dtype::kBf16, Dtype::kF32, Dtype::kF64}) {
      Problem p;
      p.rank = 3;
      p.types = uniform_types(type);
      p.n = size.n;
      p.groups = size.channels;
      p.axis = size.axis;
      for (Axis& a : p.axis) a.o = (a.i - 1) * a.s + (a.k - 1) * a.d + 1 - 2 * a.lo;
      p.epilogue.bias = true;
      p.epilogue.activation.kind = static_cast<Activation::Kind>(rng() % 6);
      p.epilogue.activation.alpha = -0.25;
      p.epilogue.activation.beta = 0.5;
      p.x = rig::sliced_layout(p, false, true, size.gap);
      p.y = rig::sliced_layout(p, true, true, size.gap);
      p.w = {p.taps(), p.taps(), p.taps(), {p.axis[1].k * p.axis[2].k, p.axis[2].k, 1}};
      const Outcome o = compare(kDepthwise, p, rng, 1 + static_cast<int>(rng() % 3));
      INFO(text(p) << "\n  " << o.form << "\n  " << o.why);
      CHECK_FALSE(o.refused);
      CHECK(o.same);
    }
  }
}

// The region lies before, across or behind all that x reaches, by little or by more than any table holds.
TEST_CASE("native: regions of the output, however far away, are served or refused") {
  std::mt19937_64 rng(17);
  const std::vector<Engine> engines{kNativeEngine, kPositions, kChannels, kMerged, kDepthwise, kRows, kTurned};
  std::vector<int> served(engines.size()), beside(engines.size());
  for (int round = 0; round < 400; ++round) {
    Problem p = random_problem(rng);
    if (round % 3 == 0) {
      p.groups = 32;
      p.ci = p.co = 1;
    }
    Axis& a = p.axis[static_cast<size_t>(3 - p.rank) + rng() % static_cast<size_t>(p.rank)];
    const int64_t far = int64_t{1} << (4 + rng() % 58);
    const int64_t full = (a.i - 1) * a.s + (a.k - 1) * a.d + 1;
    a.o = 1 + static_cast<int64_t>(rng() % 9);
    a.lo = round % 2 ? full + far - 1 : -far;
    if (round % 4 < 2) a.lo = round % 2 ? full - 3 : 2 - a.o;  // one end of x is inside
    const bool outside = a.lo >= full || a.lo + a.o <= 0;
    p.w = {p.taps() * p.co * p.ci, p.taps() * p.co, p.taps(), {p.axis[1].k * p.axis[2].k, p.axis[2].k, 1}};
    p.x = rig::sliced_layout(p, false, round % 3 == 0, 0);
    p.y = rig::sliced_layout(p, true, round % 3 == 0, 0);
    for (size_t e = 0; e < engines.size(); ++e) {
      std::mt19937_64 data(static_cast<uint64_t>(round));  // problems do not depend on how many engines there are
      const Outcome o = compare(engines[e], p, data, 1 + round % 3);
      if (!o.refused) ++(outside ? beside : served)[e];
      INFO(text(p) << "\n  " << o.form << "\n  " << o.why);
      if (!o.refused) CHECK(o.same);
    }
  }
  for (size_t e = 0; e < engines.size(); ++e) {
    INFO(engines[e].name);
    CHECK(served[e] > 0);
    CHECK(beside[e] > 0);
  }
}

TEST_CASE("native: every instruction set gives the same bits") {
  const int64_t all = hwy::SupportedTargets();
  for (int64_t target : {HWY_AVX3, HWY_AVX2, HWY_NEON}) {
    if ((all & target) == 0) continue;
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(target);
    INFO(hwy::TargetName(target));
    sweep(kPositions, 6, 300, 300);
    sweep(kChannels, 7, 300, 250);
    sweep(kDepthwise, 8, 3000, 10);
    sweep(kRows, 10, 3000, 10);
    sweep(kTurned, 18, 100, 20, many_small);
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().DeInit();
}

TEST_CASE("native: a CPU without vector fma is refused") {
#if HWY_ARCH_X86
  hwy::SetSupportedTargetsForTest(HWY_SSE2);
  hwy::GetChosenTarget().Update(HWY_SSE2);
  std::mt19937_64 rng(1);
  CHECK_FALSE(kNativeEngine.plan(random_problem(rng), {}).ok());
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().DeInit();
#endif
}

TEST_CASE("native: weights that are not finite are noticed while packing") {
  std::mt19937_64 rng(3);
  Problem p;
  p.axis[2] = {.i = 9, .o = 19, .k = 3, .s = 2, .d = 1, .lo = 0, .tail = 0};
  p.x = rig::sliced_layout(p, false, false, 0);
  p.y = rig::sliced_layout(p, true, false, 0);
  p.w = {3, 3, 3, {3, 3, 1}};
  for (float bad : {INFINITY, -INFINITY, NAN}) {
    auto k = kNativeEngine.plan(p, {});
    REQUIRE(k.ok());
    const float w[3] = {1, bad, 2};
    std::vector<char> packed((*k)->packed_bytes() + kAlignment);
    const auto finite = (*k)->pack(w, align_up(packed.data()), Runner());
    REQUIRE(finite.ok());
    CHECK_FALSE(*finite);
  }
  PlanContext known;
  known.weights_finite = false;
  auto k = kNativeEngine.plan(p, known);  // a form that multiplies x alone
  REQUIRE(k.ok());
  CHECK((*k)->spoils() == Kernel::Spoils::kNothing);
  CHECK_FALSE(plan_positions(p, known).ok());
}

TEST_CASE("native: the workspace limit is kept") {
  std::mt19937_64 rng(4);
  for (int i = 0; i < 500; ++i) {
    const Problem p = random_problem(rng);
    PlanContext c;
    c.threads = 2;
    c.workspace_limit = 1 + rng() % 200000;
    auto k = kNativeEngine.plan(p, c);
    if (k.ok()) CHECK((*k)->scratch_bytes() <= c.workspace_limit);
  }
}

}  // namespace ctconv::native_test
