// SPDX-License-Identifier: Apache-2.0
// Plans for one node in cuDNN's graph interface; see cudnn_graph.h.
#include "cuda/cudnn_graph.h"

#include <algorithm>
#include <array>

#include "cuda/cudnn_node.h"
#include "cuda/exchange.h"
#include "cuda/geometry.h"

namespace ctconv::cuda {
namespace {

// Engines known to answer wrongly although their notes do not say so. Filled from GPU runs; each row carries its
// evidence.
struct Denied {
  size_t first_version, last_version;
  int64_t engine;
  int32_t dtype;  // -1: all
};
constexpr std::array<Denied, 0> kDenied{};

// Engine configurations of one heuristic mode; none is an answer.
std::vector<Descriptor> configurations(const CudnnApi& api, const CudnnTarget& target, const Descriptor& graph,
                                       cudnnBackendHeurMode_t mode, std::string* reason) {
  Builder b(api);
  Descriptor h = b.make(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, "heuristics");
  b.set(h, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
  b.set(h, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
  if (!target.handle) b.set(h, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &target.device);
  b.finalize(h);
  int64_t count = 0;
  if (b.ok() && api.get(h.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &count, nullptr) !=
                    CUDNN_STATUS_SUCCESS)
    count = 0;
  std::vector<Descriptor> all;
  std::vector<cudnnBackendDescriptor_t> raw;
  for (int64_t e = 0; e < count && b.ok(); ++e) {
    all.push_back(b.make(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, "engine configuration"));
    raw.push_back(all.back().get());
  }
  int64_t filled = 0;
  if (b.ok() && count > 0 &&
      api.get(h.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, count, &filled, raw.data()) !=
          CUDNN_STATUS_SUCCESS) {
    filled = 0;
  }
  if (!b.ok()) *reason = b.error().detail().message;
  all.resize(static_cast<size_t>(std::max<int64_t>(0, std::min(filled, count))));
  return all;
}

struct EngineFacts {
  int64_t index = -1;
  std::vector<cudnnBackendNumericalNote_t> notes;
  std::vector<cudnnBackendBehaviorNote_t> behavior;
  bool has(cudnnBackendNumericalNote_t n) const { return std::find(notes.begin(), notes.end(), n) != notes.end(); }
  bool has(cudnnBackendBehaviorNote_t n) const {
    return std::find(behavior.begin(), behavior.end(), n) != behavior.end();
  }
};

bool engine_facts(const CudnnApi& api, const Descriptor& config, EngineFacts* facts) {
  Builder b(api);
  const Descriptor engine = b.make(CUDNN_BACKEND_ENGINE_DESCRIPTOR, "engine");
  cudnnBackendDescriptor_t raw = engine.get();
  int64_t count = 0;
  if (!b.ok() ||
      api.get(config.get(), CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &raw) !=
          CUDNN_STATUS_SUCCESS ||
      api.get(raw, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &count, &facts->index) !=
          CUDNN_STATUS_SUCCESS) {
    return false;
  }
  facts->notes.resize(CUDNN_NUMERICAL_NOTE_TYPE_COUNT + 16);
  if (api.get(raw, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
              static_cast<int64_t>(facts->notes.size()), &count, facts->notes.data()) != CUDNN_STATUS_SUCCESS)
    return false;
  facts->notes.resize(static_cast<size_t>(std::clamp<int64_t>(count, 0, static_cast<int64_t>(facts->notes.size()))));
  facts->behavior.resize(CUDNN_BEHAVIOR_NOTE_TYPE_COUNT + 16);
  if (api.get(raw, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE,
              static_cast<int64_t>(facts->behavior.size()), &count, facts->behavior.data()) != CUDNN_STATUS_SUCCESS)
    count = 0;
  facts->behavior.resize(
      static_cast<size_t>(std::clamp<int64_t>(count, 0, static_cast<int64_t>(facts->behavior.size()))));
  return true;
}

// Tensor cores know no f32: they round it.
bool rounds_operands(const ctconv_cuda_problem& p, const EngineFacts& f) {
  return p.dtype == CTCONV_CUDA_F32 &&
         (f.has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE) || f.has(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS));
}

// Why an engine may not run this; null: it may.
const char* denied(const CudnnApi& api, const ctconv_cuda_problem& p, const CudnnWishes& wishes, const EngineFacts& f) {
  if (f.has(CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION)) return "compiles at run time";
  if (f.has(CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION)) return "sums in reduced precision";
  const bool winograd = f.has(CUDNN_NUMERICAL_NOTE_WINOGRAD) || f.has(CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4) ||
                        f.has(CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6) ||
                        f.has(CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13);
  if (winograd || f.has(CUDNN_NUMERICAL_NOTE_FFT)) return "a transform, not direct sums";
  if (!wishes.allow_tf32 && rounds_operands(p, f)) return "TF32, which is not allowed";
  if (wishes.deterministic && f.has(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)) return "not deterministic";
  for (const Denied& row : kDenied) {
    if (row.engine == f.index && (row.dtype < 0 || row.dtype == p.dtype) && api.number >= row.first_version &&
        api.number <= row.last_version) {
      return "on the list of wrong engines";
    }
  }
  return nullptr;
}

}  // namespace

bool dgrad_box(const ctconv_cuda_problem& p, Box* box) {
  for (int a = 0; a < 3; ++a) {
    const DgradAxis axis = leaves_out(p) ? forward_axis(p.axis[a]) : dgrad_axis(p.axis[a]);
    box->lo[a] = axis.begin;
    box->hi[a] = axis.end;
    if (axis.empty()) {
      *box = {};
      return false;
    }
  }
  return true;
}

int64_t interior_offset(const ctconv_cuda_problem& p, const Box& box) {
  const int64_t(&s)[5] = leaves_out(p) ? p.x : p.y;
  return box.lo[0] * s[2] + box.lo[1] * s[3] + box.lo[2] * s[4];
}

Packing cudnn_packing(const ctconv_cuda_problem& p) {
  if (leaves_out(p)) return channels_last(p) ? Packing::kFilterLast : Packing::kFilterFirst;
  return channels_last(p) ? Packing::kTapsMiddle : Packing::kTapsLast;
}

std::string cudnn_refusal(const CudnnApi& api, const ctconv_cuda_problem& p) {
  for (const bool output : {false, true}) {
    int64_t e[5];
    extents_of(p, output, e);
    for (int a = 0; a < 5; ++a) {
      if (e[a] == 0) return output ? "y is empty" : "x is empty";
      if (e[a] > 1 && (output ? p.y : p.x)[a] <= 0) return output ? "y has a stride below 1" : "x has a stride below 1";
    }
  }
  if (p.wide_weights) return "weights kept in float32";
  const bool half = p.dtype == CTCONV_CUDA_F16 || p.dtype == CTCONV_CUDA_BF16;
  if (p.rank == 3 && half && api.number < kHalf3dCudnn) {
    return "3-D plans in f16 and bf16 are not trusted before cuDNN " + cudnn_version_text(kHalf3dCudnn);
  }
  Box box;
  if (!dgrad_box(p, &box)) return "no tap meets an output row";
  return {};
}

namespace {

struct Allowed {
  Descriptor config;
  EngineFacts facts;
};

// Engines that may run this, in cuDNN's order; the fallback list where the heuristics' own has none, or all are wanted.
std::vector<Allowed> allowed(const CudnnApi& api, const CudnnTarget& target, const ctconv_cuda_problem& p,
                             const CudnnWishes& wishes, const Graph& graph, int* listed, std::string* last) {
  std::vector<Allowed> found;
  for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    if (!found.empty() && wishes.most == 1 && !wishes.cost) break;
    for (Descriptor& config : configurations(api, target, graph.graph, mode, last)) {
      ++*listed;
      EngineFacts facts;
      if (!engine_facts(api, config, &facts)) continue;
      if (const char* reason = denied(api, p, wishes, facts)) {
        *last = "engine " + std::to_string(facts.index) + ": " + reason;
        continue;
      }
      found.push_back({std::move(config), std::move(facts)});
    }
  }
  return found;
}

// A finalized plan, or the reason there is none.
std::string build(const CudnnApi& api, const CudnnTarget& target, const CudnnWishes& wishes, const Allowed& engine,
                  CudnnPlanInfo* info) {
  Builder b(api);
  info->plan = b.make(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, "execution plan");
  if (target.handle) {
    b.set(info->plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &target.handle);
  } else {
    b.set(info->plan, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &target.device);
  }
  b.set(info->plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, engine.config);
  b.finalize(info->plan);
  if (!b.ok()) return b.error().detail().message;
  int64_t count = 0;
  if (api.get(info->plan.get(), CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &count,
              &info->workspace) != CUDNN_STATUS_SUCCESS) {
    return "no workspace size";
  }
  if (info->workspace > wishes.workspace_limit) {
    return "needs a workspace of " + std::to_string(info->workspace) + " bytes";
  }
  info->engine = engine.facts.index;
  info->tensor_core = engine.facts.has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE);
  info->nondeterministic = engine.facts.has(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC);
  return {};
}

}  // namespace

std::vector<size_t> order_of(const std::vector<double>& costs, double slowest) {
  std::vector<size_t> order, rest;
  for (size_t e = 0; e < costs.size(); ++e) (kLeap * costs[e] < costs[0] ? order : rest).push_back(e);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return costs[a] < costs[b]; });
  order.insert(order.end(), rest.begin(), rest.end());
  const auto slow = [&](size_t e) { return costs[e] > slowest; };
  if (!order.empty()) order.erase(std::remove_if(order.begin() + 1, order.end(), slow), order.end());
  return order;
}

Result<std::vector<CudnnPlanInfo>> cudnn_plans(const CudnnApi& api, const CudnnTarget& target,
                                               const ctconv_cuda_problem& p, const CudnnWishes& wishes) {
  Box box;
  dgrad_box(p, &box);
  Builder b(api);
  const Graph graph = build_graph(b, target, p, box, wishes.low_alignment);
  if (!b.ok()) return b.error();

  std::string last = "the heuristics list no engine";
  int listed = 0;
  const std::vector<Allowed> engines = allowed(api, target, p, wishes, graph, &listed, &last);
  std::vector<double> costs;
  costs.reserve(engines.size());
  for (const Allowed& engine : engines) {
    costs.push_back(wishes.cost ? wishes.cost(engine.facts.index, engine.facts.has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE))
                                : 0);
  }
  std::vector<CudnnPlanInfo> plans;
  for (const size_t e : order_of(costs, wishes.slowest)) {
    if (plans.size() >= wishes.most) break;
    CudnnPlanInfo info;
    info.rounds_operands = rounds_operands(p, engines[e].facts);
    const std::string reason = build(api, target, wishes, engines[e], &info);
    if (reason.empty()) {
      plans.push_back(std::move(info));
    } else {
      last = "engine " + std::to_string(engines[e].facts.index) + ": " + reason;
    }
  }
  if (plans.empty()) {
    return Status(Code::DEVICE_NO_PLAN,
                  "no cuDNN plan for this problem: " + std::to_string(listed) + " listed (last: " + last + ")");
  }
  return plans;
}

Result<Descriptor> cudnn_device_from_json(const CudnnApi& api, const std::string& json) {
  Builder b(api);
  Descriptor d = b.make(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, "device description");
  b.set(d, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, static_cast<int64_t>(json.size()), json.data());
  b.finalize(d);
  if (!b.ok()) return b.error();
  return d;
}

Result<std::string> cudnn_plan_json(const CudnnApi& api, const CudnnPlanInfo& plan) {
  int64_t count = 0;
  cudnnStatus_t status =
      api.get(plan.plan.get(), CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, 0, &count, nullptr);
  if (status != CUDNN_STATUS_SUCCESS) return cudnn_error(api, status, "size of the plan's text");
  std::string json(static_cast<size_t>(count), '\0');
  status = api.get(plan.plan.get(), CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, count, &count,
                   json.data());
  if (status != CUDNN_STATUS_SUCCESS) return cudnn_error(api, status, "text of the plan");
  while (!json.empty() && json.back() == '\0') json.pop_back();
  return json;
}

Result<CudnnPlanInfo> cudnn_plan_from_json(const CudnnApi& api, const CudnnTarget& target, const std::string& json) {
  Builder b(api);
  CudnnPlanInfo info;
  info.plan = b.make(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, "saved plan");
  if (target.handle) {
    b.set(info.plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &target.handle);
  } else {
    b.set(info.plan, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &target.device);
  }
  b.set(info.plan, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, static_cast<int64_t>(json.size()),
        json.data());
  b.finalize(info.plan);
  if (!b.ok()) return b.error();
  int64_t count = 0;
  const cudnnStatus_t status =
      api.get(info.plan.get(), CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &count, &info.workspace);
  if (status != CUDNN_STATUS_SUCCESS) return cudnn_error(api, status, "workspace of the saved plan");
  return info;
}

}  // namespace ctconv::cuda
