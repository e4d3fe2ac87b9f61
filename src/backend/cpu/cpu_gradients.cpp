// SPDX-License-Identifier: Apache-2.0
// Backward calls on the CPU: a plan for dx, one for dw and db, and what lies between them and the caller's tensors.
//
//   g = dy, or dy through the activation;   dx = plan(kX)(g, w);   dw, db = plan(kW)(x, g)
//   Workspace: gradient_parts.h.   Refuses: what make_plan and run_plan refuse; a whole beyond the workspace_limit.
#include <utility>

#include "src/backend/cpu/cpu_backend.h"
#include "src/backend/cpu/gradient_steps.h"
#include "src/backend/gradient_parts.h"
#include "src/backend/workspace.h"

namespace ctconv {

struct CpuBackend::Backward {
  std::shared_ptr<const Plan> data, weight;
  GradientParts parts;
};

// The strides of a temporary are dense in the order of the tensor it stands for; capi made the problems with them.
Result<CpuBackend::Backward> CpuBackend::plan_backward(const GradientCall& call) {
  Backward b{.parts = GradientParts(call, kAlignment)};
  if (call.data) {
    auto plan = plan_problem(*call.data, {.weight = call.w != nullptr || !weight_});
    if (!plan.ok()) return plan.take_status();
    b.data = std::move(*plan);
    b.parts.add_plan(b.data->workspace_bytes());
  }
  if (call.weight) {
    auto plan = plan_problem(*call.weight, {.weight = true});
    if (!plan.ok()) return plan.take_status();
    b.weight = std::move(*plan);
    b.parts.add_plan(b.weight->workspace_bytes());
  }
  CTCONV_RETURN_IF_ERROR(b.parts.within(options_.workspace_limit));
  return b;
}

Status CpuBackend::run_backward(const GradientCall& call, const Backward& b, void* workspace) {
  const auto [g, dx, dw, db, own] = GradientMemory(b.parts, workspace);
  if (g != nullptr) CTCONV_RETURN_IF_ERROR(activation_gradient(call.activation, call.dy, *call.y, g, runner_));
  RunMemory memory{.y = g != nullptr ? g : call.dy.data, .workspace = own};
  if (b.data != nullptr) {
    memory.x = dx != nullptr ? dx : call.dx->data;
    memory.w = call.w != nullptr ? call.w->data : weight_->data;
    CTCONV_RETURN_IF_ERROR(run_plan(*b.data, memory, runner_));
    if (dx != nullptr) CTCONV_RETURN_IF_ERROR(store_gradient(dx, false, true, *call.dx, runner_));
  }
  if (b.weight == nullptr) return {};
  memory.x = call.x != nullptr ? call.x->data : nullptr;
  memory.w = dw != nullptr ? dw : call.dw != nullptr ? call.dw->data : nullptr;
  memory.bias = db;
  CTCONV_RETURN_IF_ERROR(run_plan(*b.weight, memory, runner_));
  if (dw != nullptr) CTCONV_RETURN_IF_ERROR(store_gradient(dw, false, true, *call.dw, runner_));
  return db != nullptr ? store_gradient(db, true, call.accumulate, *call.db, runner_) : Status();
}

Result<size_t> CpuBackend::prepare_backward(const GradientCall& call) {
  auto b = plan_backward(call);
  if (!b.ok()) return b.take_status();
  return b->parts.bytes();
}

Status CpuBackend::backward(const GradientCall& call) {
  auto b = plan_backward(call);
  if (!b.ok()) return b.take_status();
  return with_workspace(call, b->parts.bytes(), spare_,
                        [&](void* workspace) { return run_backward(call, *b, workspace); });
}

Result<GradientFacts> CpuBackend::describe_backward(const GradientCall& call) {
  auto b = plan_backward(call);
  if (!b.ok()) return b.take_status();
  GradientFacts facts{.workspace_bytes = b->parts.bytes()};
  if (b->data != nullptr) facts.data = facts_of_plan(*b->data);
  if (b->weight != nullptr) facts.weight = facts_of_plan(*b->weight);
  return facts;
}

}  // namespace ctconv
