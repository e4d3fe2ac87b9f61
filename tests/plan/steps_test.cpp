// SPDX-License-Identifier: Apache-2.0
// Each step of choosing and of a planned call may fail: the status is that step's, and nothing after it runs.
#include <catch2/catch_test_macros.hpp>
#include <cmath>

#include "src/plan/pieces.h"
#include "tests/plan/fakes.h"

using namespace ctconv;
using namespace ctconv::test;

namespace {

Status no_memory() { return Status(Code::NO_MEMORY, "no memory for the test"); }

// Makes nothing but refusals of memory.
Result<std::unique_ptr<Kernel>> plan_nothing(const Problem&, const PlanContext&) { return no_memory(); }
const Engine kPoor{"poor", Bits::kReference, kForwardFloats, &plan_nothing};

Status run(const Plan& plan, const void* weight, const Runner& runner = Runner()) {
  std::vector<char> workspace(plan.workspace_bytes());
  float y[64], x[10] = {}, bias[3] = {};
  return run_plan(plan, {.x = x, .w = const_cast<void*>(weight), .bias = bias, .y = y, .workspace = workspace.data()},
                  runner);
}

void do_nothing(void*, int64_t, Runner::Task, void*) {}

}  // namespace

TEST_CASE("steps: an engine without memory ends the choice, whoever asks it", "[plan]") {
  Setup s;
  const Engine* poor[] = {&kPoor, &kReference};
  s.request.engines = poor;
  CHECK(s.plan().status().code() == Code::NO_MEMORY);
  // As the reference, for calls whose x or weight the kernel cannot honour.
  const Engine* other[] = {&kFast};
  s.request.engines = other;
  s.request.reference = &kPoor;
  CHECK(s.plan().ok());
  fast_script.looks_at_input = true;
  CHECK(s.plan().status().code() == Code::NO_MEMORY);
  fast_script.looks_at_input = false;
  // As the last resort.
  fast_script.pack = [] { return Result<bool>(false); };
  CHECK(s.plan().status().code() == Code::NO_MEMORY);
  fast_script.pack = nullptr;
  s.request.weight = nullptr;
  CHECK(s.plan().status().code() == Code::NO_MEMORY);
}

TEST_CASE("steps: a scratch beyond copies of x and y is refused, with its bytes", "[plan]") {
  Setup s;
  fast_script.scratch = size_t{1} << 30;
  auto plan = s.plan();
  REQUIRE(plan.ok());
  CHECK(std::string((*plan)->engine->name) == "slow");
  CHECK((*plan)->refused[0].second == "borrows 1073741824 bytes, more than copies of x and y");
  s.request.engine = "fast";
  CHECK(s.plan().ok());  // by name it may
}

TEST_CASE("steps: a call whose values nobody honours is refused", "[plan]") {
  Setup s;
  const Engine* alone[] = {&kFast};
  s.request.engines = alone;
  s.request.reference = nullptr;
  s.request.weight = nullptr;
  fast_script.looks_at_input = true;
  fast_script.honours_input = false;
  auto plan = s.plan();
  REQUIRE(plan.ok());
  const Status status = run(**plan, s.weight);
  CHECK(status.code() == Code::UNSUPPORTED_ENGINE);
  CHECK(status.detail().message == "fast: no engine can honour the values of this call");
  CHECK(fast_script.runs == 0);
}

TEST_CASE("steps: a reference that does not know the problem is no fallback", "[plan]") {
  Setup s;
  const Engine* alone[] = {&kFast};
  s.request.engines = alone;
  s.request.weight = nullptr;
  reference_script.refuses = true;
  auto plan = s.plan();
  REQUIRE(plan.ok());
  CHECK((*plan)->fallback == nullptr);
  fast_script.pack = [] { return Result<bool>(false); };
  CHECK(run(**plan, s.weight).code() == Code::UNSUPPORTED_ENGINE);
}

TEST_CASE("steps: packing for a call, and for its exact kernel, may fail", "[plan]") {
  Setup s;
  s.request.weight = nullptr;
  auto plan = s.plan();
  REQUIRE(plan.ok());
  REQUIRE((*plan)->exact != nullptr);
  fast_script.pack = [] { return Result<bool>(no_memory()); };
  CHECK(run(**plan, s.weight).code() == Code::NO_MEMORY);
  fast_script.pack = [] { return Result<bool>(false); };
  slow_script.pack = [] { return Result<bool>(no_memory()); };
  CHECK(run(**plan, s.weight).code() == Code::NO_MEMORY);
  CHECK(fast_script.runs + slow_script.runs + reference_script.runs == 0);
}

TEST_CASE("steps: an engine asked for by name keeps an exact one beside it, where memory and engines allow", "[plan]") {
  Setup s;
  s.request.engine = "fast";
  s.request.weight = nullptr;
  CHECK((*s.plan())->exact != nullptr);
  slow_script.scratch = 5000;
  s.request.context.workspace_limit = 4000;
  CHECK((*s.plan())->exact == nullptr);
  s.request.context.workspace_limit = SIZE_MAX;
  slow_script.refuses = true;
  CHECK((*s.plan())->exact == nullptr);
  slow_script.refuses = false;
  slow_script.bits = Bits::kStable;  // its kernel here is weaker than the engine can be
  CHECK((*s.plan())->exact == nullptr);
}

TEST_CASE("steps: a weight that cannot be packed beforehand sends the plan on, and leaves no packing behind",
          "[plan]") {
  Setup s;
  fast_script.packed = slow_script.packed = reference_script.packed = 64;
  fast_script.pack = [] { return Result<bool>(Status(Code::BACKEND_ONEDNN, "failed by the test")); };
  auto plan = s.plan();
  REQUIRE(plan.ok());
  CHECK(std::string((*plan)->engine->name) == "slow");
  CHECK((*plan)->refused[0].second == "failed by the test");
  CHECK(s.store.keys() == 1);
  slow_script.pack = reference_script.pack = [] { return Result<bool>(false); };
  plan->reset();    // and with it slow's packing
  plan = s.plan();  // nobody is left, the reference included
  REQUIRE_FALSE(plan.ok());
  CHECK(plan.status().code() == Code::UNSUPPORTED_ENGINE);
  CHECK(plan.status().detail().message.rfind("no engine can run this problem; fast: failed by the test; slow: ", 0) ==
        0);
  s.request.engine = "fast";
  CHECK(s.plan().status().detail().message == "engine fast: failed by the test");
}

TEST_CASE("steps: the bias of a call has room in the workspace only where it is added to y", "[plan]") {
  Setup s;
  const Engine all{"all", Bits::kReference, kEveryFloat, kSlow.make};
  const Engine* engines[] = {&all};
  s.request.engines = engines;
  const auto room = [&](bool per_call, bool bias, Written written) {
    s.request.bias_per_call = per_call;
    Problem p = small_problem();
    p.epilogue.bias = bias;
    p.written = written;
    auto plan = make_plan(p, s.request);
    REQUIRE(plan.ok());
    return (*plan)->workspace.bias;
  };
  CHECK(room(true, true, Written::kY) == 64);
  CHECK(room(false, true, Written::kY) == 0);
  CHECK(room(true, false, Written::kY) == 0);
  CHECK(room(true, true, Written::kW) == 0);
}

TEST_CASE("steps: one candidate alone is not measured", "[plan][tuning]") {
  Setup s;
  const Engine* alone[] = {&kFast};
  s.request.engines = alone;
  s.request.measure = true;
  auto plan = s.plan();
  REQUIRE(plan.ok());
  CHECK((*plan)->why == "the only engine: fast 1e+03 ms");
  CHECK(fast_script.runs == 0);
}

TEST_CASE("steps: a kernel looks at x before it packs; where it fails, or nothing is to do, nothing runs", "[plan]") {
  Setup s;
  s.request.weight = nullptr;
  fast_script.looks_at_input = true;
  fast_script.looks = [] { return Result<bool>(no_memory()); };
  auto plan = s.plan();
  REQUIRE(plan.ok());
  CHECK(run(**plan, s.weight).code() == Code::NO_MEMORY);
  CHECK(fast_script.packs + fast_script.runs + slow_script.runs + reference_script.runs == 0);
  Problem none = small_problem();
  none.n = 0;
  plan = make_plan(none, s.request);
  REQUIRE(plan.ok());
  CHECK(run(**plan, s.weight).ok());  // an empty batch is not looked at
  CHECK(fast_script.runs == 0);
}

TEST_CASE("steps: a bias of any element type is widened, its stride and its sign of zero in mind", "[plan]") {
  const float f32[] = {-0.0f, 9, 1.5f}, want[] = {0, 1.5f};
  float out[2] = {7, 7};
  convert_bias(Dtype::kF32, f32, 2, 2, out);
  CHECK(std::memcmp(out, want, sizeof want) == 0);
  const double f64[] = {-0.0, 2.5};
  double wide[2];
  convert_bias(Dtype::kF64, f64, 1, 2, wide);
  CHECK((wide[1] == 2.5 && !std::signbit(wide[0])));
  const uint16_t f16[] = {0x8000, 0x3e00}, bf16[] = {0x8000, 0x3fc0};
  for (const bool brain : {false, true}) {
    convert_bias(brain ? Dtype::kBf16 : Dtype::kF16, brain ? bf16 : f16, 1, 2, out);
    CHECK(std::memcmp(out, want, sizeof want) == 0);
  }
  const int8_t i8[] = {-128, 127};
  int32_t sums[2];
  convert_bias(Dtype::kI8, i8, 1, 2, sums);
  CHECK((sums[0] == -128 && sums[1] == 127));
  const int32_t i32[] = {INT32_MIN, 3};
  convert_bias(Dtype::kI32, i32, 1, 2, sums);
  CHECK((sums[0] == INT32_MIN && sums[1] == 3));
}

TEST_CASE("steps: the rows of zeros behind the core need a runner that keeps its word", "[plan]") {
  Setup s;
  const auto planned = [&](Axis axis) {
    Problem p = small_problem();
    p.axis[2] = axis;
    p.y = {3 * (axis.o + axis.tail), axis.o + axis.tail, {0, 0, 1}};
    auto plan = make_plan(p, s.request);
    REQUIRE(plan.ok());
    return *plan;
  };
  const auto tailed = planned({.i = 5, .o = 11, .k = 3, .s = 2, .tail = 2});
  CHECK(run(*tailed, s.weight).ok());
  CHECK(run(*tailed, s.weight, Runner(&do_nothing, nullptr, 2)).code() == Code::MISUSE_RUNNER);
  // Of a core that is not there the reference is the engine, and nothing of it runs.
  const auto zeros = planned({.i = 1, .o = 0, .k = 3, .s = 2, .tail = 2});
  CHECK(std::string(zeros->engine->name) == "reference");
  CHECK(run(*zeros, s.weight).ok());
  CHECK(reference_script.runs == 0);
}

TEST_CASE("steps: a batch in pieces ends with the piece that fails", "[plan]") {
  static int images = 0;
  static Code fails = Code::OK;
  class Piece final : public Kernel {
   public:
    explicit Piece(int64_t n) : n_(n) {}
    std::string form() const override { return "piece"; }
    Bits bits() const override { return Bits::kReference; }
    double estimated_seconds() const override { return 1; }
    size_t scratch_bytes() const override { return static_cast<size_t>(n_) << 22; }
    size_t packed_bytes() const override { return 11; }
    std::string packing() const override { return "p"; }
    Spoils spoils() const override { return Spoils::kNothing; }
    Result<bool> honours_input(const Operands&, const Runner&) const override {
      return fails == Code::OK ? Result<bool>(true) : Result<bool>(Status(fails, "of the test"));
    }
    Status run(const Operands&, const Runner&) const override {
      return ++images == 3 ? Status(Code::MISUSE_RUNNER, "third") : Status();
    }

   private:
    int64_t n_;
  };
  const auto make = [](const Problem& p, const PlanContext&) -> Result<std::unique_ptr<Kernel>> {
    return std::unique_ptr<Kernel>(new Piece(p.n));
  };
  const Engine engine{"pieces", Bits::kReference, kEveryFloat, make};
  Problem p = small_problem();
  const auto cut = [&](int64_t n) {
    p.n = n;
    return in_pieces(p, engine, {}, std::make_unique<Piece>(n));
  };
  const auto kernel = cut(8);
  REQUIRE(kernel->form().find("pieces of") != std::string::npos);
  CHECK(kernel->packed_bytes() == 11);
  CHECK(kernel->packing() == "p");
  CHECK(kernel->spoils() == Kernel::Spoils::kNothing);
  CHECK(kernel->bits() == Bits::kReference);
  CHECK(kernel->estimated_seconds() > 4);
  CHECK(*kernel->pack(nullptr, nullptr, Runner()));
  float memory[512] = {};
  const Operands m{.x = memory, .y = memory};
  CHECK(kernel->run(m, Runner()).code() == Code::MISUSE_RUNNER);
  CHECK(images == 3);
  CHECK(*kernel->honours_input(m, Runner()));
  fails = Code::NO_MEMORY;
  CHECK(kernel->honours_input(m, Runner()).status().code() == Code::NO_MEMORY);
  // Nothing is cut where the sums of all images are one, or where the engine refuses the piece or saves nothing.
  p.written = Written::kW;
  CHECK(cut(8)->form() == "piece");
  p.written = Written::kY;
  const auto greedy = [](const Problem&, const PlanContext&) -> Result<std::unique_ptr<Kernel>> {
    return std::unique_ptr<Kernel>(new Piece(100));
  };
  const auto poor = [](const Problem&, const PlanContext&) -> Result<std::unique_ptr<Kernel>> { return no_memory(); };
  for (const auto other : {+greedy, +poor}) {
    const Engine same{"pieces", Bits::kReference, kEveryFloat, other};
    CHECK(in_pieces(p, same, {}, std::make_unique<Piece>(8))->form() == "piece");
  }
}
