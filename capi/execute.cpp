// ctconv_output_spec, ctconv_prepare and ctconv_execute.
#include "capi/call.h"
#include "capi/gpu.h"

using namespace ctconv;

namespace {

Status execute(const ctconv_op &op, const ctconv_call *given) {
  Call call;
  CTCONV_RETURN_IF_ERROR(read_call(op, given, Stage::kExecute, &call));
  CTCONV_RETURN_IF_ERROR(check_output(op, call, Stage::kExecute));
  if (op.gpu) return op.gpu->execute(gpu_call(op, call));
  auto plan = plan_of(op, call);
  if (!plan.ok()) return plan.take_status();
  const Plan &p = **plan;
  const size_t need = p.workspace_bytes();
  if (call.workspace != nullptr && call.workspace_bytes < need) {
    return argument_error(Code::WORKSPACE_SIZE, "workspace_bytes", std::to_string(call.workspace_bytes),
                          ">= " + std::to_string(need), "is smaller than this plan needs");
  }
  Buffer own;
  if (call.workspace == nullptr && need > 0) {
    own = op.spare.take(need);
    if (own.data() == nullptr) own = Buffer(op.options.allocator, need);
    if (!own.ok()) return Status(Code::NO_MEMORY, "workspace: could not allocate " + std::to_string(need) + " bytes");
  }
  const RunMemory memory{.x = call.x.data,
                         .w = call.has_weight ? call.weight.data : op.weight.view.data,
                         .bias = call.has_bias   ? call.bias.data
                                 : op.bias.there ? op.bias_values.data()
                                                 : nullptr,
                         .bias_stride = call.has_bias ? vector_stride(call.bias) : 1,
                         .y = call.y.data,
                         .workspace = call.workspace != nullptr ? call.workspace : own.data()};
  Status status = run_plan(p, memory, op.runner);
  op.spare.give(std::move(own));
  return status;
}

}  // namespace

extern "C" {

ctconv_status ctconv_output_spec(const ctconv_op *op, const ctconv_call *call, ctconv_spec *y, ctconv_error *error) {
  if (y != nullptr) std::memset(y, 0, sizeof *y);
  return guarded(error, [&]() -> Status {
    if (op == nullptr) return null_argument("op");
    if (y == nullptr) return null_argument("y");
    Call judged;
    CTCONV_RETURN_IF_ERROR(read_call(*op, call, Stage::kSpec, &judged));
    write_spec(judged.y_spec, y);
    return {};
  });
}

ctconv_status ctconv_prepare(const ctconv_op *op, const ctconv_call *call, size_t *workspace_bytes,
                             ctconv_error *error) {
  if (workspace_bytes != nullptr) *workspace_bytes = 0;
  return guarded(error, [&]() -> Status {
    if (op == nullptr) return null_argument("op");
    if (workspace_bytes == nullptr) return null_argument("workspace_bytes");
    Call judged;
    CTCONV_RETURN_IF_ERROR(read_call(*op, call, Stage::kPrepare, &judged));
    CTCONV_RETURN_IF_ERROR(check_output(*op, judged, Stage::kPrepare));
    if (op->gpu) {
      auto bytes = op->gpu->workspace_bytes(gpu_call(*op, judged));
      if (!bytes.ok()) return bytes.take_status();
      *workspace_bytes = *bytes;
      return {};
    }
    auto plan = plan_of(*op, judged);
    if (!plan.ok()) return plan.take_status();
    *workspace_bytes = (*plan)->workspace_bytes();
    return {};
  });
}

ctconv_status ctconv_execute(const ctconv_op *op, const ctconv_call *call, ctconv_error *error) {
  return guarded(error, [&]() -> Status { return op != nullptr ? execute(*op, call) : null_argument("op"); });
}

}  // extern "C"
