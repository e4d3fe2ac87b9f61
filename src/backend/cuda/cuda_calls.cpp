// SPDX-License-Identifier: Apache-2.0
// Calls on a CUDA device: a plan for each problem, its workspace, its enqueue, its facts. See cuda_backend.h.
#include <algorithm>
#include <string>
#include <utility>

#include "src/backend/cuda/cuda_backend.h"
#include "src/backend/cuda/plan_text.h"
#include "src/backend/workspace.h"
#include "src/plan/knows.h"

namespace ctconv {
namespace {

constexpr size_t kDeviceAlignment = 256;

// No device has as much: sums of a few of these do not overflow.
constexpr size_t kMostBytes = SIZE_MAX / 8;

// Any address of the caller's will do.
size_t with_slack(size_t bytes) { return bytes != 0 ? bytes + kDeviceAlignment - 1 : 0; }

size_t workspace_of(const GpuPlan& plan) { return with_slack(plan.plan->workspace_bytes()); }

ctconv_cuda_options module_options(const Options& asked, bool weights_per_call) {
  ctconv_cuda_options options = {};
  options.allow_tf32 = asked.allow_tf32 || asked.math != 0;
  options.reproducible = asked.reproducible != 0 ? CTCONV_CUDA_REFERENCE_BITS : CTCONV_CUDA_DETERMINISTIC;
  options.tuning = asked.measure;
  options.workspace_limit = asked.workspace_limit;
  options.weights_per_call = weights_per_call;
  options.kernel = asked.engine == "cudnn" ? "cudnn" : nullptr;
  return options;
}

}  // namespace

Result<std::shared_ptr<const GpuPlan>> CudaBackend::plan_of(const WorkCall& call) {
  PerCall per_call{.weight = !weight_, .bias = call.bias != nullptr};
  if (call.problem.epilogue.bias) per_call.bias_stride = vector_stride(call.bias != nullptr ? *call.bias : *bias_);
  return plan_problem(call.problem, per_call);
}

Result<std::shared_ptr<const GpuPlan>> CudaBackend::plan_problem(const Problem& problem, const PerCall& per_call) {
  if (auto held = plans_.find(problem, per_call)) return held;
  auto made = make_plan(problem, per_call);
  if (!made.ok()) return made.take_status();
  return plans_.insert(problem, per_call, std::move(*made));
}

Result<std::shared_ptr<const GpuPlan>> CudaBackend::make_plan(const Problem& problem, const PerCall& per_call) {
  CTCONV_RETURN_IF_ERROR(check_known("cuda", kEveryFloat, problem));
  const bool weights = problem.written == Written::kW;
  const int32_t given = weights ? CTCONV_CUDA_BIAS_ACCUMULATOR : CTCONV_CUDA_BIAS_ELEMENT;
  const int32_t bias = problem.epilogue.bias ? given : CTCONV_CUDA_BIAS_NONE;
  ctconv_cuda_problem record = cuda_problem(problem, bias, per_call.bias_stride);
  if (weights && per_call.bias) record.written = CTCONV_CUDA_WRITES_BIAS;
  auto plan = module_->plan(options_.ordinal, record, module_options(options_, per_call.weight));
  if (!plan.ok()) return plan.take_status();
  const size_t most = std::max((*plan)->workspace_bytes(), (*plan)->packed_bytes());
  if (most > kMostBytes) {
    return Status(Code::NO_MEMORY, "a plan of the CUDA module wants " + std::to_string(most) + " bytes");
  }
  auto made = std::make_shared<GpuPlan>();
  made->plan = std::move(*plan);
  if (!per_call.weight && made->plan->packed_bytes() != 0) {
    auto packed = packed_for(*made->plan);
    if (!packed.ok()) return packed.take_status();
    made->packed = std::move(*packed);
  }
  return std::shared_ptr<const GpuPlan>(std::move(made));
}

// Plans of one packing share one packed weight.
Result<std::shared_ptr<DeviceBuffer>> CudaBackend::packed_for(const CudaPlan& plan) {
  const std::string packing = "cuda/" + plan.packing();
  if (auto held = packed_.find(packing)) return held;
  auto buffer = allocate(*module_, options_.ordinal, plan.packed_bytes());
  if (!buffer.ok()) return buffer.take_status();
  CTCONV_RETURN_IF_ERROR(plan.pack(weight_->data, (*buffer)->data(), nullptr));
  CTCONV_RETURN_IF_ERROR(module_->synchronize(options_.ordinal, nullptr));
  return packed_.insert(packing, std::move(*buffer));
}

Result<size_t> CudaBackend::prepare(const WorkCall& call) {
  auto plan = plan_of(call);
  if (!plan.ok()) return plan.take_status();
  return workspace_of(**plan);
}

Status CudaBackend::enqueue(const GpuPlan& plan, const WorkCall& call, void* workspace) const {
  const TensorView* w = call.weight != nullptr ? call.weight : weight();
  const TensorView* b = call.bias != nullptr ? call.bias : bias();
  return plan.plan->execute({.x = call.x.data,
                             .w = w->data,
                             .packed = plan.packed ? plan.packed->data() : nullptr,
                             .bias = b != nullptr ? b->data : nullptr,
                             .y = call.y.data,
                             .workspace = align_up(workspace, kDeviceAlignment),
                             .stream = call.stream});
}

Status CudaBackend::execute(const WorkCall& call) {
  auto plan = plan_of(call);
  if (!plan.ok()) return plan.take_status();
  return with_workspace(call, workspace_of(**plan), *workspaces_,
                        [&](void* memory) { return enqueue(**plan, call, memory); });
}

Result<PlanFacts> CudaBackend::describe(const WorkCall& call) {
  auto plan = plan_of(call);
  if (!plan.ok()) return plan.take_status();
  return facts_of_plan(**plan, call.problem);
}

PlanFacts CudaBackend::facts_of_plan(const GpuPlan& plan, const Problem& problem) const {
  PlanFacts facts = read_plan_text(plan.plan->describe());
  facts.problem = problem;
  facts.workspace_bytes = workspace_of(plan);
  facts.packed_bytes = plan.plan->packed_bytes();
  return facts;
}

OpFacts CudaBackend::held() const {
  SharedBytes packed;
  plans_.each([&](const GpuPlan& plan) {
    if (plan.packed) packed.add(plan.packed.get(), plan.packed->bytes());
  });
  OpFacts facts;
  facts.plans = plans_.size();
  facts.packed_bytes = packed.sum();
  facts.weight_bytes = weight_memory_ ? weight_memory_->bytes() : 0;
  facts.workspace_bytes = workspaces_->bytes();
  return facts;
}

}  // namespace ctconv
