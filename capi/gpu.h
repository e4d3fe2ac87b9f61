// An op on a CUDA device: the module's plans, the op's own weight on the device.
//
//   in:  a valid op whose device is "cuda…";   out: prepare, execute and describe as for the CPU
//   refuses: every missing piece of the GPU stack by its own status (6xxx), tensors on the wrong device
//   Nothing in here is reached by an op on the CPU.
#pragma once

#include <memory>

#include "capi/call.h"
#include "capi/described.h"

namespace ctconv {

// Views of a Call that outlives it.
struct GpuCall {
  Problem problem;
  const TensorView &x, &y, &weight, &bias;  // weight, bias: of the call; unused where the op has its own
  bool weight_per_call = false, bias_per_call = false;
  void* workspace = nullptr;
  size_t workspace_bytes = 0;
  void* stream = nullptr;
};

GpuCall gpu_call(const ctconv_op& op, const Call& call);

class GpuOp {
 public:
  virtual ~GpuOp() = default;
  virtual Result<size_t> workspace_bytes(const GpuCall& call) = 0;
  virtual Status execute(const GpuCall& call) = 0;
  virtual Result<PlanFacts> describe(const GpuCall& call) = 0;
  virtual OpFacts held() = 0;
  // The op's own tensors where they lie now; no data: they come with the call.
  virtual const TensorView& weight() const = 0;
  virtual const TensorView& bias() const = 0;
};

// Loads the module, checks the device, copies the op's weight and bias there. `weight` and `bias` may be host or
// device memory, null: per call.
Result<std::unique_ptr<GpuOp>> make_gpu_op(const ctconv_op& op, const TensorView* weight, const TensorView* bias);

}  // namespace ctconv
