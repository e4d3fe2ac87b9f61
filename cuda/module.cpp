// SPDX-License-Identifier: Apache-2.0
// The one export of libctconv_cuda.so and the functions of its table.
//
//   in:  plain records (module.h);   out: statuses;   nothing throws, aborts or prints
#include "cuda/module.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <new>

#include "cuda/constants.h"
#include "cuda/engine.h"
#include "cuda/exchange.h"
#include "cuda/kernels/gradient_launch.h"
#include "cuda/kernels/launch.h"
#include "cuda/pass_form.h"
#include "src/base/number.h"
#include "src/base/utf8.h"

struct ctconv_cuda_plan {
  ctconv_cuda_problem problem;  // as the rows see it: a data gradient exchanged
  bool exchanged = false;
  int64_t weight_shift = 0;  // bytes from the given weights to those of `problem`
  int64_t raw_shift = 0;     // and on to where a plan that takes them raw begins
  ctconv::cuda::DeviceModel device;
  std::string constants;                           // where the model's numbers come from
  std::unique_ptr<ctconv::cuda::DevicePlan> plan;  // null: nothing is written
  std::unique_ptr<ctconv::cuda::DevicePlan> bias;  // of a weight gradient with the bias beside it
  ctconv::cuda::Choice choice;
  std::string packing;
  size_t packed_bytes = 0, call_packed_bytes = 0, workspace = 0;
  mutable std::atomic<bool> used{false};
};

namespace ctconv::cuda {
namespace {

constexpr size_t kRound = 256;
size_t round_up(size_t bytes) { return (bytes + kRound - 1) / kRound * kRound; }

int32_t answer(const Status& status, ctconv_cuda_error* error) {
  if (status.ok()) return 0;
  const Status::Detail& d = status.detail();
  if (error) {
    error->status = static_cast<int32_t>(d.code);
    error->native_code = d.native_code;
    copy_text(d.message, error->message, sizeof(error->message));
  }
  return static_cast<int32_t>(d.code);
}

// Runs f, turning what standard containers may throw into statuses.
template <class F>
int32_t guarded(ctconv_cuda_error* error, F&& f) {
  try {
    return answer(f(), error);
  } catch (const std::bad_alloc&) {
    if (error) *error = {static_cast<int32_t>(Code::NO_MEMORY), 0, "host memory could not be allocated"};
    return static_cast<int32_t>(Code::NO_MEMORY);
  } catch (const std::exception&) {
    if (error) *error = {static_cast<int32_t>(Code::INTERNAL), 0, "a standard library call failed in the CUDA module"};
    return static_cast<int32_t>(Code::INTERNAL);
  }
}

// The bytes all of it needs, NUL included.
size_t hand_out(const std::string& text, char* to, size_t capacity) {
  if (to) copy_text(text, to, capacity);
  return text.size() + 1;
}

int32_t module_check_device(int32_t ordinal, ctconv_cuda_error* error) {
  return guarded(error, [&] { return cuda::check_device(ordinal); });
}

int32_t module_device_text(int32_t ordinal, char* text, size_t capacity, ctconv_cuda_error* error) {
  return guarded(error, [&]() -> Status {
    Result<std::string> t = cuda::device_text(ordinal);
    if (!t.ok()) return t.take_status();
    hand_out(*t, text, capacity);
    return {};
  });
}

bool nothing_written(const ctconv_cuda_problem& p) {
  if (p.written == CTCONV_CUDA_WRITES_W) return weight_elements(p) == 0;
  if (p.written == CTCONV_CUDA_WRITES_BIAS) return channels_out(p) == 0;
  int64_t e[5];
  extents_of(p, true, e);
  return std::any_of(e, e + 5, [](int64_t v) { return v == 0; });
}

// Bytes of the weight in the plan's own order; 0: taken as it lies.
size_t packed_of(const ctconv_cuda_problem& problem, const DevicePlan& plan) {
  if (raw_matches(problem, plan.packing())) return 0;
  return static_cast<size_t>(packed_elements(problem, plan.packing())) * element_bytes(problem.dtype);
}

// The forward problem that a data gradient is, and where its weights begin.
void exchange(ctconv_cuda_plan* plan) {
  if (plan->problem.written != CTCONV_CUDA_WRITES_X) return;
  plan->exchanged = true;
  plan->weight_shift = last_tap(plan->problem) * static_cast<int64_t>(element_bytes(plan->problem.dtype));
  plan->problem = exchanged(plan->problem);
}

// Bytes to the first element of a dense array that a plan takes as it lies.
int64_t raw_shift(const ctconv_cuda_problem& p, Packing packing) {
  if (packing == Packing::kRaw) return 0;
  PackParams pack;
  pack_form(p, packing, &pack);
  return pack.first * static_cast<int64_t>(element_bytes(p.dtype));
}

// Weights packed in every call count against the workspace limit: a plan that leaves room for them, else `direct`,
// which takes them as they lie.
Result<std::unique_ptr<DevicePlan>> choose_within(const Request& request, Choice* choice) {
  const ctconv_cuda_options& options = request.options;
  const size_t limit = options.workspace_limit;
  Result<std::unique_ptr<DevicePlan>> chosen = choose(request, choice);
  if (!chosen.ok() || !options.weights_per_call || limit == SIZE_MAX) return chosen;
  const size_t packed = round_up(packed_of(request.problem, **chosen));
  if (packed + (*chosen)->workspace() <= limit) return chosen;
  if (packed < limit) {
    Request smaller = request;
    smaller.workspace_limit = limit - packed;
    chosen = choose(smaller, choice);
    if (chosen.ok() && round_up(packed_of(request.problem, **chosen)) + (*chosen)->workspace() <= limit) return chosen;
  }
  ctconv_cuda_options direct = options;
  if (!options.kernel) direct.kernel = "direct";
  direct.saved_plan = nullptr;
  Choice last;
  chosen = choose({request.problem, direct, request.device, limit, {}, 1}, &last);
  if (chosen.ok() && packed_of(request.problem, **chosen) > limit) {
    return Status(Code::UNSUPPORTED_ENGINE, "weights packed in every call exceed the workspace limit");
  }
  choice->why = options.kernel ? last.why : "the only kernel within the workspace limit";
  return chosen;
}

// The sums of y beside a weight gradient: a launch of their own over the same workspace.
Status plan_bias(const Request& request, ctconv_cuda_plan* plan) {
  if (plan->problem.written != CTCONV_CUDA_WRITES_W || plan->problem.bias == CTCONV_CUDA_BIAS_NONE) return {};
  Result<Plans> made = kBiasSumsRow.plan(request);
  if (!made.ok()) return made.take_status();
  plan->bias = std::move(made->front());
  plan->workspace = std::max(plan->workspace, plan->bias->workspace());
  if (plan->workspace <= request.options.workspace_limit) return {};
  return Status(Code::UNSUPPORTED_ENGINE, "the sums of the bias gradient exceed the workspace limit");
}

Status create(int32_t ordinal, const ctconv_cuda_problem& problem, const ctconv_cuda_options& options,
              ctconv_cuda_plan** out) {
  CTCONV_RETURN_IF_ERROR(cuda::check_device(ordinal));
  const DeviceGuard guard(ordinal);
  CTCONV_RETURN_IF_ERROR(guard.status());
  auto plan = std::make_unique<ctconv_cuda_plan>();
  plan->problem = problem;
  exchange(plan.get());
  Result<const Constants*> constants = device_constants(ordinal);
  if (!constants.ok()) return constants.take_status();
  plan->device = (*constants)->model;
  plan->constants = (*constants)->text;
  plan->packing = name_of(Packing::kRaw);
  if (!nothing_written(plan->problem)) {
    const Request request{plan->problem, options, plan->device, options.workspace_limit, {}, 1};
    Result<std::unique_ptr<DevicePlan>> chosen = choose_within(request, &plan->choice);
    if (!chosen.ok()) return chosen.take_status();
    plan->plan = std::move(*chosen);
    plan->packed_bytes = packed_of(plan->problem, *plan->plan);
    if (plan->packed_bytes == 0) plan->raw_shift = raw_shift(plan->problem, plan->plan->packing());
    plan->call_packed_bytes = options.weights_per_call ? round_up(plan->packed_bytes) : 0;
    plan->workspace = plan->call_packed_bytes + plan->plan->workspace();
    if (plan->packed_bytes) plan->packing = name_of(plan->plan->packing()) + std::string(plan->exchanged ? "/x" : "");
    CTCONV_RETURN_IF_ERROR(plan_bias(request, plan.get()));
  }
  *out = plan.release();
  return {};
}

int32_t module_plan_create(int32_t ordinal, const ctconv_cuda_problem* problem, const ctconv_cuda_options* options,
                           ctconv_cuda_plan** plan, ctconv_cuda_error* error) {
  *plan = nullptr;
  return guarded(error, [&] { return create(ordinal, *problem, *options, plan); });
}

size_t module_plan_workspace(const ctconv_cuda_plan* plan) { return plan->workspace; }
size_t module_plan_packed_bytes(const ctconv_cuda_plan* plan) { return plan->packed_bytes; }
const char* module_plan_packing(const ctconv_cuda_plan* plan) { return plan->packing.c_str(); }

const void* shifted(const ctconv_cuda_plan& plan, const void* w) {
  return w ? static_cast<const unsigned char*>(w) + plan.weight_shift : nullptr;
}

const void* raw_weights(const ctconv_cuda_plan& plan, const void* w) {
  return w ? static_cast<const unsigned char*>(shifted(plan, w)) + plan.raw_shift : nullptr;
}

Status pack(const ctconv_cuda_plan& plan, const void* w, void* packed, cudaStream_t stream) {
  PackParams params;
  pack_form(plan.problem, plan.plan->packing(), &params);
  params.w = shifted(plan, w);
  params.packed = packed;
  return launched(launch_pack(static_cast<int32_t>(element_bytes(plan.problem.dtype)), params, stream), "pack");
}

int32_t module_plan_pack(const ctconv_cuda_plan* plan, const void* w, void* packed, void* stream,
                         ctconv_cuda_error* error) {
  if (plan->packed_bytes == 0) return 0;
  return guarded(error, [&]() -> Status {
    const DeviceGuard guard(plan->device.ordinal);
    CTCONV_RETURN_IF_ERROR(guard.status());
    plan->used.store(true, std::memory_order_relaxed);
    return pack(*plan, w, packed, static_cast<cudaStream_t>(stream));
  });
}

Status run_weights(const ctconv_cuda_plan& plan, const ctconv_cuda_call& call) {
  const DeviceCall run{call.x, call.w, call.bias, call.y, call.workspace, static_cast<cudaStream_t>(call.stream)};
  CTCONV_RETURN_IF_ERROR(plan.plan->run(run));
  return plan.bias ? plan.bias->run(run) : Status();
}

int32_t module_plan_execute(const ctconv_cuda_plan* plan, const ctconv_cuda_call* call, ctconv_cuda_error* error) {
  if (!plan->plan) return 0;
  return guarded(error, [&]() -> Status {
    const DeviceGuard guard(plan->device.ordinal);
    CTCONV_RETURN_IF_ERROR(guard.status());
    plan->used.store(true, std::memory_order_relaxed);
    const auto stream = static_cast<cudaStream_t>(call->stream);
    auto* workspace = static_cast<unsigned char*>(call->workspace);
    if (plan->problem.written == CTCONV_CUDA_WRITES_W) return run_weights(*plan, *call);
    const void* w = plan->packed_bytes == 0 ? raw_weights(*plan, call->w) : call->packed;
    if (!w && plan->packed_bytes != 0) {
      if (plan->call_packed_bytes == 0 || !call->w)
        return Status(Code::INTERNAL, "a call without packed weights on a plan that was made with them");
      CTCONV_RETURN_IF_ERROR(pack(*plan, call->w, workspace, stream));
      w = workspace;
    }
    void* bias = plan->problem.bias == CTCONV_CUDA_BIAS_NONE ? nullptr : call->bias;
    void* const own = workspace + plan->call_packed_bytes;
    if (plan->exchanged) return plan->plan->run({call->y, const_cast<void*>(w), nullptr, call->x, own, stream});
    return plan->plan->run({call->x, const_cast<void*>(w), bias, call->y, own, stream});
  });
}

// One line; cuDNN's own words may hold several.
std::string line(const std::string& key, std::string value) {
  std::replace(value.begin(), value.end(), '\n', ' ');
  return key + ": " + value + "\n";
}

std::string describe(const ctconv_cuda_plan& plan) {
  if (!plan.plan) {
    return line("kernel", "none") + line("form", "nothing is written") + line("bits", name_of(Bits::kReference)) +
           line("why", "there is nothing to compute");
  }
  std::string t = line("kernel", plan.plan->row());
  t += line("form", plan.plan->form());
  t += line("bits", name_of(bits_of(*plan.plan)));
  t += line("why", plan.choice.why);
  t += line("estimated_us", show_fixed(1e6 * expected_seconds(*plan.plan), 6));
  t += line("kernels_own_estimate_us", show_fixed(1e6 * plan.plan->seconds(), 6));  // tools/gpu/fit_choice.py
  t += line("weights", plan.packing);
  t += line("workspace_bytes", std::to_string(plan.workspace));
  t += line("device.constants", plan.constants);
  for (const auto& [row, reason] : plan.choice.refused) t += line("refused." + row, reason);
  return t;
}

size_t module_plan_describe(const ctconv_cuda_plan* plan, char* text, size_t capacity) {
  try {
    return hand_out(describe(*plan), text, capacity);
  } catch (const std::exception&) {
    return hand_out(std::string(), text, capacity);
  }
}

int32_t module_plan_export(const ctconv_cuda_plan* plan, char* text, size_t capacity, size_t* needed,
                           ctconv_cuda_error* error) {
  *needed = 0;
  return guarded(error, [&]() -> Status {
    if (!plan->plan) {
      *needed = hand_out("ctconv-cuda-plan 1 none\n", text, capacity);
      return {};
    }
    Result<std::string> own = plan->plan->save();
    if (!own.ok()) return own.take_status();
    *needed = hand_out("ctconv-cuda-plan 1 " + std::string(plan->plan->row()) + "\n" + *own, text, capacity);
    return {};
  });
}

void module_plan_destroy(ctconv_cuda_plan* plan) {
  if (!plan) return;
  if (plan->used.load(std::memory_order_relaxed)) {
    const DeviceGuard guard(plan->device.ordinal);
    if (guard.status().ok()) cudaDeviceSynchronize();
  }
  delete plan;
}

int32_t module_memory_alloc(int32_t ordinal, size_t bytes, void** memory, ctconv_cuda_error* error) {
  *memory = nullptr;
  return guarded(error, [&]() -> Status {
    const DeviceGuard guard(ordinal);
    CTCONV_RETURN_IF_ERROR(guard.status());
    const cudaError_t e = cudaMalloc(memory, std::max<size_t>(bytes, 1));
    if (e == cudaSuccess) return {};
    cudaGetLastError();
    *memory = nullptr;
    return cuda_error(e, ("allocating " + std::to_string(bytes) + " bytes").c_str());
  });
}

void module_memory_free(int32_t ordinal, void* memory) {
  if (!memory) return;
  const DeviceGuard guard(ordinal);
  if (!guard.status().ok()) return;
  cudaDeviceSynchronize();  // cudaFree waits as well, today; the table promises it
  cudaFree(memory);
}

int32_t module_memory_copy(int32_t ordinal, void* to, const void* from, size_t bytes, ctconv_cuda_error* error) {
  if (bytes == 0) return 0;
  return guarded(error, [&]() -> Status {
    const DeviceGuard guard(ordinal);
    CTCONV_RETURN_IF_ERROR(guard.status());
    cudaError_t e = cudaMemcpy(to, from, bytes, cudaMemcpyDefault);
    if (e == cudaSuccess) e = cudaStreamSynchronize(nullptr);  // a device-to-device copy returns early
    return e == cudaSuccess ? Status() : cuda_error(e, "copying memory");
  });
}

int32_t module_pointer_device(const void* pointer, int32_t* kind, int32_t* ordinal, ctconv_cuda_error* error) {
  *kind = CTCONV_CUDA_NOT_A_DEVICE_POINTER;
  *ordinal = -1;
  return guarded(error, [&]() -> Status {
    cudaPointerAttributes attributes{};
    const cudaError_t e = cudaPointerGetAttributes(&attributes, pointer);
    if (e == cudaErrorInvalidValue) {
      cudaGetLastError();
      return {};
    }
    if (e != cudaSuccess) return cuda_error(e, "looking up a pointer");
    if (attributes.type == cudaMemoryTypeDevice) {
      *kind = CTCONV_CUDA_DEVICE_POINTER;
      *ordinal = attributes.device;
    }
    if (attributes.type == cudaMemoryTypeManaged) {
      *kind = CTCONV_CUDA_MANAGED_POINTER;
      *ordinal = attributes.device;
    }
    return {};
  });
}

int32_t module_synchronize(int32_t ordinal, void* stream, ctconv_cuda_error* error) {
  return guarded(error, [&]() -> Status {
    const DeviceGuard guard(ordinal);
    CTCONV_RETURN_IF_ERROR(guard.status());
    const cudaError_t e = cudaStreamSynchronize(static_cast<cudaStream_t>(stream));
    return e == cudaSuccess ? Status() : cuda_error(e, "waiting for a stream");
  });
}

int32_t module_pass(int32_t ordinal, const ctconv_cuda_pass* pass, ctconv_cuda_error* error) {
  return guarded(error, [&]() -> Status {
    const DeviceGuard guard(ordinal);
    CTCONV_RETURN_IF_ERROR(guard.status());
    PassParams p;
    pass_form(*pass, &p);
    return launched(launch_pass(pass->dtype, p, static_cast<cudaStream_t>(pass->stream)), "pass");
  });
}

}  // namespace
}  // namespace ctconv::cuda

extern "C" __attribute__((visibility("default"))) int32_t ctconv_cuda_module_init(uint32_t abi, size_t table_bytes,
                                                                                  ctconv_cuda_table* table) {
  if (!table) return static_cast<int32_t>(ctconv::Code::MISUSE_NULL);
  if (table_bytes >= sizeof(uint32_t)) table->abi = CTCONV_CUDA_ABI;
  if (abi != CTCONV_CUDA_ABI || table_bytes != sizeof(ctconv_cuda_table))
    return static_cast<int32_t>(ctconv::Code::DEVICE_MODULE_ABI);
  using namespace ctconv::cuda;
  *table = {CTCONV_CUDA_ABI,           0,
            sizeof(ctconv_cuda_table), module_check_device,
            module_device_text,        module_plan_create,
            module_plan_workspace,     module_plan_packed_bytes,
            module_plan_packing,       module_plan_pack,
            module_plan_execute,       module_plan_describe,
            module_plan_export,        module_plan_destroy,
            module_memory_alloc,       module_memory_free,
            module_memory_copy,        module_pointer_device,
            module_synchronize,        module_pass};
  return 0;
}
