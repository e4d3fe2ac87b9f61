// SPDX-License-Identifier: Apache-2.0
// The form "taps", for kernels longer than the input, against the scalar definition, bit for bit: types, layouts,
// strides, crops, activations, threads, instruction sets; Inf and NaN in w and x as they come.
#include <catch2/catch_test_macros.hpp>

#include "hwy/targets.h"
#include "src/base/pool.h"
#include "src/kit/moves.h"
#include "tests/native/forms.h"
#include "tests/rig/checked.h"
#include "tests/rig/rounds.h"

namespace ctconv::native_test {
namespace {

using namespace rig;

int64_t between(Rng& rng, int64_t least, int64_t most) {
  return least + static_cast<int64_t>(rng() % static_cast<uint64_t>(most - least + 1));
}

Problem long_kernel(Rng& rng) {
  Problem p;
  const Dtype types[] = {Dtype::kF32, Dtype::kF64, Dtype::kF16, Dtype::kBf16};
  p.types = uniform_types(types[rng() % 4]);
  p.rank = static_cast<int>(between(rng, 1, 3));
  p.n = between(rng, 1, 6);
  p.groups = between(rng, 1, 3);
  p.ci = between(rng, 1, 3);
  p.co = between(rng, 1, 3);
  for (size_t k = 3 - static_cast<size_t>(p.rank); k < 3; ++k) {
    Axis& a = p.axis[k];
    a.i = between(rng, 1, k == 2 ? 12 : 4);
    a.k = k == 2 ? between(rng, 16, 150) : between(rng, 1, 4);
    a.s = between(rng, 1, 5);
    a.d = k == 2 ? 1 : between(rng, 1, 2);
    a.lo = between(rng, -6, 12);
    a.o = std::max<int64_t>(1, (a.i - 1) * a.s + a.d * (a.k - 1) + 1 - a.lo - between(rng, -6, 12));
  }
  p.epilogue.bias = rng() % 2 == 0;
  if (rng() % 3 == 0) p.epilogue.activation = {Activation::kLeakyRelu, 0.25, 0};
  lay_out(&p, rng() % 2 == 0, rng() % 2 == 0);
  return p;
}

void spoil(Case* c, Rng& rng) {
  const double bad[] = {INFINITY, -INFINITY, NAN};
  const auto one = [&](Memory& m, Dtype type, int64_t count) {
    store(m.data(type), type, static_cast<int64_t>(rng() % static_cast<uint64_t>(count)), bad[rng() % 3]);
  };
  one(c->w, c->p.types.w, c->p.weight_elements());
  if (rng() % 2 == 0) one(c->x, c->p.types.x, c->p.in_elements());
}

void sweep(uint64_t seed, int rounds, bool spoiled) {
  PoolHold hold;
  Rng rng(seed);
  int run = 0;
  for (int round = 0; round < drawn(rounds); ++round) {
    Case c = make_case(long_kernel(rng), rng, Values::kReal);
    if (spoiled) spoil(&c, rng);
    INFO(to_text(c.p));
    PlanContext context;
    context.threads = 1 + round % 4;
    const Outcome got = checked(kTaps, c, context, pool_runner(context.threads));
    if (got.refused()) continue;  // an axis of one input whose kernel folds into another shape
    REQUIRE(got.status.ok());
    REQUIRE(got.bits == Bits::kReference);
    REQUIRE(difference(got.written, defined(c.p, c.operand())) == "");
    ++run;
  }
  CHECK(run > drawn(rounds) * 9 / 10);
}

}  // namespace

TEST_CASE("native: lanes over taps equal the definition") { sweep(81, 800, false); }
TEST_CASE("native: lanes over taps multiply nothing but real products") { sweep(82, 300, true); }

TEST_CASE("native: lanes over taps give the same on every instruction set") {
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    if (kit::moves<float>().lanes != 0) sweep(83, 100, false);
  }
  hwy::SetSupportedTargetsForTest(0);
}

TEST_CASE("native: lanes over taps are taken where a long kernel meets few inputs") {
  Rng rng(84);
  Problem p;
  p.types = uniform_types(Dtype::kF32);
  p.rank = 1;
  p.ci = 20;
  p.axis[2] = {.i = 10, .o = 1500, .k = 1491, .s = 1};
  lay_out(&p, false, false);
  const Case c = make_case(p, rng, Values::kReal);
  const Outcome got = checked(kNativeEngine, c);
  CHECK(got.form.find("taps") == 0);
  CHECK(difference(got.written, defined(p, c.operand())) == "");
}

}  // namespace ctconv::native_test
