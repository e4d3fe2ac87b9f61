// SPDX-License-Identifier: Apache-2.0
// The native engine's gradients against their scalar definition, bit for bit: forms, types, views, threads, instruction
// sets.
#include <catch2/catch_test_macros.hpp>

#include "hwy/targets.h"
#include "src/base/pool.h"
#include "tests/native/forms.h"
#include "tests/rig/checked.h"
#include "tests/rig/rounds.h"

namespace ctconv::native_test {
namespace {

using namespace rig;

struct Sweep {
  Written written;
  int rounds, least;
  int64_t channels, groups, steps = 4;
  double products = 3e4;
  Layouts layouts = Layouts::kViews;
};

void sweep(const Engine& engine, uint64_t seed, const Sweep& s) {
  PoolHold hold;
  Rng rng(seed);
  Limits limits;
  limits.written = {s.written};
  limits.channels = s.channels;
  limits.groups = s.groups;
  limits.steps = s.steps;
  limits.products = s.products;
  limits.layouts = s.layouts;
  limits.far = 20;
  if (s.written == Written::kW)
    limits.types.insert(limits.types.end(), std::begin(kWideWeights), std::end(kWideWeights));
  int run = 0;
  for (int round = 0; round < drawn(s.rounds); ++round) {
    const Case c = make_case(random_problem(rng, limits), rng, Values::kReal);
    INFO(to_text(c.p));
    PlanContext context;
    context.threads = 1 + round % 4;
    const Outcome got = checked(engine, c, context, pool_runner(context.threads));
    if (got.refused()) continue;
    INFO(got.form);
    REQUIRE(got.status.ok());
    REQUIRE(got.bits == Bits::kReference);
    REQUIRE(difference(got.written, defined(c.p, c.operand())) == "");
    ++run;
  }
  CHECK(run >= drawn(s.least));
}

// A gradient of one layer: sizes the random ones do not reach.
struct Layer {
  int64_t n, groups, ci, co;
  std::array<int64_t, 3> i, k, s;
  int64_t d = 1, lo = 0;
};

Problem problem_of(const Layer& l, Written written, bool last, Dtype type) {
  Problem p;
  p.written = written;
  p.types = uniform_types(type);
  p.rank = 3;
  p.n = l.n;
  p.groups = l.groups;
  p.ci = l.ci;
  p.co = l.co;
  for (size_t a = 0; a < 3; ++a) {
    const bool used = l.k[a] > 1;
    Axis& axis = p.axis[a];
    axis = {.i = l.i[a], .o = 0, .k = l.k[a], .s = l.s[a], .d = used ? l.d : 1, .lo = used ? l.lo : 0};
    axis.o = (axis.i - 1) * axis.s + axis.d * (axis.k - 1) + 1 - 2 * axis.lo;
  }
  p.epilogue.bias = written == Written::kW;
  lay_out(&p, last, false);
  return p;
}

const Layer kLayers[] = {
    {1, 1, 128, 40, {1, 8, 8}, {1, 4, 4}, {1, 2, 2}, 1, 1},
    {3, 1, 70, 33, {1, 4, 4}, {1, 3, 3}, {1, 2, 2}, 1, 1},
    {2, 1, 48, 1, {6, 9, 10}, {4, 4, 4}, {2, 2, 2}, 1, 1},
    {2, 1, 3, 50, {4, 9, 16}, {3, 3, 3}, {2, 2, 2}, 1, 1},
    {1, 64, 1, 1, {1, 20, 33}, {1, 4, 4}, {1, 2, 2}, 1, 1},
    {1, 1, 20, 4, {1, 1, 6000}, {1, 1, 16}, {1, 1, 8}, 1, 4},
    {40, 1, 100, 20, {1, 1, 1}, {1, 4, 4}, {1, 1, 1}, 1, 0},
    {1, 2, 32, 32, {1, 1, 300}, {1, 1, 11}, {1, 1, 1}, 5, 20},
    {1, 1, 16, 8, {1, 80, 120}, {1, 2, 2}, {1, 2, 2}, 1, 0},
    {1, 40, 1, 1, {5, 11, 12}, {3, 3, 3}, {2, 2, 2}, 1, 1},
    {70, 1, 24, 12, {1, 12, 12}, {1, 3, 3}, {1, 2, 2}, 1, 1},
    {1, 1, 2, 2, {1, 48, 40}, {1, 4, 4}, {1, 2, 2}, 1, 1},
    {1, 1, 300, 20, {1, 1, 40}, {1, 1, 64}, {1, 1, 32}, 1, 16},
};

}  // namespace

TEST_CASE("native: gradients of x equal their definition") {
  sweep(kNativeEngine, 51, {Written::kX, 800, 700, 35, 4});
  sweep(kChannels, 52, {Written::kX, 600, 500, 50, 3});
  sweep(kDepthwise, 53, {Written::kX, 1500, 15, 1, 40, 3, 6e4, Layouts::kDense});
  sweep(kTurned, 59, {Written::kX, 1500, 60, 1, 40, 3, 6e4});
}

TEST_CASE("native: gradients of w and of the bias equal their definition") {
  sweep(kNativeEngine, 54, {Written::kW, 1200, 1000, 35, 4});
  sweep(kNativeEngine, 55, {Written::kW, 400, 300, 1, 40});
}

TEST_CASE("native: gradients of layers equal their definition") {
  PoolHold hold;
  Rng rng(56);
  for (const Layer& layer : kLayers) {
    for (const Written written : {Written::kX, Written::kW}) {
      for (const bool last : {false, true}) {
        for (const Dtype type : {Dtype::kF32, Dtype::kBf16}) {
          const Case c = make_case(problem_of(layer, written, last, type), rng, Values::kReal);
          INFO(to_text(c.p));
          const Numbers want = defined(c.p, c.operand());
          for (const int threads : {1, 2, 3}) {
            PlanContext context;
            context.threads = threads;
            const Outcome got = checked(kNativeEngine, c, context, pool_runner(threads));
            INFO(got.form);
            REQUIRE(got.reason() == "");
            REQUIRE(difference(got.written, want) == "");
          }
        }
      }
    }
  }
}

TEST_CASE("native: gradients are the same on every instruction set") {
  const int64_t all = hwy::SupportedTargets();
  for (const int64_t target : {HWY_AVX3, HWY_AVX2, HWY_NEON}) {
    if ((all & target) == 0) continue;
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(target);
    INFO(hwy::TargetName(target));
    sweep(kNativeEngine, 57, {Written::kX, 150, 100, 35, 3});
    sweep(kNativeEngine, 58, {Written::kW, 150, 100, 35, 3});
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().DeInit();
}

}  // namespace ctconv::native_test
