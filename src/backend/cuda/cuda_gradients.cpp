// SPDX-License-Identifier: Apache-2.0
// Backward calls on a CUDA device: a plan for dx, one for dw and db, and the passes between them and the caller's
// tensors.
//
//   The steps of src/backend/cpu/cpu_gradients.cpp, enqueued on the call's stream. Workspace: gradient_parts.h.
//   Where only db is wanted the plan sums y and nothing else (PerCall::bias).
//   Refuses: what the module's plans refuse; a whole beyond the op's workspace_limit.
#include <algorithm>
#include <utility>

#include "src/backend/cuda/cuda_backend.h"
#include "src/backend/gradient_parts.h"
#include "src/backend/workspace.h"

namespace ctconv {

struct CudaBackend::Backward {
  std::shared_ptr<const GpuPlan> data, weight;
  GradientParts parts;
};

namespace {

constexpr size_t kDeviceAlignment = 256;

// A pass over `to`; `from` dense in its shape, or with strides of its own.
Result<ctconv_cuda_pass> pass_over(const TensorView& to, const Strides& from, int32_t kind, void* stream) {
  Dtype type;
  if (!to_dtype(to.type, &type)) return Status(Code::INTERNAL, "a gradient's element type slipped through");
  ctconv_cuda_pass pass{};
  pass.kind = kind;
  pass.dtype = static_cast<int32_t>(type);
  pass.rank = to.ndim;
  std::copy(to.shape.begin(), to.shape.begin() + to.ndim, pass.extent);
  std::copy(to.strides.begin(), to.strides.begin() + to.ndim, pass.to_stride);
  std::copy(from.begin(), from.begin() + to.ndim, pass.from_stride);
  pass.to = to.data;
  pass.stream = stream;
  return pass;
}

// g = dy * act'(y), dense.
Result<ctconv_cuda_pass> slope_pass(const GradientCall& call, void* g) {
  TensorView to = call.dy;
  lie_dense(&to, g);
  auto pass = pass_over(to, call.dy.strides, CTCONV_CUDA_PASS_SLOPE, call.stream);
  if (!pass.ok()) return pass;
  std::copy(call.y->strides.begin(), call.y->strides.begin() + to.ndim, pass->with_stride);
  pass->activation = static_cast<int32_t>(call.activation.kind);
  pass->alpha = call.activation.alpha;
  pass->beta = call.activation.beta;
  pass->from = call.dy.data;
  pass->with = call.y->data;
  return pass;
}

// to = from, or to = to + from; from dense.
Result<ctconv_cuda_pass> store_pass(const GradientCall& call, const void* from, bool sums, bool add,
                                    const TensorView& to) {
  auto pass = pass_over(to, dense_strides(to.dims()), add ? CTCONV_CUDA_PASS_ADD : CTCONV_CUDA_PASS_STORE, call.stream);
  if (!pass.ok()) return pass;
  pass->from = from;
  pass->from_sums = sums;
  return pass;
}

}  // namespace

Result<CudaBackend::Backward> CudaBackend::plan_backward(const GradientCall& call) {
  Backward b{.parts = GradientParts(call, kDeviceAlignment)};
  if (call.data) {
    auto plan = plan_problem(*call.data, {.weight = call.w != nullptr || !weight_});
    if (!plan.ok()) return plan.take_status();
    b.data = std::move(*plan);
    b.parts.add_plan(b.data->plan->workspace_bytes());
  }
  if (call.weight) {
    auto plan = plan_problem(*call.weight, {.weight = true, .bias = call.dw == nullptr});
    if (!plan.ok()) return plan.take_status();
    b.weight = std::move(*plan);
    b.parts.add_plan(b.weight->plan->workspace_bytes());
  }
  CTCONV_RETURN_IF_ERROR(b.parts.within(options_.workspace_limit));
  return b;
}

Status CudaBackend::run_backward(const GradientCall& call, const Backward& b, void* workspace) const {
  const auto [g, dx, dw, db, own] = GradientMemory(b.parts, workspace);
  const auto enqueue = [&](Result<ctconv_cuda_pass> pass) {
    return pass.ok() ? module_->pass(options_.ordinal, *pass) : pass.take_status();
  };
  if (g != nullptr) CTCONV_RETURN_IF_ERROR(enqueue(slope_pass(call, g)));
  ctconv_cuda_call sums{};
  sums.y = g != nullptr ? g : call.dy.data;
  sums.workspace = own;
  sums.stream = call.stream;
  if (b.data) {
    sums.x = dx != nullptr ? dx : call.dx->data;
    sums.w = call.w != nullptr ? call.w->data : weight_->data;
    sums.packed = b.data->packed ? b.data->packed->data() : nullptr;
    CTCONV_RETURN_IF_ERROR(b.data->plan->execute(sums));
    if (dx != nullptr) CTCONV_RETURN_IF_ERROR(enqueue(store_pass(call, dx, false, true, *call.dx)));
  }
  if (!b.weight) return {};
  sums.x = call.x != nullptr ? call.x->data : nullptr;
  sums.w = dw != nullptr ? dw : call.dw != nullptr ? call.dw->data : nullptr;
  sums.packed = nullptr;
  sums.bias = db;
  CTCONV_RETURN_IF_ERROR(b.weight->plan->execute(sums));
  if (dw != nullptr) CTCONV_RETURN_IF_ERROR(enqueue(store_pass(call, dw, false, true, *call.dw)));
  return db != nullptr ? enqueue(store_pass(call, db, true, call.accumulate, *call.db)) : Status();
}

Result<size_t> CudaBackend::prepare_backward(const GradientCall& call) {
  auto b = plan_backward(call);
  if (!b.ok()) return b.take_status();
  return b->parts.bytes();
}

Status CudaBackend::backward(const GradientCall& call) {
  auto b = plan_backward(call);
  if (!b.ok()) return b.take_status();
  return with_workspace(call, b->parts.bytes(), *workspaces_,
                        [&](void* workspace) { return run_backward(call, *b, workspace); });
}

Result<GradientFacts> CudaBackend::describe_backward(const GradientCall& call) {
  auto b = plan_backward(call);
  if (!b.ok()) return b.take_status();
  GradientFacts facts{.workspace_bytes = b->parts.bytes()};
  if (b->data) facts.data = facts_of_plan(*b->data, *call.data);
  if (b->weight) facts.weight = facts_of_plan(*b->weight, *call.weight);
  return facts;
}

}  // namespace ctconv
