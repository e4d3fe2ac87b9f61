// SPDX-License-Identifier: Apache-2.0
// Weights that hold an Inf or NaN, through a whole plan: the native engine's kernels, mended, give the definition's
// bits; where nothing can be mended the plan says what is left, or fails as the reference fails.
#include <catch2/catch_test_macros.hpp>
#include <cmath>

#include "capi/engines.h"
#include "src/plan/mended.h"
#include "tests/plan/fakes.h"
#include "tests/rig/checked.h"

using namespace ctconv;
using namespace ctconv::test;

namespace {

// One weight, or all of them.
void spoil(rig::Case* c, rig::Rng& rng) {
  const Problem& p = c->p;
  const double values[] = {INFINITY, -INFINITY, NAN};
  const int64_t all = p.weight_elements(), one = rig::pick(rng, 0, all - 1);
  const bool every = rig::pick(rng, 0, 3) == 0;
  for (int64_t k = every ? 0 : one; k < (every ? all : one + 1); ++k) {
    rig::store(c->w.data(p.types.w), p.types.w, k, rig::one_of(rng, values));
  }
}

// Two of four outputs of every channel meet the edge of x.
Problem bordered(Dtype type) {
  Problem p = small_problem();
  p.types = uniform_types(type);
  return p;
}

// Says that it spoils borders (or nothing) and writes 1 everywhere.
struct Borders {
  Kernel::Spoils spoils = Kernel::Spoils::kBorders;
  Result<bool> (*pack)() = [] { return Result<bool>(false); };
  Status (*run)() = [] { return Status(); };
};
Borders borders_script;

class BordersKernel final : public Kernel {
 public:
  std::string form() const override { return "borders"; }
  Bits bits() const override { return Bits::kReference; }
  double estimated_seconds() const override { return 1e-6; }
  std::string packing() const override { return "none"; }
  Result<bool> pack(const void*, void*, const Runner&) const override { return borders_script.pack(); }
  const char* weights_not_honoured() const override { return "the borders' own reason"; }
  Spoils spoils() const override { return borders_script.spoils; }
  bool looks_at_input() const override { return true; }
  Result<bool> honours_input(const Operands&, const Runner&) const override { return false; }
  Status run(const Operands& m, const Runner&) const override {
    std::fill_n(static_cast<float*>(m.y), 33, 1.0f);
    return borders_script.run();
  }
};
Result<std::unique_ptr<Kernel>> plan_borders(const Problem&, const PlanContext& context) {
  if (!context.weights_finite) return refuse("borders: no kernel for these alone");
  return std::unique_ptr<Kernel>(new BordersKernel);
}
const Engine kBorders{"borders", Bits::kReference, kForwardFloats, &plan_borders};

std::unique_ptr<Kernel> mended_borders(const Engine& reference, double most = INFINITY) {
  const Problem p = bordered(Dtype::kF32);
  return mended(p, {}, reference, most, std::make_unique<BordersKernel>());
}

struct Call {
  float x[10] = {}, w[18] = {}, y[33] = {};
  std::vector<std::byte> packed;
  explicit Call(const Kernel& k) : packed(k.packed_bytes()) { w[4] = NAN; }
  Operands operands() { return {.x = x, .w = w, .packed = packed.data(), .y = y}; }
};

// A hook that leaves half of the tasks undone.
void count_half(void* /*user*/, int64_t count, Runner::Task task, void* data) {
  for (int64_t k = 0; k < count / 2; ++k) task(data, k, 0);
}
const Runner kBreaks(&count_half, nullptr, 2);

}  // namespace

TEST_CASE("not finite: a plan gives the definition's bits, by the engine that computes finite weights", "[plan]") {
  rig::Limits limits;
  limits.products = 2e4;
  limits.layouts = rig::Layouts::kDense;
  limits.activations = false;
  int native = 0, runs = 0;
  for (int round = 0; round < 300; ++round) {
    rig::Rng rng(9000 + static_cast<uint64_t>(round));
    const Problem p = rig::random_problem(rng, limits);
    if (p.weight_elements() == 0 || p.empty()) continue;
    rig::Case c = rig::make_case(p, rng, rig::Values::kReal);
    spoil(&c, rng);
    rig::PlanTrial trial{.engines = cpu_engines(), .reference = reference_engine()};
    trial.context.weakest = Bits::kReference;
    trial.own_weight = round % 2 == 0;
    const rig::Outcome got = rig::checked(trial, c);
    REQUIRE(got.reason() == "");
    INFO(to_text(p) << ": " << got.form);
    REQUIRE(rig::difference(got.written, rig::defined(p, c.operand())) == "");
    ++runs;
    native += got.engine == "native";
  }
  CHECK(runs > 200);
  CHECK(native > runs / 2);
}

TEST_CASE("not finite: a kernel without a reference that knows its borders stays as it is", "[plan]") {
  borders_script = {};
  reference_script = Script();
  reference_script.refuses = true;
  CHECK(mended_borders(kReference)->packing() == "none");
  reference_script.refuses = false;
  CHECK(mended_borders(kReference)->packing() == "none/not finite");
  borders_script.spoils = Kernel::Spoils::kNothing;
  CHECK(mended_borders(kReference)->packing() == "none/not finite, whole");
  borders_script.spoils = Kernel::Spoils::kAnything;
  CHECK(mended_borders(kReference)->packing() == "none");
  Problem gradient = bordered(Dtype::kF32);
  gradient.written = Written::kW;
  borders_script.spoils = Kernel::Spoils::kBorders;
  CHECK(mended(gradient, {}, kReference, 1, std::make_unique<BordersKernel>())->packing() == "none");
}

TEST_CASE("not finite: what a mended kernel cannot mend, or not in time, it does not pack", "[plan]") {
  borders_script = {};
  reference_script = Script();
  const auto kernel = mended_borders(kReference);
  CHECK(std::string(kernel->weights_not_honoured()) == "the borders' own reason");
  CHECK(kernel->looks_at_input());
  Call call(*kernel);
  const auto packs = [&](const Kernel& k, const Runner& runner = Runner()) {
    return k.pack(call.w, call.packed.data(), runner);
  };
  CHECK(*packs(*kernel));
  CHECK_FALSE(*packs(*mended_borders(kReference, 1e-9)));  // dearer than the reference over the whole
  CHECK(packs(*kernel, kBreaks).status().code() == Code::MISUSE_RUNNER);
  call.w[4] = 0;  // the kernel honours the weights for no reason that borders would mend
  CHECK_FALSE(*packs(*kernel));
  borders_script.pack = [] { return Result<bool>(Status(Code::NO_MEMORY, "of the test")); };
  CHECK(packs(*kernel).status().code() == Code::NO_MEMORY);
  borders_script.pack = [] { return Result<bool>(true); };
  CHECK(*packs(*kernel));
}

TEST_CASE("not finite: each step of a mended call may fail, and says so", "[plan]") {
  borders_script = {};
  reference_script = Script();
  const auto kernel = mended_borders(*reference_engine());
  Call call(*kernel);
  REQUIRE(*kernel->pack(call.w, call.packed.data(), Runner()));
  REQUIRE(kernel->run(call.operands(), Runner()).ok());
  CHECK(call.y[11] == 0.0f);  // of the channel with the NaN, at the edge of x: computed anew
  CHECK(call.y[0] == 1.0f);
  CHECK(kernel->run(call.operands(), kBreaks).code() == Code::MISUSE_RUNNER);
  borders_script.run = [] { return Status(Code::BACKEND_ONEDNN, "of the test"); };
  CHECK(kernel->run(call.operands(), Runner()).code() == Code::BACKEND_ONEDNN);
}

TEST_CASE("not finite: whole numbers are finite, x is looked at by the kernel itself, and no row is no border",
          "[plan]") {
  borders_script = {};
  reference_script = Script();
  for (const Dtype type : {Dtype::kI8, Dtype::kI32, Dtype::kF16, Dtype::kBf16, Dtype::kF64}) {
    const Problem p = bordered(type);
    const Knows knows{.written = kForwardOnly, .types = {&p.types, 1}};
    const Engine reference{"reference", Bits::kReference, knows, kReference.make};
    const auto kernel = mended(p, {}, reference, INFINITY, std::make_unique<BordersKernel>());
    REQUIRE(kernel->packing() == "none/not finite");
    const std::vector<std::byte> ones(18 * 8, std::byte{0xFF});  // a NaN of any float, -1 of any integer
    std::vector<std::byte> packed(kernel->packed_bytes());
    CHECK(*kernel->pack(ones.data(), packed.data(), Runner()) == (type != Dtype::kI8 && type != Dtype::kI32));
    CHECK_FALSE(*kernel->honours_input({}, Runner()));
  }
  Problem empty = bordered(Dtype::kF32);
  empty.axis[2].i = 0;  // as the data gradient of no output: every row of y is the bias alone
  CHECK(mended(empty, {}, kReference, 1, std::make_unique<BordersKernel>())->packing() == "none/not finite");
}

TEST_CASE("not finite: a border that the reference cannot run is told", "[plan]") {
  borders_script = {};
  const auto make = [](const Problem&, const PlanContext&) -> Result<std::unique_ptr<Kernel>> {
    class Stuck final : public Kernel {
     public:
      std::string form() const override { return "stuck"; }
      Bits bits() const override { return Bits::kReference; }
      double estimated_seconds() const override { return 1e-9; }
      Status run(const Operands&, const Runner&) const override { return refuse("stuck: of the test"); }
    };
    return std::unique_ptr<Kernel>(new Stuck);
  };
  const Engine stuck{"stuck", Bits::kReference, kForwardFloats, make};
  const auto kernel = mended_borders(stuck);
  Call call(*kernel);
  REQUIRE(*kernel->pack(call.w, call.packed.data(), Runner()));
  const Status status = kernel->run(call.operands(), Runner());
  CHECK(status.code() == Code::INTERNAL);
  CHECK(status.detail().message == "the reference refused a border");
}

TEST_CASE("not finite: no memory for those that are asked again ends the choice", "[plan]") {
  borders_script = {};
  const auto poor = [](const Problem&, const PlanContext& context) -> Result<std::unique_ptr<Kernel>> {
    if (context.weights_finite) return std::unique_ptr<Kernel>(new BordersKernel);
    return Status(Code::NO_MEMORY, "of the test");
  };
  const Engine engine{"poor", Bits::kReference, kForwardFloats, poor};
  Setup s;
  const Engine* engines[] = {&engine, &kReference};
  s.request.engines = engines;
  CHECK(s.plan().status().code() == Code::NO_MEMORY);
}

TEST_CASE("not finite: auto asks again before the last resort, and ends where nobody is left", "[plan]") {
  borders_script = {};
  Setup s;
  s.weight[4] = NAN;
  const Engine* engines[] = {&kBorders, &kReference};
  s.request.engines = engines;
  auto plan = s.plan();
  REQUIRE(plan.ok());
  CHECK(std::string((*plan)->engine->name) == "reference");  // its borders alone would take as long as the whole
  REQUIRE((*plan)->refused.size() == 2);
  CHECK((*plan)->refused[0].second == "the borders' own reason");
  CHECK((*plan)->refused[1].second == "no kernel for these alone");
  s.request.reference = nullptr;  // nothing to mend with, no last resort
  reference_script.refuses = true;
  plan = s.plan();
  REQUIRE_FALSE(plan.ok());
  CHECK(plan.status().code() == Code::UNSUPPORTED_ENGINE);
  CHECK(plan.status().detail().message.find("the borders' own reason") != std::string::npos);
  s.request.reference = &kReference;  // it refuses: nothing to mend with, and it says so as the last resort
  plan = s.plan();
  REQUIRE_FALSE(plan.ok());
  CHECK(plan.status().code() == Code::UNSUPPORTED_ENGINE);
}
