// SPDX-License-Identifier: Apache-2.0
// One ConvTranspose node of a session; see kernel.h.
#include "bindings/onnxruntime/kernel.h"

#include <memory>
#include <string>

#include "bindings/onnxruntime/attributes.h"

namespace ctconv_ort {
namespace {

// A tensor of the session as libctconv's record, which points into it: not copied.
struct Tensor {
  ctconv_tensor record = {};
  int64_t shape[CTCONV_MAX_NDIM] = {};

  Tensor() { record.shape = shape; }
  Tensor(const Tensor &) = delete;
  Tensor &operator=(const Tensor &) = delete;
};

void set_type(int type, ctconv_tensor *record) {
  record->device_type = CTCONV_DEVICE_CPU;
  record->dtype_code = type == kBfloat16 ? CTCONV_DTYPE_BFLOAT : CTCONV_DTYPE_FLOAT;
  record->dtype_bits = type == kDouble ? 64 : type == kFloat ? 32 : 16;
  record->dtype_lanes = 1;
}

OrtStatus *read_info(const Ort &ort, const OrtTensorTypeAndShapeInfo *info, const char *name, Tensor *out) {
  int type = 0;
  size_t count = 0;
  if (OrtStatus *status = ort.element_type(info, &type)) return status;
  if (OrtStatus *status = ort.dimensions_count(info, &count)) return status;
  if (type != kFloat && type != kFloat16 && type != kDouble && type != kBfloat16) {
    const std::string text = "ctconv: " + std::string(name) + " has element type " + std::to_string(type) +
                             "; float16, bfloat16, float and double are known";
    return ort.create_status(kInvalidArgument, text.c_str());
  }
  if (count > CTCONV_MAX_NDIM) {
    const std::string text =
        "ctconv: " + std::string(name) + " has " + std::to_string(count) + " axes; 3 to 5 are legal";
    return ort.create_status(kInvalidArgument, text.c_str());
  }
  set_type(type, &out->record);
  out->record.ndim = static_cast<int32_t>(count);
  return ort.dimensions(info, out->shape, count);
}

OrtStatus *read_tensor(const Ort &ort, const OrtValue *value, const char *name, Tensor *out) {
  OrtTensorTypeAndShapeInfo *info = nullptr;
  if (OrtStatus *status = ort.type_and_shape(value, &info)) return status;
  OrtStatus *status = read_info(ort, info, name, out);
  ort.release_type_and_shape(info);
  if (status != nullptr) return status;
  return ort.tensor_data(const_cast<OrtValue *>(value), &out->record.data);  // only read: libctconv writes y alone
}

// A constant of the model; absent or no constant: *there stays false.
OrtStatus *read_constant(const Ort &ort, const OrtKernelInfo *info, size_t index, const char *name, Tensor *out,
                         bool *there) {
  size_t count = 0;
  int constant = 0;
  const OrtValue *value = nullptr;
  if (OrtStatus *status = ort.node_input_count(info, &count)) return status;
  if (index >= count) return nullptr;
  if (OrtStatus *status = ort.constant_input(info, index, &constant, &value)) return status;
  if (constant == 0 || value == nullptr) return nullptr;
  *there = true;
  return read_tensor(ort, value, name, out);
}

struct DescDeleter {
  void operator()(ctconv_desc *desc) const { ctconv_desc_destroy(desc); }
};

}  // namespace

Kernel::~Kernel() {
  ctconv_destroy(op_);
  if (memory_.allocator != nullptr) ort_.release_allocator(memory_.allocator);
}

OrtStatus *Kernel::create(const OrtKernelInfo *info, const Settings &settings) {
  if (OrtStatus *status = ort_.allocator(info, kDefaultMemory, &memory_.allocator)) return status;
  ctconv_desc *made = nullptr;
  if (OrtStatus *status = read_descriptor(ort_, info, &made)) return status;
  const std::unique_ptr<ctconv_desc, DescDeleter> desc(made);
  const ctconv_runner runner = session_runner(settings.threads);
  const ctconv_allocator allocator = session_allocator(&memory_);
  ctconv_options options = CTCONV_OPTIONS_INIT;
  options.runner = &runner;
  options.allocator = &allocator;
  options.reproducible = settings.reproducible;
  options.math = settings.math;
  options.engine = settings.engine.empty() ? nullptr : settings.engine.c_str();
  options.borrow_weights = 1;  // constants of the model live as long as the session
  if (OrtStatus *status = read_activation(ort_, info, &options)) return status;
  return create_op(info, desc.get(), &options);
}

OrtStatus *Kernel::create_op(const OrtKernelInfo *info, const ctconv_desc *desc, ctconv_options *options) {
  Tensor w, b;
  if (OrtStatus *status = read_constant(ort_, info, 1, "W", &w, &own_weight_)) return status;
  // A bias is judged by its weight: it comes with the weight or later.
  if (own_weight_) {
    if (OrtStatus *status = read_constant(ort_, info, 2, "B", &b, &own_bias_)) return status;
  }
  ctconv_error error = CTCONV_ERROR_INIT;
  const ctconv_status status =
      ctconv_create(desc, own_weight_ ? &w.record : nullptr, own_bias_ ? &b.record : nullptr, options, &op_, &error);
  return status == CTCONV_OK ? nullptr : refused(ort_, status, error);
}

OrtStatus *Kernel::run(OrtKernelContext *context) const {
  const Running running(&ort_, context);
  Tensor x, w, b;
  ctconv_call call = CTCONV_CALL_INIT;
  const OrtValue *value = nullptr;
  if (OrtStatus *status = ort_.input(context, 0, &value)) return status;
  if (OrtStatus *status = read_tensor(ort_, value, "X", &x)) return status;
  call.x = &x.record;
  if (!own_weight_) {
    if (OrtStatus *status = ort_.input(context, 1, &value)) return status;
    if (OrtStatus *status = read_tensor(ort_, value, "W", &w)) return status;
    call.weight = &w.record;
  }
  size_t count = 0;
  if (OrtStatus *status = ort_.input_count(context, &count)) return status;
  if (!own_bias_ && count > 2) {
    if (OrtStatus *status = ort_.input(context, 2, &value)) return status;
    if (value != nullptr) {
      if (OrtStatus *status = read_tensor(ort_, value, "B", &b)) return status;
      call.bias = &b.record;
    }
  }
  return execute(context, &call);
}

OrtStatus *Kernel::execute(OrtKernelContext *context, ctconv_call *call) const {
  ctconv_error error = CTCONV_ERROR_INIT;
  ctconv_spec spec;
  ctconv_status status = ctconv_output_spec(op_, call, &spec, &error);
  if (status != CTCONV_OK) return refused(ort_, status, error);
  OrtValue *value = nullptr;
  if (OrtStatus *said = ort_.output(context, 0, spec.shape, static_cast<size_t>(spec.ndim), &value)) return said;
  Tensor y;
  y.record = *call->x;
  y.record.ndim = spec.ndim;
  y.record.shape = spec.shape;
  if (OrtStatus *said = ort_.tensor_data(value, &y.record.data)) return said;
  call->y = &y.record;
  status = ctconv_prepare(op_, call, &call->workspace_bytes, &error);
  if (status != CTCONV_OK) return refused(ort_, status, error);
  Scratch scratch(memory_);
  if (OrtStatus *said = scratch.take(call->workspace_bytes, &call->workspace)) return said;
  status = ctconv_execute(op_, call, &error);
  if (status == CTCONV_ERR_WORKSPACE_SIZE) {  // the plan was dropped since and made anew with another need
    call->workspace = nullptr;
    call->workspace_bytes = 0;
    status = ctconv_execute(op_, call, &error);
  }
  return status == CTCONV_OK ? nullptr : refused(ort_, status, error);
}

}  // namespace ctconv_ort
