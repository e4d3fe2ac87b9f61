// SPDX-License-Identifier: Apache-2.0
// A backward call's tensors: their types and shapes, that none meets itself, that no written one shares memory.
#include <algorithm>
#include <string>
#include <utility>

#include "capi/grads.h"
#include "capi/shared_memory.h"
#include "src/base/overlap.h"
#include "src/base/show.h"

namespace ctconv {
namespace {

Status alike(const char* name, const TensorView& t, ElementType type, std::span<const int64_t> shape, const char* what,
             bool sums = false) {
  if (!(t.type == type) && !(sums && keeps_sums(t.type, type))) {
    const bool wide = sums && keeps_sums(kSumsType, type);
    return argument_error(Code::MISUSE_Y_DTYPE, name, name_of(t.type), name_of(type) + (wide ? " or float32" : ""),
                          (std::string("has another element type than ") + what).c_str());
  }
  if (std::equal(shape.begin(), shape.end(), t.dims().begin(), t.dims().end())) return {};
  return argument_error(Code::MISUSE_Y_SHAPE, name, show_shape(t), show_shape(shape),
                        (std::string("has another shape than ") + what).c_str());
}

Status check_bias(const ctconv_op& op, const Grads& g) {
  if (op.backend->bias() != nullptr) {
    const TensorView& bias = *op.backend->bias();
    return alike("db", g.db, bias.type, bias.dims(), "the bias", true);
  }
  auto specs = weight_specs(op.desc, &g.x_shape());
  if (specs.ok() && specs->bias.ndim != 0) {
    return alike("db", g.db, g.geometry.type, specs->bias.dims(), "the bias", true);
  }
  if (specs.ok()) {
    return argument_error(Code::MISUSE_Y_SHAPE, "db", show_shape(g.db), "NULL", "is wanted of an op without a bias");
  }
  const int64_t channels[] = {g.geometry.out_channels};
  return alike("db", g.db, g.geometry.type, channels, "the bias", true);
}

// Of all pairs of a written tensor and another one.
Status check_memory(const ctconv_op& op, const Grads& g) {
  const std::pair<const char*, const TensorView*> all[] = {
      {"dx", g.want_dx ? &g.dx : nullptr},
      {"dw", g.want_dw ? &g.dw : nullptr},
      {"db", g.want_db ? &g.db : nullptr},
      {"dy", &g.dy},
      {"x", g.has_x ? &g.x : nullptr},
      {"y", g.has_y ? &g.y : nullptr},
      {"weight", g.has_weight ? &g.weight : op.backend->weight()},
  };
  constexpr size_t kWritten = 3;
  for (size_t a = 0; a < kWritten; ++a) {
    if (all[a].second == nullptr) continue;
    WrittenTensor written{all[a].first, *all[a].second, {}};
    CTCONV_RETURN_IF_ERROR(span_of(written.view, written.name, &written.span));
    for (size_t b = a + 1; b < std::size(all); ++b) {
      if (all[b].second == nullptr || all[b].second->data == nullptr) continue;
      CTCONV_RETURN_IF_ERROR(judge_shared(written, all[b].first, *all[b].second));
    }
    CTCONV_RETURN_IF_ERROR(judge_workspace(written, g.workspace, g.workspace_bytes));
  }
  return {};
}

}  // namespace

Status check_grads(const ctconv_op& op, const Grads& g, bool run) {
  const TensorSpec y = output_spec(op.desc, g.geometry);
  CTCONV_RETURN_IF_ERROR(alike("dy", g.dy, y.type, y.dims(), "the output"));
  if (g.has_y) CTCONV_RETURN_IF_ERROR(alike("y", g.y, y.type, y.dims(), "the output"));
  if (g.want_dx)
    CTCONV_RETURN_IF_ERROR(
        alike("dx", g.dx, g.x_shape().type, g.x_shape().dims(), g.has_region ? "the region's window of x" : "x"));
  if (g.want_dw) {
    const TensorView& w = *g.weight_shape(op);
    CTCONV_RETURN_IF_ERROR(alike("dw", g.dw, w.type, w.dims(), "the weight", true));
  }
  if (g.want_db) CTCONV_RETURN_IF_ERROR(check_bias(op, g));
  const std::pair<const char*, const TensorView*> views[] = {{"dy", &g.dy},
                                                             {"y", g.has_y ? &g.y : nullptr},
                                                             {"weight", g.has_weight ? &g.weight : nullptr},
                                                             {"dx", g.want_dx ? &g.dx : nullptr},
                                                             {"dw", g.want_dw ? &g.dw : nullptr},
                                                             {"db", g.want_db ? &g.db : nullptr}};
  for (const auto& [name, view] : views) {
    if (view == nullptr) continue;
    Span span;
    CTCONV_RETURN_IF_ERROR(span_of(*view, name, &span));
    if (view != &g.dy && view != &g.y && view != &g.weight) CTCONV_RETURN_IF_ERROR(judge_self_overlap(name, *view));
  }
  return run ? check_memory(op, g) : Status();
}

}  // namespace ctconv
