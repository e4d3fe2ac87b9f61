// SPDX-License-Identifier: Apache-2.0
// Everything offered to everyone: each engine answers right numbers, or UNSUPPORTED_ENGINE with a reason of its own.
//
//   The grid: each operand that can be written, each combination of element types below, each activation, with and
//   without bias and rescaling. No answer may be a crash, an empty reason or a wrong number.
#include <catch2/catch_test_macros.hpp>
#include <map>

#include "capi/engines.h"
#include "tests/rig/checked.h"

using namespace ctconv;
using namespace ctconv::rig;

namespace {

std::vector<Types> offered_types() {
  std::vector<Types> types;
  for (const DtypeRow& row : kDtypes) types.push_back(uniform_types(row.type));
  types.push_back({Dtype::kI8, Dtype::kI8, Dtype::kI32, Dtype::kI32});
  types.push_back({Dtype::kI8, Dtype::kI8, Dtype::kF32, Dtype::kI32});
  types.push_back({Dtype::kF16, Dtype::kF16, Dtype::kF32, Dtype::kF32});
  types.push_back({Dtype::kF32, Dtype::kBf16, Dtype::kF32, Dtype::kF32});
  types.push_back({Dtype::kF32, Dtype::kF32, Dtype::kF32, Dtype::kF64});
  return types;
}

// f(problem) for the whole grid; what an epilogue cannot be asked of a gradient is asked all the same.
template <class F>
void each_offer(F&& f) {
  for (const Written written : kEveryWritten) {
    for (const Types& types : offered_types()) {
      for (const ActivationRow& act : kActivations) {
        for (int more = 0; more < 4; ++more) {
          Problem p;
          p.written = written;
          p.types = types;
          p.rank = 2;
          p.groups = 2;
          p.ci = 3;
          p.co = 5;
          p.axis[1] = {.i = 4, .o = 8, .k = 3, .s = 2, .lo = 1};
          p.axis[2] = {.i = 5, .o = 10, .k = 4, .s = 2, .lo = 1};
          p.epilogue.bias = more & 1;
          if (more & 2) p.epilogue.rescale = {0.125, 3};
          p.epilogue.activation = {act.kind, -0.5, 6};
          lay_out(&p, false, false);
          f(p);
        }
      }
    }
  }
}

bool exact(Bits bits) { return bits == Bits::kReference; }

// Small integers are exact in any order; tanh and sigmoid of other steps err by a little.
void check_numbers(const Problem& p, const Outcome& got, const Numbers& want) {
  if (exact(got.bits)) {
    REQUIRE(difference(got.written, want) == "");
    return;
  }
  REQUIRE(got.written.values.size() == want.values.size());
  const bool smooth =
      p.epilogue.activation.kind == Activation::kTanh || p.epilogue.activation.kind == Activation::kSigmoid;
  const double narrow = p.types.y == Dtype::kBf16 ? 0x1p-8 : p.types.y == Dtype::kF16 ? 0x1p-11 : 0;
  for (size_t k = 0; k < want.values.size(); ++k) {
    const double bound = smooth ? 1e-5 + 2 * narrow * std::fabs(want.values[k]) : 0;
    if (std::fabs(got.written.values[k] - want.values[k]) <= bound) continue;
    FAIL("element " << k << " is " << got.written.values[k] << ", not " << want.values[k]);
  }
}

// A gradient has no epilogue but the bias that is written beside w.
bool has_meaning(const Problem& p) {
  if (p.written == Written::kY) return true;
  const bool plain = p.epilogue.activation.kind == Activation::kNone && p.epilogue.rescale.identity();
  return plain && (p.written == Written::kW || !p.epilogue.bias);
}

}  // namespace

TEST_CASE("grid: every engine answers every offer with right numbers or its own reason") {
  Rng rng(41);
  std::map<std::string, int> ran;
  each_offer([&](const Problem& p) {
    const Case c = make_case(p, rng, Values::kSmallInteger);
    INFO(to_text(p));
    for (const Engine* engine : cpu_engines()) {
      INFO(engine->name);
      const Outcome got = checked(*engine, c);
      if (!got.status.ok()) {
        REQUIRE(got.refused());
        REQUIRE(got.reason().rfind(std::string(engine->name) + ": ", 0) == 0);
        REQUIRE(got.reason().size() > std::string(engine->name).size() + 2);
        continue;
      }
      REQUIRE(has_meaning(p));
      check_numbers(p, got, defined(p, c.operand()));
      ++ran[std::string(engine->name) + " " + name_of(p.written)];
    }
  });
  CAPTURE(ran);
  CHECK(ran["reference y"] == 4 * 6 * 2);  // float types, activations, bias or not
  CHECK(ran["reference x"] == 4);
  CHECK(ran["reference w"] == 4 * 2);
  CHECK(ran["native y"] == 4 * 6 * 2);
}

TEST_CASE("grid: auto takes an engine that knows the problem, or says of each why not") {
  Rng rng(42);
  int nobody = 0;
  each_offer([&](const Problem& p) {
    const Case c = make_case(p, rng, Values::kSmallInteger);
    INFO(to_text(p));
    PlanTrial trial;
    trial.engines = cpu_engines();
    trial.reference = reference_engine();
    const Outcome got = checked(trial, c);
    if (got.status.ok()) {
      REQUIRE(has_meaning(p));
      check_numbers(p, got, defined(p, c.operand()));
      return;
    }
    ++nobody;
    REQUIRE(got.refused());
    REQUIRE(got.reason().rfind("no engine can run this problem", 0) == 0);
    for (const Engine* engine : cpu_engines()) {
      REQUIRE(got.reason().find(std::string("; ") + engine->name + ": no ") != std::string::npos);
    }
  });
  CHECK(nobody > 500);
}
