// SPDX-License-Identifier: Apache-2.0
// Opening the CPU backend: what it takes, its runner, its own weight and bias. See cpu_backend.h.
#include "src/backend/cpu/cpu_backend.h"

#include <string>
#include <utility>

namespace ctconv {

CpuBackend::CpuBackend(Options options, const EngineTable& table)
    : Backend(std::move(options)),
      table_(table),
      plans_(static_cast<size_t>(options_.plan_limit)),
      spare_(options_.allocator) {}

Status CpuBackend::check_given(const TensorView& t, const char* name) const {
  if (on_host(t)) return {};
  return argument_error(Code::MISUSE_TENSOR_DEVICE, name, "device type " + std::to_string(t.device_type),
                        "host memory (1, or 3 pinned)", "lies on another device than the op");
}

Status CpuBackend::check_operand(const TensorView& t, const char* name) const {
  return on_host(t) ? Status() : lies_elsewhere(t, name);
}

Status CpuBackend::check_stream(const void* stream) const {
  if (stream == nullptr) return {};
  return argument_error(Code::MISUSE_STREAM, "stream", "a stream", "NULL", "has no meaning for an op on the CPU");
}

void CpuBackend::start_runner() {
  const int32_t threads = options_.threads;
  if (options_.runner) {
    const Runner& hook = *options_.runner;
    runner_ = Runner(hook.hook(), hook.user(), hook.workers(), threads);
    return;
  }
  const int32_t count = threads != 0 ? threads : allowed_cores();
  if (count > 1) pool_ = std::make_unique<PoolHold>();
  runner_ = pool_runner(count);
}

Status CpuBackend::convert_own_bias() {
  Dtype dtype;
  if (!to_dtype(bias_->type, &dtype)) return Status(Code::INTERNAL, "bias element type slipped through");
  const int64_t count = count_of(*bias_);
  bias_values_ = Buffer(options_.allocator, static_cast<size_t>(count) * size_of(accumulator_of(dtype)));
  if (!bias_values_.ok()) return Status(Code::NO_MEMORY, "bias: no memory for " + std::to_string(count) + " values");
  convert_bias(dtype, bias_->data, vector_stride(*bias_), count, bias_values_.data());
  return {};
}

Status CpuBackend::adopt(const TensorView* weight, const TensorView* bias) {
  start_runner();
  const Runner copier = pool_ ? runner_ : Runner();  // a caller's hook is not called before it has to be
  const auto keep = [&](const TensorView& given, const char* name, OwnTensor* own) {
    return keep_tensor(given, name, options_.borrow_weights, options_.allocator, copier, own);
  };
  if (weight != nullptr) {
    CTCONV_RETURN_IF_ERROR(keep(*weight, "weight", &own_weight_));
    weight_ = own_weight_.view;
  }
  if (bias != nullptr) {
    CTCONV_RETURN_IF_ERROR(keep(*bias, "bias", &own_bias_));
    bias_ = own_bias_.view;
    CTCONV_RETURN_IF_ERROR(convert_own_bias());
  }
  return {};
}

}  // namespace ctconv
