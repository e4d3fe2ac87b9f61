// SPDX-License-Identifier: Apache-2.0
// Reading one backward call; see grads.h.
#include "capi/grads.h"

#include <string>

#include "capi/records.h"
#include "capi/region.h"
#include "capi/requests.h"
#include "src/base/number.h"
#include "src/problem/canonicalize.h"

namespace ctconv {
namespace {

struct Slot {
  const ctconv_tensor* given;
  const char* name;
  bool needs_data;
  TensorView* view;
  bool* has;  // null: required
};

Status read_slot(const Backend& backend, const Slot& slot) {
  if (slot.has != nullptr) *slot.has = slot.given != nullptr;
  if (slot.given == nullptr) {
    return slot.has != nullptr ? Status() : null_argument((std::string("grads.") + slot.name).c_str());
  }
  CTCONV_RETURN_IF_ERROR(read_tensor(*slot.given, slot.name, slot.needs_data, slot.view));
  if (slot.view->data == nullptr && !slot.needs_data) return {};  // a shape only: it lies nowhere
  return backend.check_operand(*slot.view, slot.name);
}

Status read_tensors(const ctconv_op& op, const ctconv_grads& in, bool run, Grads* out) {
  const bool acts = op.activation.kind != Activation::kNone;
  const Slot slots[] = {
      {in.dy, "dy", run, &out->dy, nullptr},
      {in.x, "x", run && in.dw != nullptr, &out->x, &out->has_x},
      {in.y, "y", run && acts, &out->y, &out->has_y},
      {in.weight, "weight", run && in.dx != nullptr, &out->weight, &out->has_weight},
      {in.dx, "dx", run, &out->dx, &out->want_dx},
      {in.dw, "dw", run, &out->dw, &out->want_dw},
      {in.db, "db", run, &out->db, &out->want_db},
  };
  for (const Slot& slot : slots) CTCONV_RETURN_IF_ERROR(read_slot(*op.backend, slot));
  return {};
}

Status missing(const char* name, const char* reason) {
  return argument_error(Code::MISUSE_NULL, name, "NULL", "a tensor", reason);
}

// What each wanted gradient is made of.
Status check_present(const ctconv_op& op, const Grads& g) {
  if (!g.want_dx && !g.want_dw && !g.want_db) {
    return argument_error(Code::MISUSE_NULL, "grads", "dx, dw and db all NULL", "at least one tensor",
                          "asks for no gradient");
  }
  if (g.want_dw && !g.has_x) return missing("grads.x", "is needed for dw");
  if (!g.has_x && !g.want_dx) return missing("grads.x", "is needed for its shape (its data may be NULL)");
  const bool own = op.backend->weight() != nullptr;
  if (g.has_weight && own) {
    return argument_error(Code::MISUSE_WEIGHT_TWICE, "weight", "a tensor", "NULL", "was given at create already");
  }
  if (g.want_dx && !g.has_weight && !own) {
    return argument_error(Code::MISUSE_WEIGHT_MISSING, "weight", "NULL", "a tensor",
                          "was given neither at create nor with the call, and dx is made of it");
  }
  if (op.activation.kind == Activation::kNone) return {};
  if (!g.has_y) return missing("grads.y", "is needed: the activation's slope follows from it");
  if (slope_from_result(op.activation)) return {};
  return argument_error(Code::MISUSE_ACTIVATION, "activation_alpha", show_general(op.activation.alpha, 6), ">= 0",
                        "of a leaky relu: below 0 the sign of y no longer tells the slope");
}

Status read_flags(const ctconv_grads& in, Grads* out) {
  if (in.accumulate != 0 && in.accumulate != 1) {
    return argument_error(Code::MISUSE_OPTION, "accumulate", std::to_string(in.accumulate), "0 or 1",
                          "is no such choice");
  }
  if (in.reserved != 0) return unknown_field("ctconv_grads");
  out->accumulate = in.accumulate == 1;
  return {};
}

}  // namespace

Status read_grads(const ctconv_op& op, const ctconv_grads* given, bool run, Grads* out) {
  if (given == nullptr) return null_argument("grads");
  ctconv_grads in;
  CTCONV_RETURN_IF_ERROR(read_record(given, "ctconv_grads", kFirstGrads, &in));
  CTCONV_RETURN_IF_ERROR(read_flags(in, out));
  CTCONV_RETURN_IF_ERROR(read_tensors(op, in, run, out));
  CTCONV_RETURN_IF_ERROR(check_present(op, *out));
  CTCONV_RETURN_IF_ERROR(check_resources(*op.backend, in.workspace, in.workspace_bytes, in.stream));
  out->workspace = in.workspace;
  out->workspace_bytes = in.workspace_bytes;
  out->stream = in.stream;
  RequestedSize size;
  if (in.output_size != nullptr) {
    CTCONV_RETURN_IF_ERROR(read_size(op.desc, *in.output_size, out->x_shape().ndim, &size));
  }
  out->dw_shape = out->dw;
  if (keeps_sums(out->dw.type, out->x_shape().type)) out->dw_shape.type = out->x_shape().type;
  const RegionGiven region = region_given(in);
  if (region.begin != nullptr && !out->has_x)
    return missing("grads.x", "is needed for a region (its data may be NULL)");
  TensorView whole;
  CTCONV_RETURN_IF_ERROR(whole_x(op.desc, region, out->x_shape(), &whole));
  auto geometry = judge_call(op.desc, {.x = &whole,
                                       .w = out->weight_shape(op),
                                       .weights_judged = op.backend->weight() != nullptr,
                                       .size = size.given ? &size : nullptr,
                                       .cuda = op.backend->takes_cuda_types()});
  if (!geometry.ok()) return geometry.take_status();
  out->geometry = *geometry;
  std::array<int64_t, 3> x_begin{};
  out->has_region = region.begin != nullptr;
  if (out->has_region) {
    CTCONV_RETURN_IF_ERROR(take_region(op.desc, region, &out->geometry, &out->x, &x_begin));
  }
  return check_grads(op, *out, run);
}

namespace {

// A dense row-major tensor of the same shape: what a temporary in the workspace looks like.
TensorView dense_like(const TensorView& t) {
  TensorView dense = t;
  lie_dense(&dense, nullptr);
  return dense;
}

}  // namespace

GradientCall work_of(const ctconv_op& op, const Grads& g) {
  GradientCall call{.dy = g.dy,
                    .x = g.has_x ? &g.x : nullptr,
                    .y = g.has_y ? &g.y : nullptr,
                    .w = g.has_weight ? &g.weight : nullptr,
                    .dx = g.want_dx ? &g.dx : nullptr,
                    .dw = g.want_dw ? &g.dw : nullptr,
                    .db = g.want_db ? &g.db : nullptr,
                    .activation = op.activation,
                    .accumulate = g.accumulate,
                    .workspace = g.workspace,
                    .workspace_bytes = g.workspace_bytes,
                    .stream = g.stream};
  // Temporaries stand between the sums and the tensors: g behind an activation, dx and dw where they are added to.
  const TensorView dy = op.activation.kind != Activation::kNone ? dense_like(g.dy) : g.dy;
  if (g.want_dx) {
    const TensorView dx = g.accumulate ? dense_like(g.dx) : g.dx;
    call.data = canonicalize(op.desc, g.geometry, {.x = &dx, .w = g.weight_shape(op), .y = &dy});
    call.data->written = Written::kX;
  }
  if (g.want_dw || g.want_db) {
    const TensorView* shape = g.want_dw ? &g.dw : g.weight_shape(op);
    const TensorView dw = shape != nullptr && g.accumulate ? dense_like(*shape)
                          : shape != nullptr               ? *shape
                                                           : TensorView();
    call.weight = canonicalize(op.desc, g.geometry,
                               {.x = &g.x_shape(), .w = shape != nullptr ? &dw : nullptr, .y = &dy, .bias = g.want_db});
    call.weight->written = Written::kW;
    if (g.want_dw) (void)to_dtype(g.dw.type, &call.weight->types.w);
  }
  return call;
}

}  // namespace ctconv
