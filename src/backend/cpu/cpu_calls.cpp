// SPDX-License-Identifier: Apache-2.0
// Calls on the CPU: a plan for each problem, its workspace, its run, its facts. See cpu_backend.h.
#include <utility>

#include "src/backend/cpu/cpu_backend.h"
#include "src/backend/workspace.h"

namespace ctconv {

PlanRequest CpuBackend::request_of(const PerCall& per_call) {
  PlanRequest request;
  request.engines = table_.engines;
  request.reference = table_.reference;
  request.versions = table_.versions;
  request.engine = options_.engine;
  request.context.threads = runner_.workers();
  request.context.caller_runner = options_.runner.has_value();
  request.context.weakest = weakest_bits(options_.reproducible, options_.math);
  request.context.weights_per_call = per_call.weight;
  request.context.workspace_limit = options_.workspace_limit;
  request.measure = options_.measure;
  request.bias_per_call = per_call.bias;
  request.weight = per_call.weight ? nullptr : weight_->data;
  request.allocator = &options_.allocator;
  request.runner = runner_;
  request.store = &packed_;
  return request;
}

Result<std::shared_ptr<const Plan>> CpuBackend::plan_problem(const Problem& problem, const PerCall& per_call) {
  if (auto held = plans_.find(problem, per_call)) return held;
  auto plan = make_plan(problem, request_of(per_call));
  if (!plan.ok()) return plan.take_status();
  return plans_.insert(problem, per_call, std::move(*plan));
}

// The bias of a call is made dense before an engine sees it: its stride tells no plans apart.
Result<std::shared_ptr<const Plan>> CpuBackend::plan_of(const WorkCall& call) {
  return plan_problem(call.problem, {.weight = !weight_, .bias = call.bias != nullptr});
}

Result<size_t> CpuBackend::prepare(const WorkCall& call) {
  auto plan = plan_of(call);
  if (!plan.ok()) return plan.take_status();
  return (*plan)->workspace_bytes();
}

Status CpuBackend::execute(const WorkCall& call) {
  auto plan = plan_of(call);
  if (!plan.ok()) return plan.take_status();
  RunMemory memory{.x = call.x.data,
                   .w = call.weight != nullptr ? call.weight->data : weight_->data,
                   .bias = call.bias != nullptr ? call.bias->data : bias_values_.data(),
                   .bias_stride = call.bias != nullptr ? vector_stride(*call.bias) : 1,
                   .y = call.y.data};
  return with_workspace(call, (*plan)->workspace_bytes(), spare_, [&](void* workspace) {
    memory.workspace = workspace;
    return run_plan(**plan, memory, runner_);
  });
}

Result<PlanFacts> CpuBackend::describe(const WorkCall& call) {
  auto found = plan_of(call);
  if (!found.ok()) return found.take_status();
  return facts_of_plan(**found);
}

PlanFacts CpuBackend::facts_of_plan(const Plan& plan) const {
  return PlanFacts{.engine = plan.engine->name,
                   .form = plan.kernel->form(),
                   .why = plan.why,
                   .problem = plan.problem,
                   .estimated_seconds = plan.kernel->estimated_seconds(),
                   .workspace_bytes = plan.workspace_bytes(),
                   .packed_bytes = plan.kernel->packed_bytes(),
                   .threads = runner_.workers(),
                   .bits = name_of(plan.kernel->bits()),
                   .refused = plan.refused};
}

OpFacts CpuBackend::held() const {
  SharedBytes packed;
  plans_.each([&](const Plan& plan) {
    if (plan.packed) packed.add(plan.packed.get(), plan.packed->bytes());
  });
  return {.plans = plans_.size(),
          .packed_bytes = packed.sum(),
          .weight_bytes = own_weight_.copy.bytes(),
          .workspace_bytes = spare_.bytes(),
          .threads = runner_.workers(),
          .cores = allowed_cores(),
          .runner = options_.runner ? "the caller's" : "own pool",
          .cpu_quota = cpu_quota_text()};
}

}  // namespace ctconv
