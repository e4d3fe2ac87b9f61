// SPDX-License-Identifier: Apache-2.0
// The one door to whatever computes: an op hands its weights and its judged calls to a Backend and knows no device.
//
//   life    made from Options, opens nothing  ->  adopt: weight and bias are taken  ->  any number of calls
//   call    a WorkCall, judged by capi        ->  prepare: bytes of workspace
//                                                 execute: y
//                                                 describe: the plan's facts
//           a GradientCall, likewise           ->  prepare_backward, backward, describe_backward
//           a Problem that comes again         ->  fix
//   adopt comes once, before the first call; then all is shared by threads, and no lock is held while a hook runs.
//   Refuses: tensors that lie on another device, a workspace too small, what the plan refuses, no memory.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "src/backend/facts.h"
#include "src/backend/fixed.h"
#include "src/backend/gradients.h"
#include "src/backend/options.h"
#include "src/base/status.h"
#include "src/base/tensor.h"
#include "src/plan/cache.h"

namespace ctconv {

// One judged call. It borrows the views of whoever made it.
struct WorkCall {
  Problem problem;
  const TensorView &x, &y;             // y without data: prepare and describe
  const TensorView* weight = nullptr;  // of this call; null: the op's own, or none yet
  const TensorView* bias = nullptr;    // likewise; null where the problem has none
  void* workspace = nullptr;           // null: the backend's own
  size_t workspace_bytes = 0;
  void* stream = nullptr;
};

class Backend {
 public:
  explicit Backend(Options options) : options_(std::move(options)) {}
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;
  virtual ~Backend() = default;

  const Options& options() const { return options_; }

  // Judged without opening anything. `check_given`: a weight or bias that create may take; `check_operand`: a tensor
  // of a call.
  virtual Status check_given(const TensorView& tensor, const char* name) const = 0;
  virtual Status check_operand(const TensorView& tensor, const char* name) const = 0;
  virtual Status check_stream(const void* stream) const = 0;
  // True: the element types that dialects take on CUDA only are taken as well.
  virtual bool takes_cuda_types() const = 0;

  // Copies or borrows the op's own tensors, null: they come with each call.
  virtual Status adopt(const TensorView* weight, const TensorView* bias) = 0;
  // Where they lie now; null: they come with each call.
  const TensorView* weight() const { return weight_ ? &*weight_ : nullptr; }
  const TensorView* bias() const { return bias_ ? &*bias_ : nullptr; }

  virtual Result<size_t> prepare(const WorkCall& call) = 0;
  virtual Status execute(const WorkCall& call) = 0;
  virtual Result<PlanFacts> describe(const WorkCall& call) = 0;
  // dx, dw, db of one judged backward call.
  virtual Result<size_t> prepare_backward(const GradientCall& call) = 0;
  virtual Status backward(const GradientCall& call) = 0;
  virtual Result<GradientFacts> describe_backward(const GradientCall& call) = 0;
  // A problem planned once, for a stream; the op has its own weight. alone: the calling thread computes.
  virtual Result<std::unique_ptr<FixedCall>> fix(const Problem&, bool /*alone*/) {
    return argument_error(Code::UNSUPPORTED_STREAM, "device", options_.device, "cpu", "has no streams in this release");
  }
  virtual OpFacts held() const = 0;

 protected:
  // The refusal of a call's tensor that lies elsewhere.
  Status lies_elsewhere(const TensorView& tensor, const char* name) const {
    return argument_error(
        Code::MISUSE_TENSOR_DEVICE, name,
        "device type " + std::to_string(tensor.device_type) + ", id " + std::to_string(tensor.device_id),
        options_.device, "lies on another device than the op");
  }

  const Options options_;
  std::optional<TensorView> weight_, bias_;  // set by adopt
};

}  // namespace ctconv
