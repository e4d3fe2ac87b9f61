// SPDX-License-Identifier: Apache-2.0
// A CUDA device: the module's plans, the op's own weight and bias in device memory.
//
//   in:  an op's Options whose device is "cuda...";   out: a Backend
//   refuses: each missing piece of the GPU stack by its own status (6xxx), tensors on another device
//   A plan is built for a problem (strides of x, weight and y are part of it), for a weight of the op's or of the
//   call's, and for the stride of the bias. Whoever asks first (prepare, describe, execute) builds the plan that serves
//   the others. The module is opened by adopt: nothing before it touches a file of CUDA.
#pragma once

#include <memory>

#include "src/backend/backend.h"
#include "src/backend/cuda/cuda_module.h"
#include "src/backend/cuda/device_memory.h"
#include "src/plan/packed.h"

namespace ctconv {

struct GpuPlan {
  std::shared_ptr<DeviceBuffer> packed;  // the op's own weight in this plan's form; null: used raw
  std::unique_ptr<CudaPlan> plan;        // destroyed first: waits for the work that reads `packed`
};

class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(Options options);

  Status check_given(const TensorView& tensor, const char* name) const override;
  Status check_operand(const TensorView& tensor, const char* name) const override;
  Status check_stream(const void* stream) const override;
  bool takes_cuda_types() const override { return true; }

  Status adopt(const TensorView* weight, const TensorView* bias) override;

  Result<size_t> prepare(const WorkCall& call) override;
  Status execute(const WorkCall& call) override;
  Result<PlanFacts> describe(const WorkCall& call) override;
  Result<size_t> prepare_backward(const GradientCall& call) override;
  Status backward(const GradientCall& call) override;
  Result<GradientFacts> describe_backward(const GradientCall& call) override;
  OpFacts held() const override;

 private:
  Status judge_borrowed(const TensorView& given, const char* name) const;
  Result<TensorView> keep(const TensorView& given, const char* name, std::shared_ptr<DeviceBuffer>* memory) const;
  struct Backward;  // cuda_gradients.cpp
  Result<std::shared_ptr<const GpuPlan>> plan_of(const WorkCall& call);
  Result<std::shared_ptr<const GpuPlan>> plan_problem(const Problem& problem, const PerCall& per_call);
  Result<std::shared_ptr<const GpuPlan>> make_plan(const Problem& problem, const PerCall& per_call);
  Result<std::shared_ptr<DeviceBuffer>> packed_for(const CudaPlan& plan);
  Status enqueue(const GpuPlan& plan, const WorkCall& call, void* workspace) const;
  PlanFacts facts_of_plan(const GpuPlan& plan, const Problem& problem) const;
  Result<Backward> plan_backward(const GradientCall& call);
  Status run_backward(const GradientCall& call, const Backward& b, void* workspace) const;

  const CudaModule* module_ = nullptr;  // from adopt on
  std::shared_ptr<DeviceBuffer> weight_memory_, bias_memory_;
  std::unique_ptr<StreamWorkspaces> workspaces_;
  SharedPacking<DeviceBuffer> packed_;
  PlanCache<GpuPlan> plans_;  // destroyed before the memory above: plans wait for their work
};

}  // namespace ctconv
