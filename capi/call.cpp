// Reading and judging one call; see call.h.
#include "capi/call.h"

#include "capi/engines.h"
#include "src/base/overlap.h"
#include "src/base/show.h"

namespace ctconv {
namespace {

Status check_device(const ctconv_op& op, const TensorView& t, const char* name) {
  const bool fits = op.options.cuda
                        ? (t.device_type == CTCONV_DEVICE_CUDA || t.device_type == CTCONV_DEVICE_CUDA_MANAGED) &&
                              (t.device_type == CTCONV_DEVICE_CUDA_MANAGED || t.device_id == op.options.ordinal)
                        : on_host(t);
  if (fits) return {};
  return argument_error(Code::MISUSE_TENSOR_DEVICE, name,
                        "device type " + std::to_string(t.device_type) + ", id " + std::to_string(t.device_id),
                        op.options.device, "lies on another device than the op");
}

Status read_operand(const ctconv_op& op, const ctconv_tensor* given, const char* name, bool needs_data,
                    TensorView* out) {
  CTCONV_RETURN_IF_ERROR(read_tensor(*given, name, needs_data, out));
  if (out->data == nullptr && !needs_data) return {};  // a shape only: it lies nowhere
  return check_device(op, *out, name);
}

bool intersects(const TensorView& a, const Span& sa, const void* b, const Span& sb) {
  const auto pa = reinterpret_cast<uintptr_t>(a.data), pb = reinterpret_cast<uintptr_t>(b);
  const auto at = [](uintptr_t p, int64_t offset) { return p + static_cast<uintptr_t>(offset); };
  return at(pa, sa.lo) < at(pb, sb.hi) && at(pb, sb.lo) < at(pa, sa.hi);
}

Status overlap(const char* other) {
  return Status(Status::Detail{.code = Code::MISUSE_Y_OVERLAP,
                               .argument = "y",
                               .value = std::string("memory of ") + other,
                               .range = "memory of its own",
                               .message = std::string("y shares memory with ") + other});
}

}  // namespace

Status read_call(const ctconv_op& op, const ctconv_call* given, Stage stage, Call* out) {
  if (given == nullptr) return null_argument("call");
  ctconv_call in;
  CTCONV_RETURN_IF_ERROR(read_record(given, "ctconv_call", kFirstCall, &in));
  const bool run = stage == Stage::kExecute;
  if (in.x == nullptr) return null_argument("call.x");
  if (run && in.y == nullptr) return null_argument("call.y");
  CTCONV_RETURN_IF_ERROR(read_operand(op, in.x, "x", run, &out->x));
  out->has_y = in.y != nullptr;
  out->has_weight = in.weight != nullptr;
  out->has_bias = in.bias != nullptr;
  if (out->has_y) CTCONV_RETURN_IF_ERROR(read_operand(op, in.y, "y", run, &out->y));
  if (out->has_weight) CTCONV_RETURN_IF_ERROR(read_operand(op, in.weight, "weight", run, &out->weight));
  if (out->has_bias) CTCONV_RETURN_IF_ERROR(read_operand(op, in.bias, "bias", run, &out->bias));
  if ((out->has_weight && op.weight.there) || (out->has_bias && op.bias.there)) {
    return argument_error(Code::MISUSE_WEIGHT_TWICE, out->has_weight && op.weight.there ? "weight" : "bias", "a tensor",
                          "NULL", "was given at create already");
  }
  if (run && !out->has_weight && !op.weight.there) {
    return argument_error(Code::MISUSE_WEIGHT_MISSING, "weight", "NULL", "a tensor",
                          "was given neither at create nor with the call");
  }
  if (in.workspace == nullptr && in.workspace_bytes != 0) {
    return argument_error(Code::MISUSE_WORKSPACE, "workspace",
                          "NULL with " + std::to_string(in.workspace_bytes) + " bytes", "NULL with 0 bytes",
                          "contradicts itself");
  }
  if (!op.options.cuda && in.stream != nullptr) {
    return argument_error(Code::MISUSE_STREAM, "stream", "a stream", "NULL", "has no meaning for an op on the CPU");
  }
  out->workspace = in.workspace;
  out->workspace_bytes = in.workspace_bytes;
  out->stream = in.stream;

  RequestedSize size;
  if (in.output_size != nullptr) {
    std::array<std::byte, 4096> stack;
    std::pmr::monotonic_buffer_resource memory(stack.data(), stack.size());
    Value value(&memory);
    CTCONV_RETURN_IF_ERROR(read_value(*in.output_size, "output_size", &value));
    if (!op.desc.output_size_in_call) {
      return argument_error(Code::TYPE_ARGUMENT_NAME, op.desc.spelling.output_size, value.show(),
                            "no argument but the input", "is no argument of a call of " + op.desc.dialect);
    }
    size = read_output_size(op.desc, value, out->x.ndim);
  }
  const TensorView* w = out->has_weight ? &out->weight : op.weight.there ? &op.weight.view : nullptr;
  const TensorView* b = out->has_bias ? &out->bias : op.bias.there ? &op.bias.view : nullptr;
  auto geometry = judge_call(op.desc, {.x = &out->x,
                                       .w = w,
                                       .b = b,
                                       .weights_judged = op.weight.there,
                                       .bias_judged = op.bias.there,
                                       .size = size.given ? &size : nullptr,
                                       .cuda = op.options.cuda});
  if (!geometry.ok()) return geometry.take_status();
  out->geometry = *geometry;
  out->y_spec = output_spec(op.desc, out->geometry);
  return {};
}

Status check_output(const ctconv_op& op, const Call& call, Stage stage) {
  if (!call.has_y) return {};
  const TensorSpec& want = call.y_spec;
  const std::span<const int64_t> shape(want.shape.data(), static_cast<size_t>(want.ndim));
  if (!(call.y.type == want.type)) {
    return argument_error(Code::MISUSE_Y_DTYPE, "y", name_of(call.y.type), name_of(want.type),
                          "has another element type than the output");
  }
  if (!std::equal(shape.begin(), shape.end(), call.y.dims().begin(), call.y.dims().end())) {
    return argument_error(Code::MISUSE_Y_SHAPE, "y", show_shape(call.y), show_shape(shape),
                          "has another shape than the output");
  }
  Span ys, other;
  CTCONV_RETURN_IF_ERROR(span_of(call.y, "y", &ys));
  CTCONV_RETURN_IF_ERROR(judge_self_overlap("y", call.y));
  if (stage != Stage::kExecute) return {};
  const std::pair<const char*, const TensorView*> inputs[] = {
      {"x", &call.x},
      {"weight", call.has_weight ? &call.weight : &op.weight.view},
      {"bias", call.has_bias ? &call.bias : &op.bias.view}};
  for (const auto& [name, view] : inputs) {
    if (view->data == nullptr) continue;
    CTCONV_RETURN_IF_ERROR(span_of(*view, name, &other));
    if (ys.dense && other.dense && intersects(call.y, ys, view->data, other)) return overlap(name);
  }
  if (call.workspace != nullptr && ys.dense) {
    const Span bytes{0, static_cast<int64_t>(std::min<size_t>(call.workspace_bytes, INT64_MAX)), true};
    if (intersects(call.y, ys, call.workspace, bytes)) return overlap("the workspace");
  }
  return {};
}

Problem problem_of(const ctconv_op& op, const Call& call) {
  const TensorView* w = call.has_weight ? &call.weight : op.weight.there ? &op.weight.view : nullptr;
  return canonicalize(op.desc, call.geometry,
                      {.x = &call.x,
                       .w = w,
                       .y = call.has_y ? &call.y : nullptr,
                       .bias = call.has_bias || op.bias.there,
                       .act = op.options.activation});
}

Result<std::shared_ptr<const Plan>> plan_of(const ctconv_op& op, const Call& call) {
  const Problem problem = problem_of(op, call);
  const bool per_call = !op.weight.there;
  if (auto held = op.plans.find(problem, per_call)) return held;
  PlanRequest request;
  request.engines = cpu_engines();
  request.reference = reference_engine();
  request.versions = engine_versions();
  request.engine = op.options.engine;
  request.context.threads = op.runner.workers();
  request.context.caller_runner = op.options.runner.has_value();
  request.context.reproducible = op.options.reproducible != 0;
  request.context.weights_per_call = per_call;
  request.context.workspace_limit = op.options.workspace_limit;
  request.measure = op.options.measure;
  request.bias_per_call = problem.bias && !op.bias.there;
  request.weight = per_call ? nullptr : op.weight.view.data;
  request.allocator = &op.options.allocator;
  request.runner = op.runner;
  request.store = &op.packed;
  auto plan = make_plan(problem, request);
  if (!plan.ok()) return plan.take_status();
  return op.plans.insert(std::move(*plan));
}

}  // namespace ctconv
