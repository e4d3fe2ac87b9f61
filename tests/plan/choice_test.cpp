// SPDX-License-Identifier: Apache-2.0
// Choosing: the fastest that can, the one asked for, and why the others were not taken; packing and the plan cache.
#include <catch2/catch_test_macros.hpp>
#include <cmath>

#include "src/plan/cache.h"
#include "tests/plan/fakes.h"

using namespace ctconv;
using namespace ctconv::test;

namespace {

std::string chosen(Setup& s) {
  auto plan = s.plan();
  REQUIRE(plan.ok());
  return (*plan)->engine->name;
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("choice: auto takes the least estimated time; near a tie the engine with the same bits everywhere",
          "[plan]") {
  Setup s;
  CHECK(chosen(s) == "fast");
  slow_script.seconds = 0.5;
  CHECK(chosen(s) == "slow");
  slow_script.seconds = fast_script.seconds = 1;  // "slow" is the reproducible one
  CHECK(chosen(s) == "slow");
  fast_script.seconds = 0.92;
  CHECK(chosen(s) == "slow");
  fast_script.seconds = 0.9;
  CHECK(chosen(s) == "fast");
  // The reference is no candidate where another can run, however cheap it claims to be.
  reference_script.seconds = 1e-9;
  reference_script.planned = 0;
  CHECK(chosen(s) == "fast");
  CHECK(reference_script.planned == 0);
}

TEST_CASE("choice: an engine hears what it has to beat, unless it is asked by name or measured", "[plan]") {
  Setup s;
  REQUIRE(s.plan().ok());
  CHECK(std::isinf(fast_script.beat));
  CHECK(slow_script.beat == fast_script.seconds * 1.1);  // the fast one's bits are not the same everywhere
  s.request.engine = "slow";
  REQUIRE(s.plan().ok());
  CHECK(std::isinf(slow_script.beat));
}

TEST_CASE("choice: refusals are told, the last resort is the reference", "[plan]") {
  Setup s;
  fast_script.refuses = true;
  auto plan = s.plan();
  REQUIRE(plan.ok());
  CHECK(std::string((*plan)->engine->name) == "slow");
  REQUIRE((*plan)->refused.size() == 1);
  CHECK((*plan)->refused[0].first == "fast");
  CHECK(has((*plan)->refused[0].second, "does not like"));
  slow_script.refuses = true;
  CHECK(chosen(s) == "reference");
  CHECK_FALSE((*s.plan())->why.empty());
  reference_script.refuses = true;
  auto none = s.plan();
  REQUIRE_FALSE(none.ok());
  CHECK(none.status().code() == Code::UNSUPPORTED_ENGINE);
  for (const char* name : {"fast", "slow", "reference"}) CHECK(has(none.status().detail().message, name));
}

TEST_CASE("choice: a forced engine or a refusal with its reason", "[plan]") {
  Setup s;
  for (const char* name : {"slow", "fast", "reference"}) {
    s.request.engine = name;
    CHECK(chosen(s) == name);
    CHECK(has((*s.plan())->why, "by name"));
  }
  s.request.engine = "slow";
  slow_script.refuses = true;
  auto plan = s.plan();
  REQUIRE_FALSE(plan.ok());
  CHECK(plan.status().code() == Code::UNSUPPORTED_ENGINE);
  CHECK(has(plan.status().detail().message, "does not like"));
  CHECK(plan.status().detail().argument == "engine");
  CHECK(plan.status().detail().value == "slow");
}

TEST_CASE("choice: reproducible leaves out engines whose bits depend on the machine", "[plan]") {
  Setup s;
  s.request.context.weakest = Bits::kReference;
  CHECK(chosen(s) == "slow");
  s.request.engine = "fast";
  auto plan = s.plan();
  REQUIRE_FALSE(plan.ok());
  CHECK(has(plan.status().detail().message, "reproducible"));
}

TEST_CASE("choice: a workspace limit holds for all parts together", "[plan]") {
  Setup s;
  fast_script.scratch = 1000;
  s.request.context.workspace_limit = 1100;
  CHECK(chosen(s) == "fast");  // 1024 rounded, 63 of slack
  s.request.context.workspace_limit = 1086;
  CHECK(chosen(s) == "slow");
  CHECK(has((*s.plan())->refused[0].second, "1087"));
  // With the weight coming per call its packed form counts too.
  s.request.context.workspace_limit = 1100;
  fast_script.packed = 64;
  s.request.weight = nullptr;
  CHECK(chosen(s) == "slow");
}

TEST_CASE("choice: weights a kernel cannot honour send the plan to the next one", "[plan]") {
  Setup s;
  fast_script.pack = [] { return Result<bool>(false); };
  CHECK(chosen(s) == "slow");
  CHECK(has((*s.plan())->refused[0].second, "Inf or NaN"));
  slow_script.pack = fast_script.pack;
  CHECK(chosen(s) == "reference");
  s.request.engine = "fast";
  auto plan = s.plan();
  REQUIRE_FALSE(plan.ok());
  CHECK(plan.status().code() == Code::UNSUPPORTED_ENGINE);
}

TEST_CASE("choice: no memory and a broken runner end planning, other packing failures do not", "[plan]") {
  Setup s;
  fast_script.pack = [] { return Result<bool>(Status(Code::NO_MEMORY, "no memory for the test")); };
  CHECK(s.plan().status().code() == Code::NO_MEMORY);
  fast_script.pack = [] { return Result<bool>(Status(Code::MISUSE_RUNNER, "broken by the test")); };
  CHECK(s.plan().status().code() == Code::MISUSE_RUNNER);
  fast_script.pack = [] { return Result<bool>(Status(Code::BACKEND_ONEDNN, "failed by the test")); };
  CHECK(chosen(s) == "slow");
  Allocator none;
  none.alloc = [](void*, size_t, size_t) -> void* { return nullptr; };
  none.release = [](void*, void*, size_t, size_t) {};
  fast_script.pack = nullptr;
  fast_script.packed = 64;
  s.request.allocator = &none;
  CHECK(s.plan().status().code() == Code::NO_MEMORY);
}

TEST_CASE("choice: packed weights are shared by plans that lie alike, per engine and packing", "[plan]") {
  Setup s;
  fast_script.packed = 64;
  auto one = s.plan(), two = s.plan();
  CHECK(fast_script.packs == 1);
  CHECK((*one)->packed == (*two)->packed);
  fast_script.packing = "columns";
  auto three = s.plan();
  CHECK(fast_script.packs == 2);
  CHECK((*three)->packed != (*one)->packed);
  one->reset();
  two->reset();
  fast_script.packing = "rows";
  auto four = s.plan();  // nobody held them: packed anew
  CHECK(fast_script.packs == 3);
  // Keys of plans that are gone do not stay.
  four = s.plan();
  for (int n = 0; n < 100; ++n) {
    fast_script.packing = "lanes " + std::to_string(n);
    four = s.plan();
  }
  CHECK(s.store.keys() <= 3);
}

TEST_CASE("choice: a plan's workspace is its own kernel's, whatever was asked before it", "[plan]") {
  Setup s;
  fast_script.scratch = 64;
  slow_script.scratch = 1 << 20;
  auto plan = s.plan();
  REQUIRE(plan.ok());
  CHECK((*plan)->workspace.scratch == 64);
  CHECK((*plan)->workspace_bytes() == 127);
}

TEST_CASE("choice: the reference is the engine named so, wherever it stands", "[plan]") {
  Setup s;
  const Engine* turned[] = {&kReference, &kFast, &kSlow};
  s.request.engines = turned;
  s.request.engine = "fast";
  s.request.weight = nullptr;
  auto plan = s.plan();
  REQUIRE(plan.ok());
  REQUIRE((*plan)->fallback != nullptr);
  CHECK((*plan)->fallback->form() == "fake reference");
}

TEST_CASE("choice: why says that a measurement asked for was not made", "[plan][tuning]") {
  Setup s;
  s.request.measure = true;
  s.request.weight = nullptr;
  auto plan = s.plan();
  REQUIRE(plan.ok());
  CHECK(has((*plan)->why, "not measured (the weight comes with each call)"));
  s.request.weight = s.weight;
  Problem strided = small_problem();
  strided.x.axis[2] = 2;
  strided.x.c = 10;
  auto other = make_plan(strided, s.request);
  REQUIRE(other.ok());
  CHECK(has((*other)->why, "not measured (x is not dense)"));
  s.request.measure = false;
  CHECK_FALSE(has((*s.plan())->why, "not measured"));
}

TEST_CASE("choice: a weight per call is packed in every run, a non-finite one runs on an exact engine", "[plan]") {
  Setup s;
  s.request.weight = nullptr;
  fast_script.packed = 64;
  auto plan = s.plan();
  REQUIRE(plan.ok());
  CHECK(fast_script.packs == 0);
  CHECK((*plan)->workspace_bytes() >= 64);
  std::vector<char> workspace((*plan)->workspace_bytes());
  float y[33], x[10] = {};
  const RunMemory memory{.x = x, .w = s.weight, .y = y, .workspace = workspace.data()};
  REQUIRE(run_plan(**plan, memory, Runner()).ok());
  CHECK(fast_script.packs == 1);
  CHECK(fast_script.runs == 1);
  fast_script.pack = [] { return Result<bool>(false); };
  REQUIRE(run_plan(**plan, memory, Runner()).ok());
  CHECK(fast_script.runs == 1);
  CHECK(slow_script.runs == 1);
  slow_script.pack = fast_script.pack;
  REQUIRE(run_plan(**plan, memory, Runner()).ok());
  CHECK(reference_script.runs == 1);
}

TEST_CASE("choice: a call whose x a kernel cannot honour runs on an exact one, without a trace afterwards", "[plan]") {
  Setup s;
  fast_script.looks_at_input = true;
  slow_script.packed = 4096;
  const auto runs = [&](const char* engine, bool honours) {
    s.request.engine = engine;
    auto plan = s.plan();
    REQUIRE(plan.ok());
    CHECK(std::string((*plan)->engine->name) == "fast");
    fast_script.runs = slow_script.runs = reference_script.runs = 0;
    fast_script.honours_input = honours;
    std::vector<char> workspace((*plan)->workspace_bytes());
    float y[33], x[10] = {};
    const RunMemory memory{.x = x, .w = s.weight, .y = y, .workspace = workspace.data()};
    REQUIRE(run_plan(**plan, memory, Runner()).ok());
    return fast_script.runs * 100 + slow_script.runs * 10 + reference_script.runs;
  };
  CHECK(runs("auto", true) == 100);
  CHECK(runs("auto", false) == 10);
  CHECK(runs("fast", false) == 10);  // asked for by name: the others are asked for such calls
  slow_script.pack = [] { return Result<bool>(false); };
  CHECK(runs("auto", false) == 1);
  slow_script.pack = nullptr;
  s.request.context.workspace_limit = 4000;
  CHECK(runs("auto", false) == 1);
}

TEST_CASE("cache: least recently used goes first, the faster thread's plan stays", "[plan][cache]") {
  Setup s;
  PlanCache<Plan> cache(2);
  const auto made = [&](int64_t width) {
    Problem p = small_problem();
    p.axis[2].i = width;
    auto plan = make_plan(p, s.request);
    REQUIRE(plan.ok());
    return *plan;
  };
  const auto known = [&](int64_t width) {
    Problem p = small_problem();
    p.axis[2].i = width;
    return cache.find(p, {}) != nullptr;
  };
  const auto five = made(5);
  CHECK(cache.insert(five->problem, {}, five) == five);
  const auto insert = [&](const std::shared_ptr<const Plan>& plan) { return cache.insert(plan->problem, {}, plan); };
  CHECK(insert(made(5)) == five);
  insert(made(6));
  CHECK(known(5));  // now 6 is the older one
  insert(made(7));
  CHECK(known(5));
  CHECK_FALSE(known(6));
  CHECK(known(7));
  CHECK(cache.size() == 2);
  CHECK(cache.find(five->problem, {.weight = true}) == nullptr);  // a plan for weights per call is another plan
  CHECK(cache.find(five->problem, {.bias = true}) == nullptr);
  CHECK(cache.find(five->problem, {.bias_stride = 2}) == nullptr);
  CHECK(cache.find(five->problem, {}) == five);
}

TEST_CASE("cache: every one of many plans is found, and after them the newest only", "[plan][cache]") {
  Setup s;
  const int64_t many = 3000, limit = 1000;
  PlanCache<Plan> cache(static_cast<size_t>(limit));
  Problem p = small_problem();
  const auto narrow = [&](int64_t width) {
    p.axis[2].i = width;
    return p;
  };
  for (int64_t width = 1; width <= many; ++width) {
    auto plan = std::make_shared<Plan>();
    plan->problem = narrow(width);
    const std::shared_ptr<const Plan> kept = cache.insert(plan->problem, {}, plan);
    REQUIRE(kept == plan);
    REQUIRE(cache.find(narrow(width), {}) == kept);
    if (width > 1) REQUIRE(cache.find(narrow(width - 1), {}) != nullptr);
  }
  CHECK(cache.size() == static_cast<size_t>(limit));
  for (int64_t width = 1; width < many - limit; ++width) REQUIRE(cache.find(narrow(width), {}) == nullptr);
  for (int64_t width = many - limit + 2; width <= many; ++width) REQUIRE(cache.find(narrow(width), {}) != nullptr);
}
