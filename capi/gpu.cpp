// GpuOp over the CUDA module: plans by problem, the op's own weight and bias in device memory. See gpu.h.
#include "capi/gpu.h"

#include <mutex>

#include "capi/cuda_module.h"
#include "src/base/checked.h"

namespace ctconv {
namespace {

constexpr size_t kDeviceAlignment = 256;

// Device memory that frees itself.
class DeviceBuffer {
 public:
  DeviceBuffer(const CudaModule& module, int32_t ordinal, void* data) : module_(module), ordinal_(ordinal), data_(data) {}
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;
  ~DeviceBuffer() { module_.release(ordinal_, data_); }
  void* data() const { return data_; }

 private:
  const CudaModule& module_;
  int32_t ordinal_;
  void* data_;
};

Result<std::shared_ptr<DeviceBuffer>> allocate(const CudaModule& module, int32_t ordinal, size_t bytes) {
  auto memory = module.allocate(ordinal, bytes);
  if (!memory.ok()) return memory.take_status();
  return std::make_shared<DeviceBuffer>(module, ordinal, *memory);
}

struct GpuPlan {
  Problem problem;
  bool weight_per_call = false, bias_per_call = false;
  std::shared_ptr<const CudaPlan> plan;
  std::shared_ptr<DeviceBuffer> packed;  // the op's own weight in this plan's form; null: used raw
  uint64_t used = 0;
};

class ModuleGpuOp final : public GpuOp {
 public:
  ModuleGpuOp(const CudaModule& module, const ctconv_op& op) : module_(module), options_(op.options) {}

  // Element type and strides stay; the bytes the view spans go to the device as they lie.
  Status adopt(const TensorView& given, const char* name, std::shared_ptr<DeviceBuffer>* memory, TensorView* view) {
    Span span;
    CTCONV_RETURN_IF_ERROR(span_of(given, name, &span));
    *view = given;
    if (options_.borrow_weights) {
      auto where = module_.locate(given.data);
      if (!where.ok()) return where.take_status();
      if (where->kind == CTCONV_CUDA_NOT_A_DEVICE_POINTER) {
        return argument_error(Code::MISUSE_TENSOR_DEVICE, name, "host memory", "device memory of " + options_.device, "is borrowed but not on the device");
      }
      return {};
    }
    auto buffer = allocate(module_, options_.ordinal, static_cast<size_t>(span.hi - span.lo));
    if (!buffer.ok()) return buffer.take_status();
    CTCONV_RETURN_IF_ERROR(module_.copy(options_.ordinal, (*buffer)->data(), static_cast<const char*>(given.data) + span.lo, static_cast<size_t>(span.hi - span.lo)));
    view->data = static_cast<char*>((*buffer)->data()) - span.lo;
    *memory = std::move(*buffer);
    return {};
  }

  Status adopt_weights(const TensorView* weight, const TensorView* bias) {
    if (weight) CTCONV_RETURN_IF_ERROR(adopt(*weight, "weight", &weight_memory_, &weight_));
    if (bias) CTCONV_RETURN_IF_ERROR(adopt(*bias, "bias", &bias_memory_, &bias_));
    return {};
  }

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
      return argument_error(Code::WORKSPACE_SIZE, "workspace_bytes", std::to_string(call.workspace_bytes), ">= " + std::to_string(need),
                            "is smaller than this plan needs");
    }
    std::shared_ptr<DeviceBuffer> own;
    void* workspace = call.workspace;
    if (workspace == nullptr && need > 0) {
      auto buffer = allocate(module_, options_.ordinal, need);
      if (!buffer.ok()) return buffer.take_status();
      own = std::move(*buffer);
      workspace = own->data();
    }
    const ctconv_cuda_call device{.x = call.x.data,
                                  .w = plan.weight_per_call ? call.weight.data : weight_.data,
                                  .packed = plan.packed ? plan.packed->data() : nullptr,
                                  .bias = plan.bias_per_call ? call.bias.data : bias_.data,
                                  .y = call.y.data,
                                  .workspace = align_up(workspace, kDeviceAlignment),
                                  .stream = call.stream};
    Status status = plan.plan->execute(device);
    // Memory of our own must outlive the kernels that use it; a caller's workspace spares this wait.
    if (own && status.ok()) status = module_.synchronize(options_.ordinal, call.stream);
    return status;
  }

  Result<std::string> describe(const GpuCall& call) override {
    auto plan = plan_of(call);
    if (!plan.ok()) return plan.take_status();
    return (*plan)->plan->describe();
  }

  std::string describe_op() override {
    const std::lock_guard lock(mutex_);
    return "plans: " + std::to_string(plans_.size()) + "\nplan_limit: " + std::to_string(options_.plan_limit) + "\n";
  }

 private:
  static size_t slack(size_t bytes) { return bytes ? bytes + kDeviceAlignment - 1 : 0; }

  Result<std::shared_ptr<const GpuPlan>> plan_of(const GpuCall& call) {
    {
      const std::lock_guard lock(mutex_);
      for (auto& held : plans_) {
        if (held->weight_per_call == call.weight_per_call && held->bias_per_call == call.bias_per_call && held->problem == call.problem) {
          held->used = ++clock_;
          return std::shared_ptr<const GpuPlan>(held);
        }
      }
    }
    auto made = std::make_shared<GpuPlan>();
    made->problem = call.problem;
    made->weight_per_call = call.weight_per_call;
    made->bias_per_call = call.bias_per_call;
    const ctconv_cuda_problem problem = cuda_problem(call.problem, call.problem.bias ? CTCONV_CUDA_BIAS_ELEMENT : CTCONV_CUDA_BIAS_NONE,
                                                     vector_stride(call.bias_per_call ? call.bias : bias_));
    ctconv_cuda_options options = {};
    options.allow_tf32 = options_.allow_tf32;
    options.reproducible = options_.reproducible ? CTCONV_CUDA_REFERENCE_BITS : CTCONV_CUDA_DETERMINISTIC;
    options.tuning = options_.measure;
    options.workspace_limit = options_.workspace_limit;
    options.weights_per_call = call.weight_per_call;
    auto plan = module_.plan(options_.ordinal, problem, options);
    if (!plan.ok()) return plan.take_status();
    made->plan = std::move(*plan);
    if (!call.weight_per_call && made->plan->packed_bytes() > 0) {
      auto buffer = allocate(module_, options_.ordinal, made->plan->packed_bytes());
      if (!buffer.ok()) return buffer.take_status();
      CTCONV_RETURN_IF_ERROR(made->plan->pack(weight_.data, (*buffer)->data(), nullptr));
      CTCONV_RETURN_IF_ERROR(module_.synchronize(options_.ordinal, nullptr));
      made->packed = std::move(*buffer);
    }
    std::shared_ptr<GpuPlan> victim;  // released after the lock: its destructor waits for the device
    const std::lock_guard lock(mutex_);
    made->used = ++clock_;
    if (plans_.size() >= static_cast<size_t>(options_.plan_limit)) {
      auto oldest = plans_.begin();
      for (auto it = plans_.begin(); it != plans_.end(); ++it) oldest = (*it)->used < (*oldest)->used ? it : oldest;
      victim = std::move(*oldest);
      plans_.erase(oldest);
    }
    plans_.push_back(made);
    return std::shared_ptr<const GpuPlan>(made);
  }

  const CudaModule& module_;
  const Options options_;
  TensorView weight_, bias_;
  std::shared_ptr<DeviceBuffer> weight_memory_, bias_memory_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<GpuPlan>> plans_;  // destroyed first: plans wait for their work
  uint64_t clock_ = 0;
};

}  // namespace

Result<std::unique_ptr<GpuOp>> make_gpu_op(const ctconv_op& op, const TensorView* weight, const TensorView* bias) {
  const CudaModule* module = nullptr;
  CTCONV_RETURN_IF_ERROR(load_cuda_module(&module));
  CTCONV_RETURN_IF_ERROR(module->check_device(op.options.ordinal));
  auto made = std::make_unique<ModuleGpuOp>(*module, op);
  CTCONV_RETURN_IF_ERROR(made->adopt_weights(weight, bias));
  return std::unique_ptr<GpuOp>(std::move(made));
}

}  // namespace ctconv
