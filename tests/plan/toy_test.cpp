// SPDX-License-Identifier: Apache-2.0
// What a new engine costs: one file and one line of a table. The toy engine brings types and bits that nobody had.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "capi/engines.h"
#include "src/backend/cpu/cpu_backend.h"
#include "tests/plan/toy_engine.h"
#include "tests/rig/checked.h"

using namespace ctconv;
using namespace ctconv::rig;

namespace {

constexpr Types kSums = {Dtype::kI8, Dtype::kI8, Dtype::kI32, Dtype::kI32};
constexpr Types kScaled = {Dtype::kI8, Dtype::kI8, Dtype::kF32, Dtype::kI32};

// The library's engines, with the newcomer in front.
std::span<const Engine* const> table() {
  static const std::vector<const Engine*> engines = [] {
    std::vector<const Engine*> list(cpu_engines().begin(), cpu_engines().end());
    list.insert(list.begin(), &test::kToyEngine);
    return list;
  }();
  return engines;
}

PlanTrial trial_of(const char* engine, Bits weakest = Bits::kMachine) {
  PlanTrial trial;
  trial.engines = table();
  trial.reference = reference_engine();
  trial.engine = engine;
  trial.context.weakest = weakest;
  return trial;
}

Problem drawn(Rng& rng, const Types& types) {
  Limits limits;
  limits.types = {types};
  limits.activations = false;
  limits.rescale = types.y == Dtype::kF32;
  limits.far = 30;
  limits.products = 3e4;
  return random_problem(rng, limits);
}

}  // namespace

TEST_CASE("toy: its numbers are the definition's, by its kernel and chosen by auto") {
  Rng rng(61);
  for (int round = 0; round < 200; ++round) {
    const Problem p = drawn(rng, round % 2 ? kSums : kScaled);
    const Case c = make_case(p, rng, Values::kSmallInteger);
    INFO(to_text(p));
    const Numbers want = defined(p, c.operand());
    const Outcome own = checked(test::kToyEngine, c);
    REQUIRE(own.reason() == "");
    REQUIRE(difference(own.written, want) == "");
    for (const char* name : {"auto", "toy"}) {
      PlanTrial trial = trial_of(name, Bits::kStable);
      trial.own_weight = round % 3 != 0;
      if (!trial.own_weight) trial.reference = nullptr;  // what such a plan falls back to; ours knows no int8
      const Outcome planned = checked(trial, c);
      REQUIRE(planned.reason() == "");
      REQUIRE(planned.engine == "toy");
      REQUIRE(planned.bits == Bits::kStable);
      REQUIRE(difference(planned.written, want) == "");
    }
  }
}

TEST_CASE("toy: described with its form, its bits and why nobody else") {
  Problem p;
  p.types = kScaled;
  p.ci = 3;
  p.co = 2;
  p.axis[2] = {.i = 6, .o = 13, .k = 3, .s = 2};
  p.epilogue.rescale = {0.25, 1};
  lay_out(&p, false, false);
  Rng rng(62);
  const Case c = make_case(p, rng, Values::kSmallInteger);
  const auto view = [](Dtype t, const void* data, std::vector<int64_t> shape) {
    TensorView v;
    v.type = element_type(t);
    v.ndim = static_cast<int32_t>(shape.size());
    int64_t step = 1;
    for (size_t a = shape.size(); a-- > 0;) {
      v.shape[a] = shape[a];
      v.strides[a] = step;
      step *= shape[a];
    }
    v.data = const_cast<void*>(data);
    return v;
  };
  const TensorView x = view(Dtype::kI8, c.x.bytes.data(), {1, 3, 6}), w = view(Dtype::kI8, c.w.bytes.data(), {3, 2, 3});
  std::vector<float> y(26);
  const TensorView out = view(Dtype::kF32, y.data(), {1, 2, 13});
  const auto facts_with = [&](int32_t reproducible) {
    Options options;
    options.reproducible = reproducible;
    options.threads = 1;
    CpuBackend backend(options, EngineTable{table(), reference_engine(), "test"});
    REQUIRE(backend.adopt(&w, nullptr).ok());
    const WorkCall call{.problem = p, .x = x, .y = out};
    if (reproducible != 1) {
      REQUIRE(backend.execute(call).ok());
      const Numbers want = defined(p, c.operand());
      for (size_t k = 0; k < y.size(); ++k) REQUIRE(static_cast<double>(y[k]) == want.values[k]);
    }
    return backend.describe(call);
  };
  for (const int32_t reproducible : {0, 2}) {
    const auto facts = facts_with(reproducible);
    REQUIRE(facts.ok());
    CHECK(facts->engine == "toy");
    CHECK(facts->form == "plain sums of bytes");
    CHECK(facts->bits == "stable");
    CHECK(facts->why.rfind("fastest estimated: toy ", 0) == 0);
    CHECK(facts->packed_bytes == 18);
    std::vector<std::string> refused;
    for (const auto& [engine, reason] : facts->refused) {
      INFO(engine << ": " << reason);
      const bool too_weak = reason == "its bits depend on the machine, and reproducible was asked for";
      CHECK((reason == "no x int8, w int8, y f32, sums int32" || (too_weak && reproducible == 2)));
      if (engine == "native") CHECK_FALSE(too_weak);
      refused.push_back(engine);
    }
    CHECK(std::count(refused.begin(), refused.end(), "native") == 1);  // the reference is not asked where another can
  }
  const auto none = facts_with(1);
  REQUIRE_FALSE(none.ok());
  CHECK(none.status().code() == Code::UNSUPPORTED_ENGINE);
  CHECK(none.status().detail().message.find(
            "toy: its sums have an order of their own, and reproducible = 1 was asked for") != std::string::npos);
}

TEST_CASE("toy: refuses what it does not know, and leaves the rest to the others") {
  Rng rng(63);
  Problem p = drawn(rng, kSums);
  const auto reason = [&](auto change) {
    Problem q = p;
    change(q);
    return test::kToyEngine.plan(q, {}).status().detail().message;
  };
  CHECK(reason([](Problem& q) { q.written = Written::kX; }) == "toy: no problem that writes x");
  CHECK(reason([](Problem& q) { q.written = Written::kW; }) == "toy: no problem that writes w");
  CHECK(reason([](Problem& q) { q.types = uniform_types(Dtype::kI8); }) == "toy: no int8");
  CHECK(reason([](Problem& q) { q.types = uniform_types(Dtype::kF32); }) == "toy: no f32");
  CHECK(reason([](Problem& q) { q.epilogue.activation.kind = Activation::kRelu; }) == "toy: no activation");
  CHECK(reason([](Problem& q) { q.n = 0; }) == "toy: the output is empty");
  for (int round = 0; round < 20; ++round) {
    Limits limits;
    limits.layouts = Layouts::kDense;
    const Problem q = random_problem(rng, limits);
    const Case c = make_case(q, rng, Values::kReal);
    INFO(to_text(q));
    const Outcome got = checked(trial_of("auto", Bits::kReference), c);
    REQUIRE(got.reason() == "");
    REQUIRE(got.engine != "toy");
    REQUIRE(difference(got.written, defined(q, c.operand())) == "");
  }
}
