// SPDX-License-Identifier: Apache-2.0
// cudnn: transposed convolution as backward data in cuDNN, then bias, activation, rim and tail in one pass of ours; a
// strided data gradient as a convolution, a weight gradient as backward filter.
//
//   in:      a Request
//   out:     finalized cuDNN plans
//   refuses: strides below 1, 3-D half types before cuDNN 9.15, no plan at all
//   A filter that cuDNN writes goes through the workspace where the caller's w lies otherwise.
//   Backward data writes the interior of y; rows no tap meets are the rim (geometry.h). A plan assumes 16-byte
//   addresses; the first call with others builds a second plan that does not, within the same workspace (else the
//   direct kernel runs). cuDNN does not promise that every engine's plan may be executed by two threads at once: a
//   mutex covers the enqueue.
#include <algorithm>
#include <mutex>

#include "cuda/cudnn_cost.h"
#include "cuda/cudnn_graph.h"
#include "cuda/cudnn_handles.h"
#include "cuda/cudnn_node.h"
#include "cuda/engine.h"
#include "cuda/kernels/gradient_launch.h"
#include "cuda/kernels/launch.h"
#include "cuda/pass_form.h"

namespace ctconv::cuda {
namespace {

CudnnWishes wishes_of(const ctconv_cuda_options& options, size_t workspace_limit) {
  CudnnWishes wishes;
  wishes.allow_tf32 = options.allow_tf32 != 0;
  wishes.deterministic = options.reproducible >= CTCONV_CUDA_DETERMINISTIC;
  wishes.workspace_limit =
      workspace_limit > static_cast<size_t>(INT64_MAX) ? INT64_MAX : static_cast<int64_t>(workspace_limit);
  return wishes;
}

// The filter as cuDNN writes it, into w as the problem has it.
void spread_form(const ctconv_cuda_problem& p, PassParams* out) {
  PackParams order;
  pack_form(p, cudnn_packing(p), &order);
  ctconv_cuda_pass pass{};
  pass.kind = CTCONV_CUDA_PASS_STORE;
  pass.rank = 6;
  int64_t step = 1;
  for (int a = 5; a >= 0; --a) {
    pass.extent[a] = order.extent[a];
    pass.to_stride[a] = order.stride[a];
    pass.from_stride[a] = step;
    step *= order.extent[a];
  }
  pass_form(pass, out);
}

// Bytes of the workspace before cuDNN's own.
size_t filter_bytes(const ctconv_cuda_problem& p) {
  if (p.written != CTCONV_CUDA_WRITES_W || raw_matches(p, cudnn_packing(p))) return 0;
  return (static_cast<size_t>(weight_elements(p)) * element_bytes(p.dtype) + 255) / 256 * 256;
}

class CudnnPlan final : public DevicePlan {
 public:
  CudnnPlan(const CudnnApi* api, const Request& r, CudnnPlanInfo plan)
      : api_(api),
        problem_(r.problem),
        options_(r.options),
        device_(r.device),
        plan_(std::move(plan)),
        node_(node_of(problem_)),
        filter_(filter_bytes(problem_)) {
    options_.kernel = options_.saved_plan = nullptr;  // the caller's memory
    dgrad_box(problem_, &box_);
    if (node_ == CudnnNode::kBackwardData) {
      finish_ = problem_.bias != CTCONV_CUDA_BIAS_NONE || problem_.activation != 0;
      int64_t extent[5];
      extents_of(problem_, true, extent);
      bool whole = true;
      for (int a = 0; a < 3; ++a) whole = whole && box_.lo[a] == 0 && box_.hi[a] == extent[2 + a];
      after_ = finish_ || !whole;
      way_ = epilogue_form(problem_, box_, finish_, &vector_, &epilogue_);
    }
    if (filter_ != 0) spread_form(problem_, &spread_);
    seconds_ = cudnn_seconds(device_, problem_, {.number = plan_.engine, .tensor_core = plan_.tensor_core},
                             static_cast<double>(plan_.workspace), after_);
  }

  const char* row() const override { return "cudnn"; }
  std::string form() const override {
    return "cuDNN " + cudnn_version_text(api_->number) + ", engine " +
           (plan_.engine < 0 ? std::string("of a saved plan") : std::to_string(plan_.engine)) +
           (plan_.tensor_core ? ", tensor cores" : "") + (plan_.nondeterministic ? ", not deterministic" : "") +
           ", workspace " + std::to_string(plan_.workspace) +
           (node_ != CudnnNode::kBackwardData ? std::string(", ") + name_of(node_) : "") +
           (filter_ != 0 ? ", w in a second pass" : "") + (after_ ? ", bias, activation and rim in a second pass" : "");
  }
  double seconds() const override { return seconds_; }
  Packing packing() const override {
    return node_ == CudnnNode::kBackwardFilter ? Packing::kRaw : cudnn_packing(problem_);
  }
  size_t workspace() const override { return filter_ + static_cast<size_t>(plan_.workspace); }
  // A saved plan does not say: it may where it was allowed to.
  bool rounds_operands() const override {
    const bool unknown = plan_.engine < 0 && problem_.dtype == CTCONV_CUDA_F32 && options_.allow_tf32 != 0;
    return plan_.rounds_operands || unknown;
  }
  Result<std::string> save() const override { return cudnn_plan_json(*api_, plan_); }

  Status run(const DeviceCall& call) const override {
    const int64_t boxed = interior_offset(problem_, box_) * static_cast<int64_t>(element_bytes(problem_.dtype));
    const bool in_x = node_ == CudnnNode::kForward;
    const auto* x = static_cast<const unsigned char*>(call.x) + (in_x ? boxed : 0);
    auto* y = static_cast<unsigned char*>(call.y) + (in_x ? 0 : boxed);
    void* w = filter_ != 0 ? call.workspace : call.w;
    const bool aligned = aligned16(call.x) && aligned16(w) && aligned16(call.y);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      HandleLease lease(*api_, device_.ordinal, call.stream);
      CTCONV_RETURN_IF_ERROR(lease.take_status());
      const CudnnPlanInfo* plan = aligned ? &plan_ : low_plan(lease.get());
      if (!plan) return without_plan(call);
      cudnnBackendDescriptor_t raw = nullptr;
      cudnnStatus_t status = api_->descriptor_create(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &raw);
      const Descriptor pack(api_, raw);
      const int64_t uids[3] = {kUidX, kUidW, kUidY};
      void* pointers[3] = {const_cast<unsigned char*>(x), w, y};
      void* workspace = static_cast<unsigned char*>(call.workspace) + filter_;
      const auto set = [&](cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count,
                           const void* v) {
        if (status == CUDNN_STATUS_SUCCESS) status = api_->set(raw, name, type, count, v);
      };
      set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 3, uids);
      set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 3, pointers);
      set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
      if (status == CUDNN_STATUS_SUCCESS) status = api_->finalize(raw);
      if (status == CUDNN_STATUS_SUCCESS) status = api_->execute(lease.get(), plan->plan.get(), raw);
      if (status != CUDNN_STATUS_SUCCESS)
        return cudnn_error(*api_, status, (std::string("running ") + name_of(node_)).c_str());
    }
    if (filter_ != 0) {
      PassParams spread = spread_;
      spread.from = call.workspace;
      spread.to = call.w;
      return launched(launch_pass(problem_.dtype, spread, call.stream), "pass");
    }
    if (!after_) return {};
    EpilogueParams p = epilogue_;
    p.y = call.y;
    p.bias = call.bias;
    return launched(launch_epilogue(problem_.dtype, way_, vector_ && aligned16(call.y), p, call.stream), "epilogue");
  }

 private:
  Status without_plan(const DeviceCall& call) const {
    if (node_ == CudnnNode::kBackwardFilter) return run_weights_direct(problem_, call);
    return run_packed_direct(problem_, packing(), call);
  }

  // Under the mutex. Null: cuDNN has none, the direct kernel serves.
  const CudnnPlanInfo* low_plan(cudnnHandle_t handle) const {
    if (!low_asked_) {
      low_asked_ = true;
      CudnnWishes wishes = wishes_of(options_, static_cast<size_t>(plan_.workspace));
      wishes.low_alignment = true;
      wishes.allow_tf32 = rounds_operands();  // no promise less than the plan's own
      auto plans = cudnn_plans(*api_, {.handle = handle, .compute_capability = device_.capability}, problem_, wishes);
      if (plans.ok()) low_ = std::move(plans.value().front());
    }
    return low_.plan ? &low_ : nullptr;
  }

  const CudnnApi* api_;
  ctconv_cuda_problem problem_;
  ctconv_cuda_options options_;
  DeviceModel device_;
  CudnnPlanInfo plan_;
  CudnnNode node_;
  size_t filter_;  // bytes of the workspace that cuDNN's filter takes; 0: it is written in place
  PassParams spread_{};
  Box box_;
  bool finish_ = false, after_ = false, vector_ = false;
  EpilogueWay way_ = EpilogueWay::kAny;
  EpilogueParams epilogue_{};
  double seconds_ = 0;
  mutable std::mutex mutex_;
  mutable bool low_asked_ = false;
  mutable CudnnPlanInfo low_;
};

Result<Plans> plan_cudnn(const Request& r) {
  const CudnnApi* api = nullptr;
  CTCONV_RETURN_IF_ERROR(load_cudnn(&api));
  if (std::string reason = cudnn_refusal(*api, r.problem); !reason.empty())
    return Status(Code::UNSUPPORTED_ENGINE, std::move(reason));
  HandleLease lease(*api, r.device.ordinal, nullptr);
  CTCONV_RETURN_IF_ERROR(lease.take_status());
  const CudnnTarget target{.handle = lease.get(), .compute_capability = r.device.capability};
  Plans plans;
  const size_t filter = filter_bytes(r.problem);
  if (filter > r.workspace_limit) return Status(Code::UNSUPPORTED_ENGINE, "workspace above the limit");
  if (!r.saved.empty()) {
    auto saved = cudnn_plan_from_json(*api, target, r.saved);
    if (saved.ok() && filter + static_cast<size_t>(saved->workspace) <= r.workspace_limit) {
      plans.push_back(std::make_unique<CudnnPlan>(api, r, std::move(*saved)));
      return plans;
    }
  }
  CudnnWishes wishes = wishes_of(r.options, r.workspace_limit - filter);
  wishes.most = r.most;
  wishes.slowest = r.slowest;
  wishes.cost = [&r](int64_t engine, bool tensor_core) {
    return cudnn_seconds(r.device, r.problem, {.number = engine, .tensor_core = tensor_core}, 0, false);
  };
  auto built = cudnn_plans(*api, target, r.problem, wishes);
  if (!built.ok()) return built.take_status();
  for (CudnnPlanInfo& info : *built) plans.push_back(std::make_unique<CudnnPlan>(api, r, std::move(info)));
  return plans;
}

}  // namespace

const Row kCudnnRow = {"cudnn", false, plan_cudnn};
const Row kCudnnWeightsRow = {"cudnn", false, plan_cudnn, CTCONV_CUDA_WRITES_W};

}  // namespace ctconv::cuda
