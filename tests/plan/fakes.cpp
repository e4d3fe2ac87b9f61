// SPDX-License-Identifier: Apache-2.0
// See fakes.h.
#include "tests/plan/fakes.h"

#include <chrono>
#include <thread>

namespace ctconv::test {

Status FakeKernel::run(const Operands&, const Runner&) const {
  ++script_->runs;
  if (script_->real_seconds > 0) std::this_thread::sleep_for(std::chrono::duration<double>(script_->real_seconds));
  return {};
}

template <Script* script>
Result<std::unique_ptr<Kernel>> fake_plan(const Problem&, const PlanContext& context) {
  ++script->planned;
  script->beat = context.beat_seconds;
  const char* name = script == &fast_script ? "fast" : script == &slow_script ? "slow" : "reference";
  if (script->refuses) return refuse(std::string(name) + ": does not like this problem");
  return std::unique_ptr<Kernel>(new FakeKernel(name, script));
}

const Engine kFast{"fast", Bits::kMachine, kForwardFloats, &fake_plan<&fast_script>};
const Engine kSlow{"slow", Bits::kReference, kForwardFloats, &fake_plan<&slow_script>};
const Engine kReference{"reference", Bits::kReference, kForwardFloats, &fake_plan<&reference_script>};

}  // namespace ctconv::test
