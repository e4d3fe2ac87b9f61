// GpuOp over the CUDA module: plans by problem, the op's own weight and bias in device memory. See gpu.h.
//
//   A plan is built for a problem (strides of x, weight and y are part of it), for a weight of the op's or of the
//   call's, and for the stride of the bias; PlanKey holds all of it, so that whoever asks first (prepare, describe,
//   execute) builds the plan that serves the others.
#include "capi/gpu.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "capi/cuda_module.h"
#include "capi/device_memory.h"
#include "capi/gpu_facts.h"
#include "src/base/checked.h"

namespace ctconv {
namespace {

constexpr size_t kDeviceAlignment = 256;

struct PlanKey {
  Problem problem;
  bool weight_per_call = false, bias_per_call = false;
  int64_t bias_stride = 1;

  bool fits(const GpuCall& call, int64_t stride) const {
    return weight_per_call == call.weight_per_call && bias_per_call == call.bias_per_call && bias_stride == stride &&
           problem == call.problem;
  }
};

struct GpuPlan {
  PlanKey key;
  std::shared_ptr<DeviceBuffer> packed;  // the op's own weight in this plan's form; null: used raw
  std::unique_ptr<CudaPlan> plan;        // destroyed first: waits for the work that reads `packed`
  uint64_t used = 0;                     // under the op's mutex
};

class ModuleGpuOp final : public GpuOp {
 public:
  ModuleGpuOp(const CudaModule& module, const ctconv_op& op)
      : module_(module), options_(op.options), workspaces_(module, op.options.ordinal) {}

  Status adopt_weights(const TensorView* weight, const TensorView* bias) {
    if (weight) CTCONV_RETURN_IF_ERROR(adopt(*weight, "weight", &weight_memory_, &weight_));
    if (bias) CTCONV_RETURN_IF_ERROR(adopt(*bias, "bias", &bias_memory_, &bias_));
    return {};
  }

  const TensorView& weight() const override { return weight_; }
  const TensorView& bias() const override { return bias_; }

  Result<size_t> workspace_bytes(const GpuCall& call) override {
    auto plan = plan_of(call);
    if (!plan.ok()) return plan.take_status();
    return slack((*plan)->plan->workspace_bytes());
  }

  Status execute(const GpuCall& call) override {
    auto found = plan_of(call);
    if (!found.ok()) return found.take_status();
    const GpuPlan& plan = **found;
    const size_t need = slack(plan.plan->workspace_bytes());
    if (call.workspace != nullptr && call.workspace_bytes < need) {
      return argument_error(Code::WORKSPACE_SIZE, "workspace_bytes", std::to_string(call.workspace_bytes),
                            ">= " + std::to_string(need), "is smaller than this plan needs");
    }
    if (call.workspace != nullptr || need == 0) return enqueue(plan, call, call.workspace);
    return workspaces_.with(call.stream, need, [&](void* memory) { return enqueue(plan, call, memory); });
  }

  Result<PlanFacts> describe(const GpuCall& call) override {
    auto plan = plan_of(call);
    if (!plan.ok()) return plan.take_status();
    PlanFacts facts = facts_of((*plan)->plan->describe());
    facts.problem = call.problem;
    facts.workspace_bytes = slack((*plan)->plan->workspace_bytes());
    facts.packed_bytes = (*plan)->plan->packed_bytes();
    return facts;
  }

  OpFacts held() override {
    OpFacts facts;
    facts.workspace_bytes = workspaces_.bytes();
    facts.weight_bytes = weight_memory_ ? weight_memory_->bytes() : 0;
    std::vector<const DeviceBuffer*> counted;
    const std::lock_guard lock(mutex_);
    facts.plans = plans_.size();
    for (const auto& held : plans_) {
      const DeviceBuffer* packed = held->packed.get();
      if (packed == nullptr || std::count(counted.begin(), counted.end(), packed) != 0) continue;
      counted.push_back(packed);
      facts.packed_bytes += packed->bytes();
    }
    return facts;
  }

 private:
  // Any address of the caller's will do.
  static size_t slack(size_t bytes) { return bytes ? bytes + kDeviceAlignment - 1 : 0; }

  // Element type and strides stay; the bytes the view spans go to the device as they lie.
  Status adopt(const TensorView& given, const char* name, std::shared_ptr<DeviceBuffer>* memory, TensorView* view) {
    Span span;
    CTCONV_RETURN_IF_ERROR(span_of(given, name, &span));
    *view = given;
    if (options_.borrow_weights) return judge_borrowed(given, name);
    const auto bytes = static_cast<size_t>(span.hi - span.lo);
    auto buffer = allocate(module_, options_.ordinal, bytes);
    if (!buffer.ok()) return buffer.take_status();
    const char* first = static_cast<const char*>(given.data) + span.lo;
    CTCONV_RETURN_IF_ERROR(module_.copy(options_.ordinal, (*buffer)->data(), first, bytes));
    view->data = static_cast<char*>((*buffer)->data()) - span.lo;
    *memory = std::move(*buffer);
    return {};
  }

  Status judge_borrowed(const TensorView& given, const char* name) const {
    auto where = module_.locate(given.data);
    if (!where.ok()) return where.take_status();
    const bool here = where->kind == CTCONV_CUDA_DEVICE_POINTER && where->ordinal == options_.ordinal;
    if (here || where->kind == CTCONV_CUDA_MANAGED_POINTER) return {};
    const bool host = where->kind == CTCONV_CUDA_NOT_A_DEVICE_POINTER;
    return argument_error(Code::MISUSE_TENSOR_DEVICE, name,
                          host ? "host memory" : "memory of cuda:" + std::to_string(where->ordinal),
                          "device memory of " + options_.device, "is borrowed but not on the device");
  }

  Status enqueue(const GpuPlan& plan, const GpuCall& call, void* workspace) const {
    const ctconv_cuda_call device{.x = call.x.data,
                                  .w = plan.key.weight_per_call ? call.weight.data : weight_.data,
                                  .packed = plan.packed ? plan.packed->data() : nullptr,
                                  .bias = plan.key.bias_per_call ? call.bias.data : bias_.data,
                                  .y = call.y.data,
                                  .workspace = align_up(workspace, kDeviceAlignment),
                                  .stream = call.stream};
    return plan.plan->execute(device);
  }

  int64_t bias_stride_of(const GpuCall& call) const {
    if (!call.problem.bias) return 1;
    return vector_stride(call.bias_per_call ? call.bias : bias_);
  }

  // Under the mutex; null: none.
  std::shared_ptr<const GpuPlan> find(const GpuCall& call, int64_t bias_stride) {
    for (const auto& held : plans_) {
      if (!held->key.fits(call, bias_stride)) continue;
      held->used = ++clock_;
      return held;
    }
    return nullptr;
  }

  Result<std::shared_ptr<const GpuPlan>> plan_of(const GpuCall& call) {
    const int64_t bias_stride = bias_stride_of(call);
    {
      const std::lock_guard lock(mutex_);
      if (auto held = find(call, bias_stride)) return held;
    }
    auto made = make_plan({call.problem, call.weight_per_call, call.bias_per_call, bias_stride});
    if (!made.ok()) return made.take_status();
    return keep(std::move(*made), call);
  }

  Result<std::shared_ptr<GpuPlan>> make_plan(const PlanKey& key) {
    const int32_t bias = key.problem.bias ? CTCONV_CUDA_BIAS_ELEMENT : CTCONV_CUDA_BIAS_NONE;
    ctconv_cuda_options options = {};
    options.allow_tf32 = options_.allow_tf32;
    options.reproducible = options_.reproducible != 0 ? CTCONV_CUDA_REFERENCE_BITS : CTCONV_CUDA_DETERMINISTIC;
    options.tuning = options_.measure;
    options.workspace_limit = options_.workspace_limit;
    options.weights_per_call = key.weight_per_call;
    options.kernel = options_.engine == "cudnn" ? "cudnn" : nullptr;
    auto plan = module_.plan(options_.ordinal, cuda_problem(key.problem, bias, key.bias_stride), options);
    if (!plan.ok()) return plan.take_status();
    auto made = std::make_shared<GpuPlan>();
    made->key = key;
    made->plan = std::move(*plan);
    if (key.weight_per_call || made->plan->packed_bytes() == 0) return made;
    auto packed = packed_for(*made->plan);
    if (!packed.ok()) return packed.take_status();
    made->packed = std::move(*packed);
    return made;
  }

  // Plans of one packing share one packed weight.
  Result<std::shared_ptr<DeviceBuffer>> packed_for(const CudaPlan& plan) {
    const std::string packing = plan.packing();
    {
      const std::lock_guard lock(mutex_);
      for (const auto& held : plans_) {
        if (held->packed && held->plan->packing() == packing) return held->packed;
      }
    }
    auto buffer = allocate(module_, options_.ordinal, plan.packed_bytes());
    if (!buffer.ok()) return buffer.take_status();
    CTCONV_RETURN_IF_ERROR(plan.pack(weight_.data, (*buffer)->data(), nullptr));
    CTCONV_RETURN_IF_ERROR(module_.synchronize(options_.ordinal, nullptr));
    return buffer;
  }

  // The plan now held: `made`, or the one another thread was faster with.
  std::shared_ptr<const GpuPlan> keep(std::shared_ptr<GpuPlan> made, const GpuCall& call) {
    std::shared_ptr<GpuPlan> victim;  // released after the lock: its destructor waits for the device
    const std::lock_guard lock(mutex_);
    if (auto held = find(call, made->key.bias_stride)) return held;
    made->used = ++clock_;
    if (plans_.size() < static_cast<size_t>(options_.plan_limit)) {
      plans_.push_back(made);
      return made;
    }
    const auto older = [](const auto& a, const auto& b) { return a->used < b->used; };
    victim = std::exchange(*std::min_element(plans_.begin(), plans_.end(), older), made);
    return made;
  }

  const CudaModule& module_;
  const Options options_;
  TensorView weight_, bias_;
  std::shared_ptr<DeviceBuffer> weight_memory_, bias_memory_;
  StreamWorkspaces workspaces_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<GpuPlan>> plans_;  // destroyed before the memory above: plans wait for their work
  uint64_t clock_ = 0;
};

}  // namespace

GpuCall gpu_call(const ctconv_op& op, const Call& call) {
  return {.problem = problem_of(op, call),
          .x = call.x,
          .y = call.y,
          .weight = call.weight,
          .bias = call.bias,
          .weight_per_call = !op.weight.there,
          .bias_per_call = call.has_bias,
          .workspace = call.workspace,
          .workspace_bytes = call.workspace_bytes,
          .stream = call.stream};
}

Result<std::unique_ptr<GpuOp>> make_gpu_op(const ctconv_op& op, const TensorView* weight, const TensorView* bias) {
  const CudaModule* module = nullptr;
  CTCONV_RETURN_IF_ERROR(load_cuda_module(&module));
  CTCONV_RETURN_IF_ERROR(module->check_device(op.options.ordinal));
  auto made = std::make_unique<ModuleGpuOp>(*module, op);
  CTCONV_RETURN_IF_ERROR(made->adopt_weights(weight, bias));
  return std::unique_ptr<GpuOp>(std::move(made));
}

}  // namespace ctconv
