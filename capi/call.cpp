// SPDX-License-Identifier: Apache-2.0
// Reading and judging one call; see call.h.
#include "capi/call.h"

#include "capi/region.h"
#include "capi/requests.h"
#include "src/problem/canonicalize.h"

namespace ctconv {
namespace {

Status read_operand(const Backend& backend, const ctconv_tensor* given, const char* name, bool needs_data,
                    TensorView* out) {
  CTCONV_RETURN_IF_ERROR(read_tensor(*given, name, needs_data, out));
  if (out->data == nullptr && !needs_data) return {};  // a shape only: it lies nowhere
  return backend.check_operand(*out, name);
}

// x, y, weight and bias: records, then where they lie.
Status read_operands(const Backend& backend, const ctconv_call& in, bool run, Call* out) {
  if (in.x == nullptr) return null_argument("call.x");
  if (run && in.y == nullptr) return null_argument("call.y");
  CTCONV_RETURN_IF_ERROR(read_operand(backend, in.x, "x", run, &out->x));
  out->has_y = in.y != nullptr;
  out->has_weight = in.weight != nullptr;
  out->has_bias = in.bias != nullptr;
  if (out->has_y) CTCONV_RETURN_IF_ERROR(read_operand(backend, in.y, "y", run, &out->y));
  if (out->has_weight) CTCONV_RETURN_IF_ERROR(read_operand(backend, in.weight, "weight", run, &out->weight));
  if (out->has_bias) CTCONV_RETURN_IF_ERROR(read_operand(backend, in.bias, "bias", run, &out->bias));
  return {};
}

// Weight and bias come once, at create or with the call; to run, there must be a weight.
Status check_given_once(const Backend& backend, const Call& call, bool run) {
  const bool own_weight = backend.weight() != nullptr, own_bias = backend.bias() != nullptr;
  if ((call.has_weight && own_weight) || (call.has_bias && own_bias)) {
    return argument_error(Code::MISUSE_WEIGHT_TWICE, call.has_weight && own_weight ? "weight" : "bias", "a tensor",
                          "NULL", "was given at create already");
  }
  if (run && !call.has_weight && !own_weight) {
    return argument_error(Code::MISUSE_WEIGHT_MISSING, "weight", "NULL", "a tensor",
                          "was given neither at create nor with the call");
  }
  return {};
}

}  // namespace

Status read_call(const ctconv_op& op, const ctconv_call* given, Stage stage, Call* out) {
  if (given == nullptr) return null_argument("call");
  ctconv_call in;
  CTCONV_RETURN_IF_ERROR(read_record(given, "ctconv_call", kFirstCall, &in));
  const Backend& backend = *op.backend;
  const bool run = stage == Stage::kExecute;
  CTCONV_RETURN_IF_ERROR(read_operands(backend, in, run, out));
  CTCONV_RETURN_IF_ERROR(check_given_once(backend, *out, run));
  CTCONV_RETURN_IF_ERROR(check_resources(backend, in.workspace, in.workspace_bytes, in.stream));
  out->workspace = in.workspace;
  out->workspace_bytes = in.workspace_bytes;
  out->stream = in.stream;
  RequestedSize size;
  if (in.output_size != nullptr) CTCONV_RETURN_IF_ERROR(read_size(op.desc, *in.output_size, out->x.ndim, &size));

  TensorView whole;
  const RegionGiven region = region_given(in);
  CTCONV_RETURN_IF_ERROR(whole_x(op.desc, region, out->x, &whole));
  auto geometry = judge_call(op.desc, {.x = &whole,
                                       .w = out->weight_for(op),
                                       .b = out->bias_for(op),
                                       .weights_judged = backend.weight() != nullptr,
                                       .bias_judged = backend.bias() != nullptr,
                                       .size = size.given ? &size : nullptr,
                                       .cuda = backend.takes_cuda_types()});
  if (!geometry.ok()) return geometry.take_status();
  out->geometry = *geometry;
  Span span;
  if (out->has_weight) CTCONV_RETURN_IF_ERROR(span_of(out->weight, "weight", &span));
  out->has_region = region.begin != nullptr;
  if (out->has_region) {
    CTCONV_RETURN_IF_ERROR(take_region(op.desc, region, &out->geometry, &out->x, &out->x_begin));
  }
  out->y_spec = output_spec(op.desc, out->geometry);
  return stage != Stage::kSpec ? check_output(op, *out, stage) : Status();
}

WorkCall work_of(const ctconv_op& op, const Call& call) {
  return {.problem = canonicalize(op.desc, call.geometry,
                                  {.x = &call.x,
                                   .w = call.weight_for(op),
                                   .y = call.has_y ? &call.y : nullptr,
                                   .bias = call.bias_for(op) != nullptr,
                                   .act = op.activation}),
          .x = call.x,
          .y = call.y,
          .weight = call.has_weight ? &call.weight : nullptr,
          .bias = call.has_bias ? &call.bias : nullptr,
          .workspace = call.workspace,
          .workspace_bytes = call.workspace_bytes,
          .stream = call.stream};
}

}  // namespace ctconv
