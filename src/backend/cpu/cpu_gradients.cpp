// SPDX-License-Identifier: Apache-2.0
// Backward calls on the CPU: a plan for dx, one for dw and db, and what lies between them and the caller's tensors.
//
//   g = dy, or dy through the activation;   dx = plan(kX)(g, w);   dw, db = plan(kW)(x, g)
//   Workspace: [g][dx][dw][db] as far as they are not computed in place, then the larger of the plans' own.
//   Refuses: what make_plan and run_plan refuse; a whole beyond the op's workspace_limit.
#include <algorithm>
#include <string>
#include <utility>

#include "src/backend/cpu/cpu_backend.h"
#include "src/backend/cpu/gradient_steps.h"
#include "src/backend/workspace.h"

namespace ctconv {

// What a backward call needs; bytes 0: that part is computed in place, or not at all.
struct CpuBackend::Backward {
  std::shared_ptr<const Plan> data, weight;
  size_t g = 0, dx = 0, dw = 0, db = 0, plans = 0;
  // The whole, with slack for any address; 0: none needed.
  size_t bytes() const {
    const size_t sum = g + dx + dw + db + plans;
    return sum ? sum + kAlignment - 1 : 0;
  }
};

namespace {

size_t dense_bytes(const TensorView& t) {
  return round_up(static_cast<size_t>(count_of(t)) * static_cast<size_t>(bytes_of(t.type)));
}

// Aligned parts of the workspace, one behind the other; null for a part of no bytes.
class Parts {
 public:
  explicit Parts(void* workspace) : next_(static_cast<std::byte*>(align_up(workspace))) {}
  void* take(size_t bytes) {
    if (bytes == 0) return nullptr;
    return std::exchange(next_, next_ + bytes);
  }

 private:
  std::byte* next_;
};

}  // namespace

// The strides of a temporary are dense in the order of the tensor it stands for; capi made the problems with them.
Result<CpuBackend::Backward> CpuBackend::plan_backward(const GradientCall& call) {
  Backward b;
  if (call.activation.kind != Activation::kNone) b.g = dense_bytes(call.dy);
  if (call.data) {
    auto plan = plan_problem(*call.data, {.weight = call.w != nullptr || !weight_});
    if (!plan.ok()) return plan.take_status();
    b.data = std::move(*plan);
    b.plans = b.data->workspace_bytes();
    if (call.accumulate) b.dx = dense_bytes(*call.dx);
  }
  if (call.weight) {
    auto plan = plan_problem(*call.weight, {.weight = true});
    if (!plan.ok()) return plan.take_status();
    b.weight = std::move(*plan);
    b.plans = std::max(b.plans, b.weight->workspace_bytes());
    const Problem& p = *call.weight;
    if (call.accumulate && call.dw != nullptr) b.dw = dense_bytes(*call.dw);
    if (call.db != nullptr) b.db = round_up(static_cast<size_t>(p.groups * p.co) * size_of(p.types.accumulator));
  }
  b.plans = round_up(b.plans);
  if (b.bytes() <= options_.workspace_limit) return b;
  return argument_error(Code::UNSUPPORTED_ENGINE, "workspace_limit", std::to_string(options_.workspace_limit),
                        ">= " + std::to_string(b.bytes()), "is less than these gradients need");
}

Status CpuBackend::run_backward(const GradientCall& call, const Backward& b, void* workspace) {
  Parts parts(workspace);
  void* const g = parts.take(b.g);
  void* const dx = parts.take(b.dx);
  void* const dw = parts.take(b.dw);
  void* const db = parts.take(b.db);
  void* const own = parts.take(b.plans);
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
  return b->bytes();
}

Status CpuBackend::backward(const GradientCall& call) {
  auto b = plan_backward(call);
  if (!b.ok()) return b.take_status();
  return with_workspace(call, b->bytes(), spare_, [&](void* workspace) { return run_backward(call, *b, workspace); });
}

Result<GradientFacts> CpuBackend::describe_backward(const GradientCall& call) {
  auto b = plan_backward(call);
  if (!b.ok()) return b.take_status();
  GradientFacts facts{.workspace_bytes = b->bytes()};
  if (b->data != nullptr) facts.data = facts_of_plan(*b->data);
  if (b->weight != nullptr) facts.weight = facts_of_plan(*b->weight);
  return facts;
}

}  // namespace ctconv
