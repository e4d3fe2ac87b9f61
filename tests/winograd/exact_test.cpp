// SPDX-License-Identifier: Apache-2.0
// Property: for any problem it serves, any number of workers and any instruction set, y holds the bits of the scalar
// definition (definition.h), and no other byte is touched.
#include <catch2/catch_test_macros.hpp>

#include "hwy/targets.h"
#include "src/problem/text.h"
#include "tests/rig/rounds.h"
#include "tests/winograd/random_problem.h"

namespace ctconv::winograd_test {
namespace {

void sweep(uint64_t seed, int count, int least_run) {
  int run = 0;
  for (int i = 0; i < rig::drawn(count); ++i) {
    rig::Rng rng(seed * 1000003 + static_cast<uint64_t>(i));
    const Problem p = random_problem(rng);
    const int workers = 1 + static_cast<int>(rng() % 8);
    const Outcome o = compare(p, rng, workers);
    if (!o.refused) ++run;
    if (!o.same) FAIL(i << ": " << to_text(p) << "\n  " << o.form << "\n  " << o.why << ", workers " << workers);
  }
  CHECK(run >= rig::drawn(least_run));
}

Problem layer(const char* text) {
  auto p = problem_from_text(text);
  REQUIRE(p.ok());
  return *p;
}

}  // namespace

TEST_CASE("winograd: equals its scalar definition") { sweep(1, 700, 300); }

TEST_CASE("winograd: every instruction set gives the same bits") {
  const int64_t all = hwy::SupportedTargets();
  for (const int64_t target : {HWY_AVX3, HWY_AVX2, HWY_NEON}) {
    if ((all & target) == 0) continue;
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(target);
    INFO(hwy::TargetName(target));
    sweep(2, 150, 60);
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().DeInit();
}

// Blocks, parts of columns and the stage, which small problems have one of.
TEST_CASE("winograd: many threads and large blocks give the bits of one thread") {
  for (const char* text : {"f32 ci96 co80 i40x33 k4x4 s2x2 lo1x1 o80x66", "f32 ci512 co40 i9x7 k3x3 lo1x1 o9x7 bias",
                           "f32 n9 ci154 co32 i5x5 k3x3 s2x2 o11x11", "f32 ci160 co50 i300 k8 s4 lo2 o1200",
                           "f32 ci138 co16 i6x20x21 k4x4x4 s2x2x2 lo1x1x1 o12x40x42"}) {
    const Problem p = layer(text);
    INFO(text);
    rig::Rng rng(5);
    const rig::Case c = rig::make_case(p, rng, rig::Values::kReal);
    const rig::Outcome one = rig::run(kWinogradEngine, c);
    REQUIRE(one.ok());
    for (int workers : {2, 3, 16}) {
      const rig::Outcome many = rig::run(kWinogradEngine, c, {}, Runner(&native_test::threads_for, &workers, workers));
      REQUIRE(many.ok());
      CHECK(rig::difference(many.written, one.written) == "");
    }
  }
}

TEST_CASE("winograd: an image has the same bits alone and in a batch") {
  Problem whole = layer("f32 n5 ci130 co24 i7x9 k4x4 s2x2 lo1x1 o14x18");
  rig::Rng rng(6);
  const rig::Case c = rig::make_case(whole, rng, rig::Values::kReal);
  const rig::Outcome all = rig::run(kWinogradEngine, c);
  REQUIRE(all.ok());
  const auto per_image = static_cast<size_t>(whole.out_elements() / whole.n);
  Problem single = whole;
  single.n = 1;
  for (int64_t n = 0; n < whole.n; ++n) {
    rig::Case one = c;
    one.p = single;
    one.x.origin += n * whole.x.n;
    one.y.origin += n * whole.y.n;
    const rig::Outcome part = rig::run(kWinogradEngine, one);
    REQUIRE(part.ok());
    const auto* first = all.written.bits.data() + static_cast<size_t>(n) * per_image;
    CHECK(std::equal(part.written.bits.begin(), part.written.bits.end(), first));
  }
}

TEST_CASE("winograd: what it does not serve is refused with a reason") {
  struct Case {
    const char *text, *reason;
  };
  for (const Case& c :
       {Case{"f64 ci106 co16 i9x9 k3x3 o11x11", "winograd: no f64"},
        Case{"f32 ci106 co16 i9x9 k2x2 s2x2 o18x18", "winograd: one tap a phase along h and w: nothing to save"},
        Case{"f32 ci106 co16 i9x9 k5x5 o13x13", "winograd: more than 3 taps a phase along h"},
        Case{"f32 ci106 co16 i9x9 k3x3 s2x2 d2x2 o21x21", "winograd: a phase without a tap along h"},
        Case{"f32 ci106 co16 i9 k3 s2 d3 o23", "winograd: dilation together with a stride along w"}}) {
    INFO(c.text);
    const auto kernel = kWinogradEngine.plan(layer(c.text), {});
    REQUIRE_FALSE(kernel.ok());
    CHECK(kernel.status().detail().message == c.reason);
  }
}

TEST_CASE("winograd: the workspace limit is kept") {
  rig::Rng rng(4);
  int kept = 0;
  for (int i = 0; i < 300; ++i) {
    PlanContext c;
    c.threads = 2;
    c.workspace_limit = 1 + rng() % 400000;
    const auto k = kWinogradEngine.plan(random_problem(rng), c);
    if (!k.ok()) continue;
    CHECK((*k)->scratch_bytes() <= c.workspace_limit);
    ++kept;
  }
  CHECK(kept > 20);
}

}  // namespace ctconv::winograd_test
