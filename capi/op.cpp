// SPDX-License-Identifier: Apache-2.0
// ctconv_create and ctconv_destroy.
//
//   order: records and pointers, the dialect's arguments, weight and bias, then device, threads and memory
#include "capi/op.h"

#include "capi/engines.h"
#include "src/backend/cpu/cpu_backend.h"
#include "src/backend/cuda/cuda_backend.h"
#include "src/problem/judge.h"

using namespace ctconv;

namespace {

// The one place that asks which device an op computes on.
std::unique_ptr<Backend> backend_for(Options options) {
  if (options.cuda) return std::make_unique<CudaBackend>(std::move(options));
  return std::make_unique<CpuBackend>(std::move(options),
                                      EngineTable{cpu_engines(), reference_engine(), engine_versions()});
}

Result<Activation> activation_of(const Descriptor& desc, const Options& options) {
  if (desc.activation.kind == Activation::kNone) return options.activation;
  if (options.activation.kind != Activation::kNone) {
    return argument_error(Code::MISUSE_ACTIVATION, "activation", std::to_string(options.activation.kind), "0 (none)",
                          "is given in the options and in the arguments of " + desc.dialect);
  }
  return desc.activation;
}

Status create(const ctconv_desc* desc, const ctconv_tensor* weight, const ctconv_tensor* bias,
              const ctconv_options* given, ctconv_op** out) {
  if (desc == nullptr) return null_argument("desc");
  if (out == nullptr) return null_argument("op");
  Options options;
  CTCONV_RETURN_IF_ERROR(read_options(given, &options));
  TensorView weight_view, bias_view;
  if (weight != nullptr) CTCONV_RETURN_IF_ERROR(read_tensor(*weight, "weight", true, &weight_view));
  if (bias != nullptr) CTCONV_RETURN_IF_ERROR(read_tensor(*bias, "bias", true, &bias_view));
  const TensorView* w = weight != nullptr ? &weight_view : nullptr;
  const TensorView* b = bias != nullptr ? &bias_view : nullptr;
  auto backend = backend_for(std::move(options));
  if (w != nullptr) CTCONV_RETURN_IF_ERROR(backend->check_given(*w, "weight"));
  if (b != nullptr) CTCONV_RETURN_IF_ERROR(backend->check_given(*b, "bias"));

  auto descriptor = desc->interpret();
  if (!descriptor.ok()) return descriptor.take_status();
  auto activation = activation_of(*descriptor, backend->options());
  if (!activation.ok()) return activation.take_status();
  CTCONV_RETURN_IF_ERROR(judge_weights(*descriptor, w, b, backend->takes_cuda_types()));
  CTCONV_RETURN_IF_ERROR(backend->adopt(w, b));
  *out = new ctconv_op{std::move(*descriptor), *activation, std::move(backend)};
  return {};
}

}  // namespace

extern "C" {

ctconv_status ctconv_create(const ctconv_desc* desc, const ctconv_tensor* weight, const ctconv_tensor* bias,
                            const ctconv_options* options, ctconv_op** op, ctconv_error* error) {
  if (op != nullptr) *op = nullptr;
  return guarded(error, [&] { return create(desc, weight, bias, options, op); });
}

void ctconv_destroy(ctconv_op* op) { delete op; }

}  // extern "C"
