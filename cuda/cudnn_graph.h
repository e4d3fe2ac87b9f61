// SPDX-License-Identifier: Apache-2.0
// Transposed convolution and its gradients in cuDNN's graph interface: one node (cudnn_node.h), its plans listed and
// built.
//
//   in:      a problem, its interior box, what is allowed (TF32, nondeterminism, workspace) and a target
//   out:     finalized plans in cuDNN's own order of preference
//   refuses: DEVICE_NO_PLAN with the reasons of those dropped
//   A target is a handle (a real device) or a device description (no driver needed: CI plans every layer this way).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cuda/cudnn_api.h"
#include "cuda/forms.h"

namespace ctconv::cuda {

class Descriptor {
 public:
  Descriptor() = default;
  Descriptor(const CudnnApi* api, cudnnBackendDescriptor_t d) : api_(api), d_(d) {}
  Descriptor(Descriptor&& o) noexcept : api_(o.api_), d_(std::exchange(o.d_, nullptr)) {}
  Descriptor& operator=(Descriptor&& o) noexcept {
    std::swap(api_, o.api_);
    std::swap(d_, o.d_);
    return *this;
  }
  ~Descriptor() {
    if (d_) api_->descriptor_destroy(d_);
  }
  cudnnBackendDescriptor_t get() const { return d_; }
  explicit operator bool() const { return d_ != nullptr; }

 private:
  const CudnnApi* api_ = nullptr;
  cudnnBackendDescriptor_t d_ = nullptr;
};

struct CudnnTarget {
  cudnnHandle_t handle = nullptr;
  cudnnBackendDescriptor_t device = nullptr;  // a finalized DEVICEPROP descriptor where handle is null
  int32_t compute_capability = 0;             // 90
};

struct CudnnWishes {
  bool allow_tf32 = false, deterministic = false, low_alignment = false;
  int64_t workspace_limit = INT64_MAX;
  size_t most = 1;  // plans to build
  // Seconds of an engine's plan, empty: not known. An engine that promises kLeap times the speed of cuDNN's first
  // choice comes before it; one beyond `slowest` is left out where there is another.
  std::function<double(int64_t engine, bool tensor_core)> cost;
  double slowest = 1e300;
};

struct CudnnPlanInfo {
  Descriptor plan;
  int64_t engine = -1, workspace = 0;
  bool tensor_core = false, nondeterministic = false;
  bool rounds_operands = false;  // f32 to TF32 or below
};

// The tensor numbers of the variant pack.
enum : int64_t { kUidX = 'x', kUidW = 'w', kUidY = 'y' };

// The rows that meet a tap: of the core of y, of x where outputs are left out. False and empty where none does.
bool dgrad_box(const ctconv_cuda_problem& p, Box* box);
// Elements between the start of that tensor and the interior's.
int64_t interior_offset(const ctconv_cuda_problem& p, const Box& box);
// The weight order cuDNN gets: KRSC where x and y are channels-last, else KCRS, of the node's filter.
Packing cudnn_packing(const ctconv_cuda_problem& p);
// Why cuDNN is not asked at all; empty: it may be.
std::string cudnn_refusal(const CudnnApi& api, const ctconv_cuda_problem& p);

// The order in which engines are tried, from their costs in cuDNN's order.
constexpr double kLeap = 2;
std::vector<size_t> order_of(const std::vector<double>& costs, double slowest);

Result<std::vector<CudnnPlanInfo>> cudnn_plans(const CudnnApi& api, const CudnnTarget& target,
                                               const ctconv_cuda_problem& p, const CudnnWishes& wishes);
Result<Descriptor> cudnn_device_from_json(const CudnnApi& api, const std::string& json);
Result<std::string> cudnn_plan_json(const CudnnApi& api, const CudnnPlanInfo& plan);
Result<CudnnPlanInfo> cudnn_plan_from_json(const CudnnApi& api, const CudnnTarget& target, const std::string& json);

}  // namespace ctconv::cuda
