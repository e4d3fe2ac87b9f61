// SPDX-License-Identifier: Apache-2.0
// The CPU: engines that plan, the caller's runner or our pool, weights in host memory.
//
//   in:  an op's Options and the table of engines;   out: a Backend
//   refuses: tensors outside host memory, a stream; what make_plan and run_plan refuse
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "src/backend/backend.h"
#include "src/backend/cpu/host_workspace.h"
#include "src/backend/cpu/own_tensor.h"
#include "src/base/pool.h"
#include "src/plan/plan.h"

namespace ctconv {

// Who may compute. All of it lives as long as the process.
struct EngineTable {
  std::span<const Engine* const> engines;  // in the order `auto` asks
  const Engine* reference = nullptr;       // one of them; it refuses nothing
  std::string_view versions;               // of the library and its engines
};

class CpuBackend final : public Backend {
 public:
  CpuBackend(Options options, const EngineTable& table);

  Status check_given(const TensorView& tensor, const char* name) const override;
  Status check_operand(const TensorView& tensor, const char* name) const override;
  Status check_stream(const void* stream) const override;
  bool takes_cuda_types() const override { return false; }

  Status adopt(const TensorView* weight, const TensorView* bias) override;

  Result<size_t> prepare(const WorkCall& call) override;
  Status execute(const WorkCall& call) override;
  Result<PlanFacts> describe(const WorkCall& call) override;
  Result<size_t> prepare_backward(const GradientCall& call) override;
  Status backward(const GradientCall& call) override;
  Result<GradientFacts> describe_backward(const GradientCall& call) override;
  Result<std::unique_ptr<FixedCall>> fix(const Problem& problem, bool alone) override;
  OpFacts held() const override;

 private:
  struct Backward;  // cpu_gradients.cpp
  void start_runner();
  Status convert_own_bias();
  PlanRequest request_of(const PerCall& per_call);
  Result<std::shared_ptr<const Plan>> plan_problem(const Problem& problem, const PerCall& per_call);
  Result<std::shared_ptr<const Plan>> plan_of(const WorkCall& call);
  PlanFacts facts_of_plan(const Plan& plan) const;
  Result<Backward> plan_backward(const GradientCall& call);
  Status run_backward(const GradientCall& call, const Backward& b, void* workspace);

  const EngineTable table_;
  Runner runner_;
  std::unique_ptr<PoolHold> pool_;  // where the runner is ours
  OwnTensor own_weight_, own_bias_;
  Buffer bias_values_;  // the op's own bias as engines want it
  PackedStore packed_;
  PlanCache<Plan> plans_;
  HostWorkspace spare_;
};

}  // namespace ctconv
