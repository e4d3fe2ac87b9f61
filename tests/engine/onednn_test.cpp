// SPDX-License-Identifier: Apache-2.0
// Whatever the onednn engine does not refuse agrees with the reference.
#include "src/engine/onednn/onednn.h"

#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <thread>

#include "src/base/pool.h"
#include "src/engine/reference/reference.h"
#include "tests/rig/checked.h"

using namespace ctconv;
using namespace ctconv::rig;

namespace {

// True where the engine ran. Integers: the same numbers. Reals: within 1e-5 of the sum of |terms| (f32), a rounding
// of the narrow type more for bf16 and f16.
bool agrees(const Case& c, Values values, const Runner& runner) {
  INFO(to_text(c.p));
  const Outcome got = checked(kOnednnEngine, c, {}, runner);
  if (!got.status.ok()) {
    REQUIRE(got.refused());
    return false;
  }
  const std::vector<double> want = values_of(kReferenceEngine, c), &have = got.written.values;
  INFO(got.form);
  REQUIRE(have.size() == want.size());
  const bool smooth =
      c.p.epilogue.activation.kind == Activation::kTanh || c.p.epilogue.activation.kind == Activation::kSigmoid;
  if (values == Values::kSmallInteger && !smooth) {
    for (size_t k = 0; k < want.size(); ++k) {
      INFO("element " << k);
      REQUIRE(have[k] == want[k]);
    }
    return true;
  }
  const std::vector<Exact> exact = defined_in_f64(c.p, c.operand());
  const double narrow = c.p.types.x == Dtype::kBf16 ? 0x1p-8 : c.p.types.x == Dtype::kF16 ? 0x1p-11 : 0;
  for (size_t k = 0; k < want.size(); ++k) {
    INFO("element " << k << " " << have[k] << " " << want[k]);
    REQUIRE(std::fabs(have[k] - want[k]) <= 1e-5 * std::max(1.0, exact[k].magnitude) + 2 * narrow * std::fabs(want[k]));
  }
  return true;
}

}  // namespace

TEST_CASE("onednn: agrees with the reference where it does not refuse", "[onednn]") {
  PoolHold hold;
  Rng rng(11);
  std::map<std::string, int> ran;
  for (int round = 0; round < 1200; ++round) {
    const Dtype dtype = round % 5 == 0 ? Dtype::kF16 : round % 2 == 0 ? Dtype::kF32 : Dtype::kBf16;
    const Values values = round % 3 == 0 ? Values::kReal : Values::kSmallInteger;
    const Problem p = random_of(rng, dtype, round % 8 == 0 ? Layouts::kViews : Layouts::kDense);
    ran[name_of(dtype)] += agrees(make_case(p, rng, values), values, pool_runner(1 + round % 3));
  }
  CAPTURE(ran);
  REQUIRE(ran["f32"] > 150);
}

TEST_CASE("onednn: refuses what it must", "[onednn]") {
  Rng rng(12);
  Problem p;
  p.ci = p.co = 16;
  p.rank = 2;
  p.axis[1] = p.axis[2] = {8, 16, 4, 2, 1, 1, 0};
  lay_out(&p, true, true);
  const Case good = make_case(p, rng, Values::kReal);
  const auto code = [&](const Case& c, const PlanContext& context) {
    return checked(kOnednnEngine, c, context).status.code();
  };
  REQUIRE(code(good, {}) == Code::OK);
  REQUIRE(code(good, {.weakest = Bits::kReference}) == Code::UNSUPPORTED_ENGINE);
  REQUIRE(code(good, {.weights_finite = false}) == Code::UNSUPPORTED_ENGINE);

  Case c = good;
  c.p.types = uniform_types(Dtype::kF64);
  REQUIRE(kOnednnEngine.plan(c.p, {}).status().code() == Code::UNSUPPORTED_ENGINE);
  c = good;
  c.p.n = 0;
  REQUIRE(kOnednnEngine.plan(c.p, {}).status().code() == Code::UNSUPPORTED_ENGINE);
  c = good;
  c.p.axis[2].o = 30;  // far beyond output_padding < stride
  REQUIRE(kOnednnEngine.plan(c.p, {}).status().code() == Code::UNSUPPORTED_ENGINE);
  REQUIRE(kOnednnEngine.plan(good.p, {.threads = 2, .caller_runner = true}).status().code() ==
          Code::UNSUPPORTED_ENGINE);

  c = good;
  lay_out(&c.p, false, false);  // reorders need scratch
  REQUIRE(kOnednnEngine.plan(c.p, {.workspace_limit = 1}).status().code() == Code::UNSUPPORTED_ENGINE);

  c = good;
  store(c.w.data(p.types.x), p.types.x, 7, std::numeric_limits<double>::infinity());
  REQUIRE(checked(kOnednnEngine, c).status.code() == Code::UNSUPPORTED_ENGINE);  // noticed when packing
}

// Code for a kernel of 1024 taps and 1026 channels takes seconds to generate: a call would have to gain milliseconds.
TEST_CASE("onednn: what takes seconds to make is refused where another engine takes milliseconds", "[onednn]") {
  PlanContext context;
  context.beat_seconds = 0.02;
  auto istft = problem_from_text("bf16 n1 g1 ci1026 co1 i200 k1024 s256 d1 lo512 o50944 x=first y=first");
  REQUIRE(istft.ok());
  const auto refused = kOnednnEngine.plan(*istft, context);
  REQUIRE(!refused.ok());
  CHECK(refused.status().detail().message.find("ms at least") != std::string::npos);
  auto plain = problem_from_text("bf16 n1 g1 ci512 co64 i200 k16 s8 d1 lo4 o1600 x=last y=last");
  REQUIRE(plain.ok());
  const auto taken = kOnednnEngine.plan(*plain, context);
  const bool asked = taken.ok() || taken.status().detail().message.find("at least") == std::string::npos;
  CHECK(asked);
}

TEST_CASE("onednn: one kernel, many threads at once", "[onednn]") {
  PoolHold hold;
  Rng rng(13);
  for (const bool last : {false, true}) {
    Problem p;
    p.ci = 32;
    p.co = 24;
    p.rank = 2;
    p.epilogue.bias = true;
    p.axis[1] = p.axis[2] = {9, 18, 4, 2, 1, 1, 0};
    lay_out(&p, last, last);
    const Case c = make_case(p, rng, Values::kSmallInteger);
    const std::vector<double> want = values_of(kReferenceEngine, c);
    const Runner runner = pool_runner(2);
    auto kernel = kOnednnEngine.plan(p, {.threads = 2});
    REQUIRE(kernel.ok());
    const Kernel& k = **kernel;
    Buffer packed(Allocator{}, k.packed_bytes());
    REQUIRE(*k.pack(c.w.data(p.types.x), packed.data(), runner));
    std::vector<int> wrong(4, 0);
    std::vector<std::thread> callers;
    for (size_t t = 0; t < wrong.size(); ++t) {
      callers.emplace_back([&, t] {
        std::vector<float> y(want.size());
        Buffer scratch(Allocator{}, k.scratch_bytes());
        for (int round = 0; round < 50; ++round) {
          std::fill(y.begin(), y.end(), -1.0f);
          wrong[t] += !k.run({read_only(c.x.data(p.types.x)), nullptr, packed.data(), read_only(c.bias.data()),
                              y.data(), scratch.data()},
                             runner)
                           .ok();
          if (last) {
            for (int64_t at = 0; at < p.out_elements(); ++at) {
              const int64_t channel = at % p.co, point = at / p.co;
              wrong[t] += y[static_cast<size_t>(at)] != want[static_cast<size_t>(channel * 18 * 18 + point)];
            }
          } else {
            for (size_t at = 0; at < want.size(); ++at) wrong[t] += y[at] != want[at];
          }
        }
      });
    }
    for (auto& t : callers) t.join();
    REQUIRE(wrong == std::vector<int>(4, 0));
  }
}

TEST_CASE("onednn: a runner that drops tasks is noticed", "[onednn]") {
  Rng rng(14);
  Problem p;
  p.ci = p.co = 32;
  p.rank = 2;
  p.axis[1] = p.axis[2] = {16, 32, 4, 2, 1, 1, 0};
  lay_out(&p, true, true);
  const Case c = make_case(p, rng, Values::kReal);
  auto kernel = kOnednnEngine.plan(p, {.threads = 2});
  REQUIRE(kernel.ok());
  const Kernel& k = **kernel;
  Buffer packed(Allocator{}, k.packed_bytes()), scratch(Allocator{}, k.scratch_bytes());
  REQUIRE(*k.pack(c.w.data(p.types.x), packed.data(), Runner()));
  std::vector<float> y(static_cast<size_t>(p.out_elements()));
  const Runner lazy([](void*, int64_t, Runner::Task task, void* data) { task(data, 0, 0); }, nullptr, 2);
  const Status status =
      k.run({read_only(c.x.data(p.types.x)), nullptr, packed.data(), nullptr, y.data(), scratch.data()}, lazy);
  if (k.form().find("over the runner") != std::string::npos) REQUIRE(status.code() == Code::MISUSE_RUNNER);
}
