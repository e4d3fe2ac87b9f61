// SPDX-License-Identifier: Apache-2.0
// Tensors of a stream, read and judged; see stream.h.
#include <string>

#include "capi/shared_memory.h"
#include "capi/stream.h"
#include "src/base/at.h"
#include "src/base/checked.h"
#include "src/base/overlap.h"
#include "src/base/show.h"
#include "src/problem/judge.h"

namespace ctconv {
namespace {

constexpr int64_t kMostInputs = int64_t{1} << 62;

Status judge_batch(const ctconv_stream& stream, const TensorView& t, const char* name) {
  const int64_t n = stream.state->plan().geometry().n;
  if (t.shape[0] == n) return {};
  return argument_error(Code::MISUSE_TENSOR, name, show_shape(t), "n = " + std::to_string(n),
                        "has another batch than the stream");
}

// As a call would judge x, but for its length: a portion may be too short for a call, or empty.
Status judge_portion(const ctconv_stream& stream, const TensorView& x) {
  const StreamRequest& request = stream.state->plan().request();
  const int axis = stream.state->axis();
  if (x.ndim == 3 && at(x.shape, axis) > 0) {
    auto geometry = judge_line(request, x);
    if (geometry.ok()) return {};
    if (geometry.status().code() != Code::SHAPE_OUTPUT_EMPTY) return geometry.take_status();
  }
  TensorView longer = x;
  if (x.ndim == 3) at(longer.shape, axis) = stream.state->plan().geometry().axis[0].in;
  auto geometry = judge_line(request, longer);
  return geometry.ok() ? Status() : geometry.take_status();
}

// Outputs of all inputs so far and `count` more fit 63 bits.
Status judge_length(const ctconv_stream& stream, int64_t count) {
  const Stream& state = *stream.state;
  const Checked outputs = (Checked(state.inputs()) + count) * state.plan().schedule().stride;
  if (outputs.ok() && outputs.value() < kMostInputs) return {};
  return argument_error(Code::MISUSE_TENSOR, "x", std::to_string(count) + " positions",
                        "fewer than 2^62 outputs in all", "makes the stream too long");
}

}  // namespace

Status read_pushed(const ctconv_stream& stream, const ctconv_tensor* x, TensorView* out) {
  if (x == nullptr) return null_argument("x");
  const Backend& backend = *stream.op->backend;
  CTCONV_RETURN_IF_ERROR(read_tensor(*x, "x", true, out));
  CTCONV_RETURN_IF_ERROR(backend.check_operand(*out, "x"));
  const Stream& state = *stream.state;
  CTCONV_RETURN_IF_ERROR(judge_portion(stream, *out));
  if (out->ndim != 3) {
    return argument_error(Code::SHAPE_INPUT_RANK, "x", show_shape(*out), "3 axes", "a stream's input has a batch axis");
  }
  CTCONV_RETURN_IF_ERROR(judge_batch(stream, *out, "x"));
  Span span;
  CTCONV_RETURN_IF_ERROR(span_of(*out, "x", &span));
  return judge_length(stream, at(out->shape, state.axis()));
}

Status read_outputs(const ctconv_stream& stream, const ctconv_tensor& y, int64_t written, const TensorView* x,
                    TensorView* out) {
  const StreamPlan& plan = stream.state->plan();
  CTCONV_RETURN_IF_ERROR(read_tensor(y, "y", written > 0, out));
  CTCONV_RETURN_IF_ERROR(stream.op->backend->check_operand(*out, "y"));
  if (!(out->type == plan.geometry().type)) {
    return argument_error(Code::MISUSE_Y_DTYPE, "y", name_of(out->type), name_of(plan.geometry().type),
                          "has another element type than the output");
  }
  const int axis = stream.state->axis(), channel = axis == 2 ? 1 : 2;
  const bool fits = out->ndim == 3 && out->shape[0] == plan.geometry().n &&
                    at(out->shape, channel) == plan.geometry().out_channels && at(out->shape, axis) >= written;
  if (!fits) {
    return argument_error(Code::MISUSE_Y_SHAPE, "y", show_shape(*out),
                          "n = " + std::to_string(plan.geometry().n) + ", " +
                              std::to_string(plan.geometry().out_channels) + " channels, at least " +
                              std::to_string(written) + " positions",
                          "has no room for the outputs");
  }
  Span span;
  CTCONV_RETURN_IF_ERROR(span_of(*out, "y", &span));
  CTCONV_RETURN_IF_ERROR(judge_self_overlap("y", *out));
  return x != nullptr && x->data != nullptr ? judge_shared({"y", *out, span}, "x", *x) : Status();
}

}  // namespace ctconv
