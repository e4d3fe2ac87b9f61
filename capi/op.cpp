// ctconv_create and ctconv_destroy.
//
//   order: records and pointers, the dialect's arguments, weight and bias, then device, threads and memory
#include "capi/op.h"

#include <cstring>

#include "capi/engines.h"
#include "capi/gpu.h"
#include "src/base/checked.h"
#include "src/plan/plan.h"
#include "src/problem/judge.h"

using namespace ctconv;

ctconv_op::ctconv_op(Descriptor d, Options o)
    : desc(std::move(d)), options(std::move(o)), plans(static_cast<size_t>(options.plan_limit)) {}
ctconv_op::~ctconv_op() = default;

namespace {

Status check_host(const TensorView& t, const char* name) {
  if (on_host(t)) return {};
  return argument_error(Code::MISUSE_TENSOR_DEVICE, name, "device type " + std::to_string(t.device_type),
                        "host memory (1, or 3 pinned)", "lies on another device than the op");
}

constexpr int64_t kCopyPiece = int64_t{1} << 20;

// A dense row-major copy, or the view itself where the caller lends it.
Status keep(const TensorView& given, const char* name, const Options& options, const Runner& runner, OwnTensor* own) {
  const Checked bytes = Checked(count_of(given)) * bytes_of(given.type);
  Span span;
  CTCONV_RETURN_IF_ERROR(span_of(given, name, &span));
  if (!bytes.ok() || count_of(given) == INT64_MAX) {
    return argument_error(Code::SHAPE_OUTPUT_OVERFLOW, name, std::to_string(count_of(given)) + " elements",
                          "byte counts below 2^63", "is too large");
  }
  own->view = given;
  own->there = true;
  if (options.borrow_weights) return {};
  own->copy = Buffer(options.allocator, static_cast<size_t>(bytes.value()));
  if (!own->copy.ok())
    return Status(Code::NO_MEMORY,
                  std::string(name) + ": could not allocate " + std::to_string(bytes.value()) + " bytes");
  lie_dense(&own->view, own->copy.data());
  const int64_t size = bytes.value(), pieces = size / kCopyPiece;
  if (pieces > 1 && given.strides == own->view.strides) {  // large and dense: most of the time goes into fresh pages
    const bool ok = runner(pieces, [&](int64_t i, int32_t) {
      const int64_t from = i * kCopyPiece, to = i + 1 == pieces ? size : from + kCopyPiece;
      std::memcpy(static_cast<char*>(own->copy.data()) + from, static_cast<const char*>(given.data) + from,
                  static_cast<size_t>(to - from));
    });
    if (ok) return {};
  }
  copy_dense(given, own->copy.data());
  return {};
}

Status keep_bias(ctconv_op* op) {
  if (!op->bias.there) return {};
  Dtype dtype;
  if (!to_dtype(op->bias.view.type, &dtype)) return Status(Code::INTERNAL, "bias element type slipped through");
  const int64_t count = count_of(op->bias.view);
  op->bias_values = Buffer(op->options.allocator, static_cast<size_t>(count) * size_of(accumulator_of(dtype)));
  if (!op->bias_values.ok()) return Status(Code::NO_MEMORY, "bias: no memory for " + std::to_string(count) + " values");
  convert_bias(dtype, op->bias.view.data, vector_stride(op->bias.view), count, op->bias_values.data());
  return {};
}

Status merge_activation(const Descriptor& desc, Options* options) {
  if (desc.activation.kind == CTCONV_ACTIVATION_NONE) return {};
  if (options->activation.kind != Epilogue::kNone) {
    return argument_error(Code::MISUSE_ACTIVATION, "activation", std::to_string(options->activation.kind), "0 (none)",
                          "is given in the options and in the arguments of " + desc.dialect);
  }
  options->activation = {static_cast<Epilogue::Kind>(desc.activation.kind), desc.activation.alpha,
                         desc.activation.beta};
  return {};
}

Status create(const ctconv_desc* desc, const ctconv_tensor* weight, const ctconv_tensor* bias,
              const ctconv_options* given, ctconv_op** out) {
  if (desc == nullptr) return null_argument("desc");
  if (out == nullptr) return null_argument("op");
  Options options;
  CTCONV_RETURN_IF_ERROR(read_options(given, &options));
  TensorView w, b;
  if (weight != nullptr) CTCONV_RETURN_IF_ERROR(read_tensor(*weight, "weight", true, &w));
  if (bias != nullptr) CTCONV_RETURN_IF_ERROR(read_tensor(*bias, "bias", true, &b));
  if (!options.cuda) {
    if (weight != nullptr) CTCONV_RETURN_IF_ERROR(check_host(w, "weight"));
    if (bias != nullptr) CTCONV_RETURN_IF_ERROR(check_host(b, "bias"));
  }

  auto descriptor = desc->interpret();
  if (!descriptor.ok()) return descriptor.take_status();
  CTCONV_RETURN_IF_ERROR(merge_activation(*descriptor, &options));
  CTCONV_RETURN_IF_ERROR(judge_weights(*descriptor, weight ? &w : nullptr, bias ? &b : nullptr, options.cuda));

  auto op = std::make_unique<ctconv_op>(std::move(*descriptor), std::move(options));
  if (op->options.cuda) {
    op->weight.there = weight != nullptr;
    op->weight.view = w;
    op->bias.there = bias != nullptr;
    op->bias.view = b;
    auto gpu = make_gpu_op(*op, weight ? &w : nullptr, bias ? &b : nullptr);
    if (!gpu.ok()) return gpu.take_status();
    op->gpu = std::move(*gpu);
    op->weight.view = op->gpu->weight();  // where they lie now: the caller's own memory may be anyone's later
    op->bias.view = op->gpu->bias();
    *out = op.release();
    return {};
  }
  const int32_t threads = op->options.threads;
  if (op->options.runner) {
    const ctconv_runner& r = *op->options.runner;
    op->runner = Runner(r.parallel_for, r.user, r.workers, threads);
  } else {
    const int32_t count = threads != 0 ? threads : allowed_cores();
    if (count > 1) op->pool = std::make_unique<PoolHold>();
    op->runner = pool_runner(count);
  }
  const Runner copier = op->pool ? op->runner : Runner();  // a caller's hook is not called before it has to be
  if (weight != nullptr) CTCONV_RETURN_IF_ERROR(keep(w, "weight", op->options, copier, &op->weight));
  if (bias != nullptr) CTCONV_RETURN_IF_ERROR(keep(b, "bias", op->options, copier, &op->bias));
  CTCONV_RETURN_IF_ERROR(keep_bias(op.get()));
  *out = op.release();
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
