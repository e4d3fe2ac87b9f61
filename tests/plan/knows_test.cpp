// SPDX-License-Identifier: Apache-2.0
// What an engine is not asked: types, operands, epilogues and bits beside its list, each refused with its name.
#include "src/plan/knows.h"

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "src/plan/as_forward.h"
#include "tests/plan/fakes.h"

using namespace ctconv;
using namespace ctconv::test;

namespace {

std::string reason(const Knows& knows, void (*change)(Problem&)) {
  Problem p = small_problem();
  change(p);
  const Status status = check_known("e", knows, p);
  CHECK((status.ok() || status.code() == Code::UNSUPPORTED_ENGINE));
  return status.ok() ? "" : status.detail().message;
}

void rescaled(Problem& p) { p.epilogue.rescale = {0.5, 1}; }
void activated(Problem& p) { p.epilogue.activation.kind = Activation::kRelu; }
void gradient(Problem& p) { p.written = Written::kX; }
void weight_gradient(Problem& p) { p.written = Written::kW; }

}  // namespace

TEST_CASE("knows: what stands beside the list is refused by name", "[plan]") {
  constexpr Knows kPlain{.written = kForwardOnly, .types = kFloatTypes};
  CHECK(reason(kPlain, [](Problem&) {}) == "");
  CHECK(reason(kPlain, gradient) == "e: no problem that writes x");
  CHECK(reason(kPlain, activated) == "e: no activation");
  CHECK(reason(kPlain, rescaled) == "e: no rescaling");
  CHECK(reason(kPlain, [](Problem& p) { p.types = uniform_types(Dtype::kI8); }) == "e: no int8");
  const auto wide = [](Problem& p) { p.types = kWideWeights[0]; };
  CHECK(reason(kEveryFloat, wide) == "e: no x f16, w f32, y f16, sums f32");
  CHECK(reason(kEveryFloat, [](Problem& p) {
          p.types = kWideWeights[0];
          p.written = Written::kW;
        }) == "");
}

TEST_CASE("knows: a gradient has no epilogue, and a data gradient no bias", "[plan]") {
  constexpr Knows kAll{.written = kEveryWritten, .types = kFloatTypes, .rescale = true, .activations = true};
  CHECK(reason(kAll, gradient) == "");
  CHECK(reason(kAll, weight_gradient) == "");
  CHECK(reason(kAll, [](Problem& p) {
          gradient(p);
          activated(p);
        }) == "e: no epilogue on a gradient");
  CHECK(reason(kAll, [](Problem& p) {
          weight_gradient(p);
          rescaled(p);
        }) == "e: no epilogue on a gradient");
  CHECK(reason(kAll, [](Problem& p) {
          gradient(p);
          p.epilogue.bias = true;
        }) == "e: no bias on a data gradient");
  CHECK(reason(kAll, [](Problem& p) {
          weight_gradient(p);
          p.epilogue.bias = true;
        }) == "");
  CHECK(reason(kAll, [](Problem& p) {
          rescaled(p);
          activated(p);
        }) == "");
}

TEST_CASE("knows: bits weaker than asked for are told apart", "[plan]") {
  CHECK(check_bits("e", Bits::kStable, Bits::kStable).ok());
  const auto told = [](Bits bits, Bits weakest) { return check_bits("e", bits, weakest).detail().message; };
  CHECK(told(Bits::kReduced, Bits::kMachine) ==
        "e: it rounds operands below their own type, and math = 1 was not asked for");
  CHECK(told(Bits::kStable, Bits::kReference) ==
        "e: its sums have an order of their own, and reproducible = 1 was asked for");
  CHECK(told(Bits::kMachine, Bits::kStable) == "e: its bits depend on the machine, and reproducible was asked for");
}

TEST_CASE("knows: the weakest bits that an op's options accept", "[plan]") {
  for (const int math : {0, 1}) {
    CHECK(weakest_bits(1, math) == Bits::kReference);
    CHECK(weakest_bits(2, math) == Bits::kStable);
    CHECK(weakest_bits(0, math) == (math == 1 ? Bits::kReduced : Bits::kMachine));
  }
  CHECK(bias_type(uniform_types(Dtype::kF16)) == Dtype::kF16);
  CHECK(bias_type({Dtype::kI8, Dtype::kI8, Dtype::kF32, Dtype::kI32}) == Dtype::kI32);
}

TEST_CASE("knows: an engine's kernel that is weaker than the engine said is not taken", "[plan]") {
  slow_script = Script();
  slow_script.bits = Bits::kMachine;  // the engine says kReference
  PlanContext context;
  context.weakest = Bits::kReference;
  CHECK(kSlow.plan(small_problem(), context).status().code() == Code::UNSUPPORTED_ENGINE);
  slow_script.bits = Bits::kReference;
  CHECK(kSlow.plan(small_problem(), context).ok());
}

TEST_CASE("knows: a data gradient goes to a forward engine as the forward problem it is, or is refused", "[plan]") {
  Problem p = small_problem();
  CHECK_FALSE(as_forward(p).has_value());  // a forward problem is no gradient
  p.written = Written::kX;
  CHECK_FALSE(as_forward(p).has_value());  // its outputs lie two rows of x apart
  CHECK(kSlow.plan(p, {}).status().detail().message == "slow: no problem that writes x");
  p.axis[2] = {.i = 5, .o = 7, .k = 3, .s = 1};
  slow_script = Script();
  auto kernel = kSlow.plan(p, {});
  REQUIRE(kernel.ok());
  CHECK((*kernel)->form() == "fake slow, x and y exchanged");
  slow_script.refuses = true;
  CHECK(kSlow.plan(p, {}).status().detail().message == "slow: does not like this problem");
  p.types = uniform_types(Dtype::kI8);
  CHECK(kSlow.plan(p, {}).status().detail().message == "slow: no problem that writes x");
  p.types = uniform_types(Dtype::kF32);
  for (const int64_t far : {kMostLo, -kMostLo}) {
    p.axis[2].lo = far;  // the forward problem's lo is the reach minus it
    p.axis[2].d = far < 0 ? 2 : 1;
    CHECK(as_forward(p).has_value() == (far > 0));
  }
}

TEST_CASE("knows: an exchanged kernel is asked as itself, its weight from the other end, or without one", "[plan]") {
  class Looks final : public Kernel {
   public:
    std::string form() const override { return "looks"; }
    Bits bits() const override { return Bits::kStable; }
    double estimated_seconds() const override { return 3; }
    size_t scratch_bytes() const override { return 5; }
    size_t packed_bytes() const override { return 7; }
    std::string packing() const override { return "own"; }
    Result<bool> pack(const void* w, void* packed, const Runner&) const override { return w == packed; }
    const char* weights_not_honoured() const override { return "its own reason"; }
    Spoils spoils() const override { return Spoils::kNothing; }
    bool looks_at_input() const override { return true; }
    Result<bool> honours_input(const Operands& m, const Runner&) const override { return m.bias == nullptr; }
    Status run(const Operands& m, const Runner&) const override {
      std::swap(*static_cast<float*>(m.x), *static_cast<float*>(m.y));
      return m.w == nullptr ? refuse("no weight") : Status();
    }
  };
  Problem p = small_problem();
  const auto kernel = exchanged(p, true, std::make_unique<Looks>());
  CHECK(kernel->form().find("looks") != std::string::npos);
  CHECK(kernel->bits() == Bits::kStable);
  CHECK(kernel->estimated_seconds() == 3);
  CHECK(kernel->scratch_bytes() == 5);
  CHECK(kernel->packed_bytes() == 7);
  CHECK(kernel->packing().find("own") != std::string::npos);
  CHECK(std::string(kernel->weights_not_honoured()) == "its own reason");
  CHECK(kernel->spoils() == Kernel::Spoils::kNothing);
  CHECK(kernel->looks_at_input());
  float x = 1, y = 2, w[18] = {};
  CHECK(*kernel->pack(w, w + 2, Runner()));  // (k - 1) taps, each one element further
  // One that spoils what it does not honour packs as it says.
  slow_script = Script();
  slow_script.packing = "rows";
  const auto spoils = exchanged(p, true, std::make_unique<FakeKernel>("slow", &slow_script));
  CHECK(spoils->packing() == "rows/x");
  CHECK(kernel->packing() == "own/x, any");
  slow_script.pack = [] { return Result<bool>(false); };
  CHECK_FALSE(*spoils->pack(w, nullptr, Runner()));
  slow_script.pack = [] { return Result<bool>(Status(Code::NO_MEMORY, "of the test")); };
  CHECK(spoils->pack(w, nullptr, Runner()).status().code() == Code::NO_MEMORY);
  CHECK(*kernel->honours_input({.x = &x, .w = w, .bias = &x, .y = &y}, Runner()));
  CHECK(kernel->run({.x = &x, .w = w, .y = &y}, Runner()).ok());
  CHECK(kernel->run({.x = &x, .y = &y}, Runner()).code() == Code::UNSUPPORTED_ENGINE);
}
