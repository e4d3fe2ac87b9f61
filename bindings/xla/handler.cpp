// SPDX-License-Identifier: Apache-2.0
// libctconv_xla.so: y, dx, dw and db as one handler of XLA's foreign function interface, for ctconv.jax on the CPU.
//
//   in:  ctconv_xla_call with a call frame: attributes (settings.h), dense buffers
//        y: x, w[, b]    dx: dy, w    dw: x, dy    db: dy
//   out: the result's buffer, written
//   vmap: axes in front of an operand's own, of length 1 where an operand has none of them. They become more images of
//   one call where only the first operand has them (y, dx); otherwise a call runs for each.
//   No exception leaves; every failure is an XLA error with a sentence.
#include <algorithm>
#include <exception>
#include <numeric>

#include "bindings/xla/ffi_api.h"
#include "bindings/xla/settings.h"

namespace ctconv_xla {
namespace {

// A buffer as leading axes and a tensor of the rest.
struct Operand {
  ctconv_tensor record = {};
  std::vector<int64_t> shape, lead;
  int64_t bytes = 0;  // of one tensor of the rest
};

int64_t count(const std::vector<int64_t>& extents) {
  return std::accumulate(extents.begin(), extents.end(), int64_t{1}, std::multiplies<>());
}

void set_type(int type, ctconv_tensor* record) {
  record->device_type = CTCONV_DEVICE_CPU;
  record->dtype_lanes = 1;
  record->dtype_code = type == kBf16 ? CTCONV_DTYPE_BFLOAT : CTCONV_DTYPE_FLOAT;
  record->dtype_bits = type == kF64 ? 64 : type == kF32 ? 32 : 16;
  if (type != kBf16 && type != kF16 && type != kF32 && type != kF64) {
    throw Refusal(kInvalidArgument, "ctconv: float16, bfloat16, float32 and float64 are known");
  }
}

Operand operand_of(const Buffer& buffer, int64_t rank) {
  if (rank < 0 || rank > buffer.rank) throw Refusal(kInternal, "ctconv: an operand has fewer axes than its rank");
  Operand out;
  out.lead.assign(buffer.dims, buffer.dims + (buffer.rank - rank));
  out.shape.assign(buffer.dims + (buffer.rank - rank), buffer.dims + buffer.rank);
  set_type(buffer.dtype, &out.record);
  out.record.data = buffer.data;
  out.bytes = count(out.shape) * out.record.dtype_bits / 8;
  return out;
}

// The tensor of one step: `step` counts the leading axes of the result, row-major; axes of length 1 repeat.
ctconv_tensor at(const Operand& one, const std::vector<int64_t>& lead, int64_t step) {
  int64_t index = 0, stride = 1;
  for (size_t axis = lead.size(); axis-- > 0;) {
    const int64_t i = step % lead[axis];
    step /= lead[axis];
    if (one.lead[axis] > 1) index += i * stride;
    stride *= one.lead[axis];
  }
  ctconv_tensor out = one.record;
  out.data = static_cast<char*>(out.data) + index * one.bytes;
  out.ndim = static_cast<int32_t>(one.shape.size());
  out.shape = one.shape.data();
  return out;
}

void run_y(const Request& request, const std::vector<ctconv_tensor>& in, const ctconv_tensor& out) {
  ctconv_error error = CTCONV_ERROR_INIT;
  ctconv_call call = CTCONV_CALL_INIT;
  call.x = &in[0];
  call.weight = &in[1];
  call.bias = in.size() > 2 ? &in[2] : nullptr;
  call.y = &out;
  check(ctconv_execute(request.op.get(), &call, &error), error);
}

void run_gradient(const Request& request, const std::vector<ctconv_tensor>& in, const ctconv_tensor& out) {
  ctconv_error error = CTCONV_ERROR_INIT;
  ctconv_grads grads = CTCONV_GRADS_INIT;
  ctconv_tensor x = in[0];
  if (request.run == Run::kDx) {
    grads.dy = &in[0];
    grads.weight = &in[1];
    grads.dx = &out;
  } else if (request.run == Run::kDw) {
    grads.x = &in[0];
    grads.dy = &in[1];
    grads.dw = &out;
  } else {
    x.data = nullptr;
    x.ndim = static_cast<int32_t>(request.x_shape.size());
    x.shape = request.x_shape.data();
    grads.x = &x;
    grads.dy = &in[0];
    grads.db = &out;
  }
  check(ctconv_backward(request.op.get(), &grads, &error), error);
}

// Leading axes as more images of one call. An operand without an axis of images gets one.
void join(const Request& request, Operand* one) {
  const int64_t steps = count(one->lead);
  if (request.batched) {
    one->shape[0] *= steps;
  } else {
    one->shape.insert(one->shape.begin(), steps);
  }
  one->bytes *= steps;
  one->lead.assign(one->lead.size(), 1);
}

void run(const CallFrame& frame) {
  const Request request = read_request(frame.attrs);
  if (frame.rets.size != 1 || frame.args.size + 1 != static_cast<int64_t>(request.ranks.size())) {
    throw Refusal(kInternal, "ctconv: the call has another number of operands than its attributes say");
  }
  std::vector<Operand> in;
  for (int64_t i = 0; i < frame.args.size; ++i) {
    in.push_back(operand_of(*frame.args.buffers[i], request.ranks[static_cast<size_t>(i)]));
  }
  Operand out = operand_of(*frame.rets.buffers[0], request.ranks.back());
  for (const Operand& one : in) {
    if (one.lead.size() != out.lead.size()) throw Refusal(kInternal, "ctconv: operands differ in leading axes");
  }
  if (count(out.lead) == 0) return;
  const bool grows = request.run == Run::kY || request.run == Run::kDx;
  const bool others_once =
      std::all_of(in.begin() + 1, in.end(), [](const Operand& one) { return count(one.lead) == 1; });
  if (grows && count(out.lead) > 1 && others_once) {
    join(request, &in[0]);
    join(request, &out);
  }
  const int64_t steps = count(out.lead);
  for (int64_t step = 0; step < steps; ++step) {
    std::vector<ctconv_tensor> tensors;
    for (const Operand& one : in) tensors.push_back(at(one, out.lead, step));
    (request.run == Run::kY ? run_y : run_gradient)(request, tensors, at(out, out.lead, step));
  }
}

Error* say(const Api& api, int code, const char* text) {
  ErrorCreateArgs args = {sizeof(ErrorCreateArgs), nullptr, text, code};
  return api.error_create(&args);
}

// XLA asks once, when the handler is registered, for which version it was written.
bool answered(const CallFrame& frame) {
  for (Extension* one = frame.extension_start; one != nullptr; one = one->next) {
    if (one->type != kMetadata) continue;
    Metadata& metadata = *reinterpret_cast<MetadataExtension*>(one)->metadata;
    metadata.api_version.major_version = kMajor;
    metadata.api_version.minor_version = std::min(frame.api->api_version.minor_version, kNewestMinor);
    metadata.traits = 0;
    return true;
  }
  return false;
}

}  // namespace
}  // namespace ctconv_xla

extern "C" __attribute__((visibility("default"))) ctconv_xla::Error* ctconv_xla_call(ctconv_xla::CallFrame* frame) {
  using namespace ctconv_xla;
  if (answered(*frame)) return nullptr;
  try {
    run(*frame);
    return nullptr;
  } catch (const Refusal& refusal) {
    return say(*frame->api, refusal.errc, refusal.what());
  } catch (const std::exception& error) {
    return say(*frame->api, kInternal, error.what());
  }
}
