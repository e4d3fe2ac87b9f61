// SPDX-License-Identifier: Apache-2.0
// Calls planned once, on the calling thread or on the op's runner; see src/backend/fixed.h.
#include <utility>

#include "src/backend/cpu/cpu_backend.h"

namespace ctconv {
namespace {

class PlannedCall final : public FixedCall {
 public:
  PlannedCall(std::shared_ptr<const Plan> plan, RunMemory own, Runner runner)
      : plan_(std::move(plan)), own_(own), runner_(runner) {}

  size_t workspace_bytes() const override { return plan_->workspace_bytes(); }
  Status run(void* x, void* y, void* workspace) const override {
    RunMemory memory = own_;
    memory.x = x;
    memory.y = y;
    memory.workspace = workspace;
    return run_plan(*plan_, memory, runner_);
  }

 private:
  const std::shared_ptr<const Plan> plan_;
  const RunMemory own_;  // weight and bias
  const Runner runner_;
};

}  // namespace

Result<std::unique_ptr<FixedCall>> CpuBackend::fix(const Problem& problem, bool alone) {
  PlanRequest request = request_of({});
  const Runner runner = alone ? Runner() : runner_;
  request.context.threads = runner.workers();
  request.context.caller_runner = !alone && options_.runner.has_value();
  request.context.weakest = Bits::kReference;
  request.measure = false;
  auto plan = make_plan(problem, request);
  if (!plan.ok()) return plan.take_status();
  return std::unique_ptr<FixedCall>(std::make_unique<PlannedCall>(
      std::move(*plan), RunMemory{.w = weight_->data, .bias = bias_values_.data()}, runner));
}

}  // namespace ctconv
