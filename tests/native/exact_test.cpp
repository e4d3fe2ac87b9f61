// Property: for any legal problem, any number of workers, any form and any instruction set, y holds the reference's
// bits and no other byte around y, between its elements or past the scratch memory is touched.
#include <catch2/catch_test_macros.hpp>

#include "hwy/targets.h"
#include "src/engine/native/native.h"
#include "tests/native/random_problem.h"

namespace ctconv::native_test {
namespace {

Result<std::unique_ptr<Kernel>> positions(const Problem& p, const PlanContext& c) {
  return native::plan_form(p, c, "positions,");
}
Result<std::unique_ptr<Kernel>> channels(const Problem& p, const PlanContext& c) {
  return native::plan_form(p, c, "channels,");
}
Result<std::unique_ptr<Kernel>> merged(const Problem& p, const PlanContext& c) {
  return native::plan_form(p, c, "phases in lanes");
}
Result<std::unique_ptr<Kernel>> depthwise(const Problem& p, const PlanContext& c) {
  return native::plan_form(p, c, "depthwise");
}
Result<std::unique_ptr<Kernel>> rows(const Problem& p, const PlanContext& c) {
  return native::plan_form(p, c, "rows of y");
}

const Engine kPositions{"positions", true, &positions};
const Engine kChannels{"channels", true, &channels};
const Engine kMerged{"merged", true, &merged};
const Engine kDepthwise{"depthwise", true, &depthwise};
const Engine kRows{"rows", true, &rows};

void sweep(const Engine& engine, uint64_t seed, int count, int least_run) {
  int run = 0;
  for (int i = 0; i < count; ++i) {
    std::mt19937_64 rng(seed * 1000003 + static_cast<uint64_t>(i));
    const Problem p = random_problem(rng);
    const int workers = 1 + static_cast<int>(rng() % 8);
    const Outcome o = compare(engine, p, rng, workers);
    if (!o.refused) ++run;
    if (!o.same) FAIL(i << ": " << text(p) << "\n  " << o.form << "\n  " << o.why << ", workers " << workers);
  }
  CHECK(run >= least_run);
}

}  // namespace

TEST_CASE("native: what the planner chooses equals the reference") { sweep(kNativeEngine, 1, 1500, 1500); }
TEST_CASE("native: lanes over positions equals the reference") { sweep(kPositions, 2, 1500, 1500); }
TEST_CASE("native: lanes over channels equals the reference") { sweep(kChannels, 3, 1500, 1400); }
TEST_CASE("native: phases merged into lanes equals the reference") { sweep(kMerged, 4, 4000, 500); }
TEST_CASE("native: depthwise with lanes over channels equals the reference") { sweep(kDepthwise, 5, 12000, 100); }
TEST_CASE("native: depthwise by rows of y equals the reference") { sweep(kRows, 9, 12000, 100); }

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

TEST_CASE("native: weights that are not finite are left to the reference") {
  std::mt19937_64 rng(3);
  Problem p;
  p.axis[2] = {.i = 9, .o = 19, .k = 3, .s = 2, .d = 1, .lo = 0, .tail = 0};
  p.x = layout(p, false, false, 0), p.y = layout(p, true, false, 0);
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
  CHECK_FALSE(kNativeEngine.plan(p, known).ok());
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
