// SPDX-License-Identifier: Apache-2.0
// Opening the CUDA backend: the module, the device, the op's own weight and bias. See cuda_backend.h.
#include "src/backend/cuda/cuda_backend.h"

#include <string>
#include <utility>

namespace ctconv {

CudaBackend::CudaBackend(Options options)
    : Backend(std::move(options)), plans_(static_cast<size_t>(options_.plan_limit)) {}

// Host or device memory: it is copied, or judged where it is borrowed.
Status CudaBackend::check_given(const TensorView& /*tensor*/, const char* /*name*/) const { return {}; }

Status CudaBackend::check_operand(const TensorView& t, const char* name) const {
  if (t.device_type == kDeviceCudaManaged) return {};  // reached from every device
  if (t.device_type == kDeviceCuda && t.device_id == options_.ordinal) return {};
  return lies_elsewhere(t, name);
}

Status CudaBackend::check_stream(const void* /*stream*/) const { return {}; }

Status CudaBackend::judge_borrowed(const TensorView& given, const char* name) const {
  auto where = module_->locate(given.data);
  if (!where.ok()) return where.take_status();
  const bool here = where->kind == CTCONV_CUDA_DEVICE_POINTER && where->ordinal == options_.ordinal;
  if (here || where->kind == CTCONV_CUDA_MANAGED_POINTER) return {};
  const bool host = where->kind == CTCONV_CUDA_NOT_A_DEVICE_POINTER;
  return argument_error(Code::MISUSE_TENSOR_DEVICE, name,
                        host ? "host memory" : "memory of cuda:" + std::to_string(where->ordinal),
                        "device memory of " + options_.device, "is borrowed but not on the device");
}

// Element type and strides stay; the bytes the view spans go to the device as they lie.
Result<TensorView> CudaBackend::keep(const TensorView& given, const char* name,
                                     std::shared_ptr<DeviceBuffer>* memory) const {
  Span span;
  CTCONV_RETURN_IF_ERROR(span_of(given, name, &span));
  if (options_.borrow_weights) {
    CTCONV_RETURN_IF_ERROR(judge_borrowed(given, name));
    return given;
  }
  const auto bytes = static_cast<size_t>(span.hi - span.lo);
  auto buffer = allocate(*module_, options_.ordinal, bytes);
  if (!buffer.ok()) return buffer.take_status();
  const char* first = static_cast<const char*>(given.data) + span.lo;
  CTCONV_RETURN_IF_ERROR(module_->copy(options_.ordinal, (*buffer)->data(), first, bytes));
  TensorView view = given;
  view.data = static_cast<char*>((*buffer)->data()) - span.lo;
  *memory = std::move(*buffer);
  return view;
}

Status CudaBackend::adopt(const TensorView* weight, const TensorView* bias) {
  CTCONV_RETURN_IF_ERROR(load_cuda_module(&module_));
  CTCONV_RETURN_IF_ERROR(module_->check_device(options_.ordinal));
  workspaces_ = std::make_unique<StreamWorkspaces>(*module_, options_.ordinal);
  if (weight != nullptr) {
    auto kept = keep(*weight, "weight", &weight_memory_);
    if (!kept.ok()) return kept.take_status();
    weight_ = *kept;
  }
  if (bias != nullptr) {
    auto kept = keep(*bias, "bias", &bias_memory_);
    if (!kept.ok()) return kept.take_status();
    bias_ = *kept;
  }
  return {};
}

}  // namespace ctconv
