// SPDX-License-Identifier: Apache-2.0
// A CUDA module that needs no CUDA: host memory poses as device memory, plain loops as kernels.
//
//   in:  the table of cuda/module.h
//   out: what the problem record writes, as it defines it (sums in double, rounded once), passes in double, counts
//   Work counts as in flight from its enqueue until its stream is waited for or its plan destroyed: memory that is
//   freed or shared meanwhile is counted. Kernel "cudnn" is refused as a machine without cuDNN refuses it.
#include "tests/device/host_module.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/rig/cuda_record.h"

struct ctconv_cuda_plan {
  ctconv_cuda_problem problem;
  size_t packed = 0, scratch = 0;
  bool weights_per_call = false;
};

namespace {

struct Work {
  const ctconv_cuda_plan* plan = nullptr;  // null: a pass
  ctconv_cuda_call call{};
  ctconv_cuda_pass pass{};
  void* stream() const { return plan != nullptr ? call.stream : pass.stream; }
};

constexpr size_t kDeviceMemory = size_t{1} << 30;

HostModuleState g_state;
std::mutex g_mutex;
std::vector<Work> g_pending;
std::map<const void*, size_t> g_memory;
std::vector<const void*> g_enqueuing;  // workspaces

int32_t answer(ctconv_cuda_error* error, int32_t status, const std::string& text) {
  if (error != nullptr) {
    error->status = status;
    error->native_code = status == 0 ? 0 : 700;
    std::snprintf(error->message, sizeof error->message, "%s", text.c_str());
  }
  return status;
}
int32_t told(ctconv_cuda_error* error, int32_t status) {
  return answer(error, status, g_state.words != nullptr ? g_state.words : "the test wants this to fail");
}

size_t size_of(int32_t dtype) { return dtype == CTCONV_CUDA_F64 ? 8 : dtype == CTCONV_CUDA_F32 ? 4 : 2; }

int64_t weights_of(const ctconv_cuda_problem& p) {
  return p.groups * p.ci * p.co * p.axis[0].k * p.axis[1].k * p.axis[2].k;
}

// Strides of a dense weight, group outermost.
void dense(const ctconv_cuda_problem& p, int64_t (&strides)[6]) {
  const int64_t extents[6] = {p.groups, p.ci, p.co, p.axis[0].k, p.axis[1].k, p.axis[2].k};
  int64_t step = 1;
  for (int a = 6; a-- > 0;) {
    strides[a] = step;
    step *= extents[a];
  }
}

template <class F>
void each(const int64_t (&extents)[3], F&& f) {
  for (int64_t a = 0; a < extents[0]; ++a) {
    for (int64_t b = 0; b < extents[1]; ++b) {
      for (int64_t c = 0; c < extents[2]; ++c) f({a, b, c});
    }
  }
}

struct Point {
  int64_t d, h, w;
};

void pack(const ctconv_cuda_problem& p, const void* w, void* packed) {
  int64_t to[6];
  dense(p, to);
  const size_t element = size_of(p.dtype);
  const int64_t taps[3] = {p.axis[0].k, p.axis[1].k, p.axis[2].k}, channels[3] = {p.groups, p.ci, p.co};
  each(channels, [&](Point c) {
    each(taps, [&](Point t) {
      const int64_t index[6] = {c.d, c.h, c.w, t.d, t.h, t.w};
      int64_t source = 0, target = 0;
      for (int a = 0; a < 6; ++a) {
        source += index[a] * p.w[a];
        target += index[a] * to[a];
      }
      std::memcpy(static_cast<char*>(packed) + target * static_cast<int64_t>(element),
                  static_cast<const char*>(w) + source * static_cast<int64_t>(element), element);
    });
  });
}

// dx, or dw and db.
void compute_gradient(const ctconv_cuda_problem& p, const ctconv::Problem& q, const ctconv_cuda_call& call,
                      const void* w) {
  using namespace ctconv;
  rig::Definition definition(q, {.x = call.x, .w = w, .y = call.y});
  void* const out = q.written == Written::kX ? call.x : call.w;
  const bool alone = p.written == CTCONV_CUDA_WRITES_BIAS;
  if (!alone) {
    rig::each_element(q, q.written, [&](const rig::Element& e) {
      rig::store(out, rig::type_of(q, q.written), rig::place_of(q, q.written, e), definition.finished<double>(e));
    });
  }
  for (int64_t c = 0; c < rig::written_biases(q); ++c) {
    rig::store(call.bias, accumulator_of(q.types.x), c, definition.finished_bias<double>(c));
  }
}

double slope(const ctconv_cuda_pass& p, double y) {
  using Kind = ctconv::Activation::Kind;
  switch (static_cast<Kind>(p.activation)) {
    case Kind::kRelu:
      return y <= 0 ? 0 : 1;
    case Kind::kLeakyRelu:
      return y <= 0 ? p.alpha : 1;
    case Kind::kClip:
      return y <= p.alpha || y >= p.beta ? 0 : 1;
    case Kind::kTanh:
      return 1 - y * y;
    case Kind::kSigmoid:
      return y * (1 - y);
    case Kind::kNone:
      break;
  }
  return 1;
}

void compute_pass(const ctconv_cuda_pass& p) {
  using namespace ctconv;
  const auto type = static_cast<Dtype>(p.dtype), from = p.from_sums ? accumulator_of(type) : type;
  int64_t count = 1;
  for (int a = 0; a < p.rank; ++a) count *= p.extent[a];
  for (int64_t index = 0; index < count; ++index) {
    int64_t rest = index, at[3] = {0, 0, 0};
    for (int a = p.rank; a-- > 0;) {
      const int64_t k = rest % p.extent[a];
      rest /= p.extent[a];
      at[0] += k * p.to_stride[a];
      at[1] += k * p.from_stride[a];
      at[2] += k * p.with_stride[a];
    }
    double value = rig::load(p.from, from, at[1]);
    if (p.kind == CTCONV_CUDA_PASS_ADD) value += rig::load(p.to, type, at[0]);
    if (p.kind == CTCONV_CUDA_PASS_SLOPE) {
      const double factor = slope(p, rig::load(p.with, type, at[2]));
      value = factor == 0 ? 0 : value * factor;
    }
    rig::store(p.to, type, at[0], value);
  }
}

// What a test asks for may be any number.
size_t workspace_of(const ctconv_cuda_plan& p) {
  const size_t packed = p.weights_per_call ? p.packed : 0;
  return p.scratch > SIZE_MAX - packed ? SIZE_MAX : p.scratch + packed;
}

void compute(const ctconv_cuda_plan& plan, const ctconv_cuda_call& call) {
  const ctconv_cuda_problem& p = plan.problem;
  // Its content is meaningless, its memory what it says; in the order of the stream, as every write.
  if (const size_t bytes = workspace_of(plan)) std::memset(call.workspace, 0x5A, bytes);
  int64_t ws[6];
  std::copy(p.w, p.w + 6, ws);
  const void* w = call.w;
  if (plan.packed != 0) {
    dense(p, ws);
    w = call.packed;
    if (w == nullptr) {
      pack(p, call.w, call.workspace);
      w = call.workspace;
      if (g_state.slow) std::this_thread::yield();
    }
  }
  using namespace ctconv;
  Problem q = rig::problem_of(p);
  q.types.accumulator = Dtype::kF64;
  q.w = {ws[0], ws[1], ws[2], {ws[3], ws[4], ws[5]}};
  if (q.written != Written::kY) return compute_gradient(p, q, call, w);
  const std::vector<uint8_t> bias = rig::bias_of(p, call.bias, Dtype::kF64);
  rig::Definition definition(q, {.x = call.x, .w = w, .bias = bias.data()});
  Problem whole = q;
  for (Axis& a : whole.axis) a.o += a.tail;
  rig::each_element(whole, Written::kY, [&](const rig::Element& e) {
    const bool core = e.at[0] < q.axis[0].o && e.at[1] < q.axis[1].o && e.at[2] < q.axis[2].o;
    rig::store(call.y, q.types.y, rig::place_of(q, Written::kY, e), core ? definition.finished<double>(e) : 0);
  });
}

void compute(const Work& work) {
  if (work.plan != nullptr) {
    compute(*work.plan, work.call);
  } else {
    compute_pass(work.pass);
  }
}

// Under the lock: ends the pending work that `ends` names, and what its streams were given before it.
template <class F>
void wait_for(F&& ends) {
  std::map<const void*, size_t> end;  // of each stream
  for (size_t k = 0; k < g_pending.size(); ++k) {
    if (ends(g_pending[k])) end[g_pending[k].stream()] = k + 1;
  }
  std::vector<Work> left;
  for (size_t k = 0; k < g_pending.size(); ++k) {
    const Work& work = g_pending[k];
    if (k >= end[work.stream()]) {
      left.push_back(work);
    } else if (g_state.deferred) {
      compute(work);
    }
  }
  g_pending = std::move(left);
}

bool within(const void* p, const void* begin, size_t bytes) {
  const auto at = reinterpret_cast<uintptr_t>(p), from = reinterpret_cast<uintptr_t>(begin);
  return p != nullptr && at >= from && at < from + std::max<size_t>(bytes, 1);
}

int32_t check_device(int32_t ordinal, ctconv_cuda_error* error) {
  if (g_state.check_status != 0) return told(error, g_state.check_status);
  if (ordinal == 0) return 0;
  return answer(error, 6006, "device " + std::to_string(ordinal) + " asked, 1 visible");
}

int32_t device_text(int32_t ordinal, char* text, size_t capacity, ctconv_cuda_error*) {
  std::snprintf(text, capacity, "host memory %d", ordinal);
  return 0;
}

int32_t plan_create(int32_t ordinal, const ctconv_cuda_problem* problem, const ctconv_cuda_options* options,
                    ctconv_cuda_plan** plan, ctconv_cuda_error* error) {
  *plan = nullptr;
  if (g_state.plan_status != 0) return told(error, g_state.plan_status);
  const std::lock_guard lock(g_mutex);
  g_state.ordinal = ordinal;
  g_state.problem = *problem;
  g_state.options = *options;
  std::snprintf(g_state.kernel, sizeof g_state.kernel, "%s", options->kernel != nullptr ? options->kernel : "");
  if (options->kernel != nullptr && std::strcmp(options->kernel, "cudnn") == 0) {
    return answer(error, 6008, "libcudnn.so.9 not found");
  }
  auto made = std::make_unique<ctconv_cuda_plan>();
  made->problem = *problem;
  const bool reads_weights = problem->written <= CTCONV_CUDA_WRITES_X;
  made->packed =
      g_state.packs && reads_weights ? static_cast<size_t>(weights_of(*problem)) * size_of(problem->dtype) : 0;
  made->scratch = g_state.scratch_bytes;
  made->weights_per_call = options->weights_per_call != 0;
  if (workspace_of(*made) > options->workspace_limit) made->packed = made->scratch = 0;  // slower, within the limit
  *plan = made.release();
  ++g_state.plans_made;
  ++g_state.plans_live;
  return 0;
}

size_t plan_workspace(const ctconv_cuda_plan* plan) { return workspace_of(*plan); }
size_t plan_packed_bytes(const ctconv_cuda_plan* plan) { return plan->packed; }
const char* plan_packing(const ctconv_cuda_plan* plan) { return plan->packed != 0 ? "taps-last" : "raw"; }

int32_t plan_pack(const ctconv_cuda_plan* plan, const void* w, void* packed, void*, ctconv_cuda_error* error) {
  if (g_state.pack_status != 0) return told(error, g_state.pack_status);
  ++g_state.packings;
  pack(plan->problem, w, packed);
  return 0;
}

int32_t plan_execute(const ctconv_cuda_plan* plan, const ctconv_cuda_call* call, ctconv_cuda_error* error) {
  if (g_state.execute_status != 0) return told(error, g_state.execute_status);
  const size_t need = workspace_of(*plan);
  {
    const std::lock_guard lock(g_mutex);
    ++g_state.executions;
    g_state.call = *call;
    if (need != 0) {
      for (const Work& work : g_pending) {
        if (work.plan == nullptr || workspace_of(*work.plan) == 0) continue;
        const bool meets = within(call->workspace, work.call.workspace, workspace_of(*work.plan));
        if (meets && work.call.stream != call->stream) ++g_state.shared;
      }
      g_state.shared += std::count(g_enqueuing.begin(), g_enqueuing.end(), call->workspace);
      g_enqueuing.push_back(call->workspace);
    }
    g_pending.push_back({plan, *call, {}});
  }
  if (!g_state.deferred) compute(*plan, *call);
  if (need != 0) {
    const std::lock_guard lock(g_mutex);
    g_enqueuing.erase(std::find(g_enqueuing.begin(), g_enqueuing.end(), call->workspace));
  }
  return 0;
}

size_t plan_describe(const ctconv_cuda_plan* plan, char* text, size_t capacity) {
  const std::string s =
      "kernel: host\nform: plain loops\nbits: machine\nwhy: fastest estimated: host 0.25 ms\nestimated_us: 250\n"
      "weights: " +
      std::string(plan_packing(plan)) + "\nworkspace_bytes: " + std::to_string(workspace_of(*plan)) +
      "\ndevice.constants: data sheet (a host has none)\nrefused.cell: too many channels\nrefused.cudnn: libcudnn.so.9 "
      "not found\n";
  if (text != nullptr && capacity != 0) std::snprintf(text, capacity, "%s", s.c_str());
  return s.size() + 1;
}

int32_t plan_export(const ctconv_cuda_plan* plan, char* text, size_t capacity, size_t* needed, ctconv_cuda_error*) {
  *needed = plan_describe(plan, text, capacity);
  return 0;
}

void plan_destroy(ctconv_cuda_plan* plan) {
  if (plan == nullptr) return;
  const std::lock_guard lock(g_mutex);
  wait_for([plan](const Work& work) { return work.plan == plan; });
  --g_state.plans_live;
  delete plan;
}

int32_t memory_alloc(int32_t, size_t bytes, void** memory, ctconv_cuda_error* error) {
  *memory = nullptr;
  if (g_state.alloc_status != 0) return told(error, g_state.alloc_status);
  if (bytes > kDeviceMemory) return answer(error, 5001, "this device has 1 GiB");
  *memory = std::malloc(std::max<size_t>(bytes, 1));
  const std::lock_guard lock(g_mutex);
  g_memory[*memory] = bytes;
  ++g_state.allocations;
  ++g_state.buffers_live;
  g_state.bytes_live += static_cast<int64_t>(bytes);
  return 0;
}

void memory_free(int32_t, void* memory) {
  if (memory == nullptr) return;
  const std::lock_guard lock(g_mutex);
  const size_t bytes = g_memory.at(memory);
  const auto uses = [&](const Work& work) {
    const ctconv_cuda_call& c = work.call;
    const ctconv_cuda_pass& p = work.pass;
    const void* used[] = {c.x, c.w, c.packed, c.bias, c.y, c.workspace, p.to, p.from, p.with};
    return std::any_of(std::begin(used), std::end(used), [&](const void* u) { return within(u, memory, bytes); });
  };
  g_state.waiting_frees += std::any_of(g_pending.begin(), g_pending.end(), uses);
  wait_for(uses);
  g_memory.erase(memory);
  --g_state.buffers_live;
  g_state.bytes_live -= static_cast<int64_t>(bytes);
  std::free(memory);
}

int32_t memory_copy(int32_t, void* to, const void* from, size_t bytes, ctconv_cuda_error* error) {
  if (g_state.copy_status != 0) return told(error, g_state.copy_status);
  ++g_state.copies;
  if (bytes != 0) std::memcpy(to, from, bytes);
  return 0;
}

int32_t pointer_device(const void*, int32_t* kind, int32_t* ordinal, ctconv_cuda_error* error) {
  if (g_state.locate_status != 0) return told(error, g_state.locate_status);
  *kind = g_state.pointer_kind;
  *ordinal = g_state.pointer_ordinal;
  return 0;
}

int32_t synchronize(int32_t, void* stream, ctconv_cuda_error* error) {
  if (g_state.synchronise_status != 0) return told(error, g_state.synchronise_status);
  const std::lock_guard lock(g_mutex);
  ++g_state.synchronisations;
  wait_for([stream](const Work& work) { return work.stream() == stream; });
  return 0;
}

int32_t pass(int32_t, const ctconv_cuda_pass* given, ctconv_cuda_error* error) {
  if (g_state.pass_status != 0) return told(error, g_state.pass_status);
  const std::lock_guard lock(g_mutex);
  ++g_state.passes;
  g_state.pass = *given;
  g_pending.push_back({nullptr, {}, *given});
  if (!g_state.deferred) compute_pass(*given);
  return 0;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) HostModuleState* ctconv_host_module_state() { return &g_state; }

extern "C" __attribute__((visibility("default"))) int32_t ctconv_cuda_module_init(uint32_t abi, size_t bytes,
                                                                                  ctconv_cuda_table* table) {
  table->abi = CTCONV_CUDA_ABI;
  if (abi != CTCONV_CUDA_ABI || bytes != sizeof(*table)) return 6002;
  *table = {CTCONV_CUDA_ABI, 0,
            sizeof(*table),  check_device,
            device_text,     plan_create,
            plan_workspace,  plan_packed_bytes,
            plan_packing,    plan_pack,
            plan_execute,    plan_describe,
            plan_export,     plan_destroy,
            memory_alloc,    memory_free,
            memory_copy,     pointer_device,
            synchronize,     pass};
  return 0;
}
