// SPDX-License-Identifier: Apache-2.0
// libctconv_ort.so: ONNX Runtime operators of domain "ctconv", loaded by register_custom_ops_library.
//
//   in:  RegisterCustomOps, called by the runtime with a session's options (settings.h)
//   out: the operator ConvTranspose, version 1, for float, float16, bfloat16 and double: X, W, optional B, one Y;
//        attributes and meaning of ONNX's own ConvTranspose, and activation (attributes.h)
//   Refuses a runtime older than 1.18. No exception leaves; every failure is a status with a sentence.
#include <climits>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "bindings/onnxruntime/kernel.h"
#include "bindings/onnxruntime/settings.h"

namespace ctconv_ort {
namespace {

constexpr int kTypes[] = {kFloat, kFloat16, kBfloat16, kDouble};
constexpr size_t kInputs = 3;

struct Registration;

// The runtime hands `table` back, which is the operator: nothing stands before it.
struct Operator {
  OrtCustomOp table;
  int type;
  const Registration *owner;
};

// Sessions point into it for as long as they live, so it is never released: one a set of settings.
struct Registration {
  Registration(const OrtApi *api, Settings given) : ort(api), settings(std::move(given)) {}
  const Ort ort;
  const Settings settings;
  OrtCustomOpDomain *domain = nullptr;
  Operator operators[std::size(kTypes)];
};

const Operator &operator_of(const OrtCustomOp *op) { return *reinterpret_cast<const Operator *>(op); }

template <typename Body>
OrtStatus *guarded(const Ort &ort, const Body &body) noexcept {
  try {
    return body();
  } catch (const std::exception &error) {
    return ort.create_status(kFail, error.what());
  } catch (...) {
    return ort.create_status(kFail, "ctconv: an unknown failure");
  }
}

OrtStatus *create_kernel(const OrtCustomOp *op, const OrtApi *, const OrtKernelInfo *info, void **kernel) noexcept {
  const Registration &owner = *operator_of(op).owner;
  *kernel = nullptr;
  return guarded(owner.ort, [&]() -> OrtStatus * {
    auto made = std::make_unique<std::pair<const Ort *, Kernel>>(std::piecewise_construct, std::make_tuple(&owner.ort),
                                                                 std::forward_as_tuple(owner.ort));
    OrtStatus *status = made->second.create(info, owner.settings);
    if (status == nullptr) *kernel = made.release();
    return status;
  });
}

using Held = std::pair<const Ort *, Kernel>;

OrtStatus *compute(void *kernel, OrtKernelContext *context) noexcept {
  const auto &held = *static_cast<const Held *>(kernel);
  return guarded(*held.first, [&] { return held.second.run(context); });
}

void destroy(void *kernel) noexcept { delete static_cast<Held *>(kernel); }

OrtCustomOp table() {
  OrtCustomOp op = {};
  op.version = kApiVersion;
  op.name = [](const OrtCustomOp *) { return "ConvTranspose"; };
  op.provider = [](const OrtCustomOp *) { return "CPUExecutionProvider"; };
  op.input_type = [](const OrtCustomOp *self, size_t) { return operator_of(self).type; };
  op.input_count = [](const OrtCustomOp *) { return kInputs; };
  op.output_type = [](const OrtCustomOp *self, size_t) { return operator_of(self).type; };
  op.output_count = [](const OrtCustomOp *) -> size_t { return 1; };
  op.input_kind = [](const OrtCustomOp *, size_t index) -> int { return index == 2 ? kOptional : kRequired; };
  op.output_kind = [](const OrtCustomOp *, size_t) -> int { return kRequired; };
  op.input_memory = [](const OrtCustomOp *, size_t) -> int { return kDefaultMemory; };
  op.variadic_inputs = op.variadic_outputs = [](const OrtCustomOp *) { return 1; };
  op.variadic_inputs_alike = op.variadic_outputs_alike = [](const OrtCustomOp *) { return 1; };
  op.create_kernel_v2 = create_kernel;
  op.compute_v2 = compute;
  op.destroy = destroy;
  op.first_version = [](const OrtCustomOp *) { return 1; };
  op.last_version = [](const OrtCustomOp *) { return INT_MAX; };
  return op;
}

OrtStatus *fill(Registration *one) {
  if (OrtStatus *status = one->ort.create_domain("ctconv", &one->domain)) return status;
  for (size_t i = 0; i < std::size(kTypes); ++i) {
    one->operators[i] = {table(), kTypes[i], one};
    if (OrtStatus *status = one->ort.domain_add(one->domain, &one->operators[i].table)) return status;
  }
  return nullptr;
}

OrtStatus *add(const OrtApi *api, OrtSessionOptions *options) {
  static std::mutex mutex;
  static auto *held = new std::map<std::pair<const OrtApi *, Settings>, std::unique_ptr<Registration>>;
  const Ort ort(api);
  Settings settings;
  if (OrtStatus *status = read_settings(ort, options, &settings)) return status;
  const std::lock_guard<std::mutex> lock(mutex);
  std::unique_ptr<Registration> &one = (*held)[{api, settings}];
  if (one == nullptr) {
    auto made = std::make_unique<Registration>(api, settings);
    if (OrtStatus *status = fill(made.get())) return status;
    one = std::move(made);
  }
  return ort.add_domain(options, one->domain);
}

}  // namespace
}  // namespace ctconv_ort

extern "C" __attribute__((visibility("default"))) OrtStatus *RegisterCustomOps(OrtSessionOptions *options,
                                                                               const OrtApiBase *base) {
  using namespace ctconv_ort;
  const OrtApi *api = base->get_api(kApiVersion);
  if (api == nullptr) {
    // The first place of the table has been create_status since the first release.
    const auto *table = reinterpret_cast<void *const *>(base->get_api(1));
    const auto say = reinterpret_cast<decltype(Ort::create_status)>(table[0]);
    return say(kNotImplemented, "ctconv: this operator library needs ONNX Runtime 1.18 or newer");
  }
  return guarded(Ort(api), [&] { return add(api, options); });
}
