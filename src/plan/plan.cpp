// Asks the engines, picks one, packs the weight; and runs what was picked. See plan.h.
#include "src/plan/plan.h"

#include <algorithm>
#include <cstring>

#include "src/base/half.h"
#include "src/base/number.h"
#include "src/plan/tail.h"
#include "src/plan/tune.h"

namespace ctconv {
namespace {

struct Candidate {
  const Engine* engine;
  std::unique_ptr<Kernel> kernel;
  std::shared_ptr<const Buffer> packed;
};

// An engine whose bits depend on the machine must promise a tenth.
double handicap(const Engine& engine) { return engine.reproducible ? 1.0 : 1.1; }

std::string milliseconds(double seconds) { return show_general(seconds * 1e3, 3) + " ms"; }

Status no_memory(size_t bytes) { return Status(Code::NO_MEMORY, "could not allocate " + std::to_string(bytes) + " bytes"); }

// Packs the op's own weight for a kernel; false where the kernel cannot honour these weights.
Result<bool> pack_own(const PlanRequest& request, const Engine& engine, const Kernel& kernel, std::shared_ptr<const Buffer>* out) {
  if (request.weight == nullptr) return true;
  if (kernel.packed_bytes() == 0) return kernel.pack(request.weight, nullptr, request.runner);
  const std::string key = std::string(engine.name) + "/" + kernel.packing();
  if ((*out = request.store->find(key))) return true;
  auto buffer = std::make_shared<Buffer>(*request.allocator, kernel.packed_bytes());
  if (!buffer->ok()) return no_memory(kernel.packed_bytes());
  auto packed = kernel.pack(request.weight, buffer->data(), request.runner);
  if (!packed.ok() || !*packed) return packed;
  *out = request.store->insert(key, std::move(buffer));
  return true;
}

size_t workspace_parts(const Problem& p, const PlanRequest& request, const Kernel& kernel, Plan* plan) {
  const size_t bias = request.bias_per_call && p.bias ? static_cast<size_t>(p.groups * p.co) * size_of(accumulator_of(p.dtype)) : 0;
  plan->bias_bytes = round_up(bias);
  plan->packed_bytes = request.weight == nullptr ? round_up(kernel.packed_bytes()) : 0;
  plan->scratch_bytes = round_up(kernel.scratch_bytes());
  return plan->workspace_bytes();
}

}  // namespace

Result<std::shared_ptr<const Plan>> make_plan(const Problem& problem, const PlanRequest& request) {
  auto plan = std::make_shared<Plan>();
  plan->problem = problem;
  plan->weight_per_call = request.weight == nullptr;
  std::vector<Candidate> candidates;
  const bool automatic = request.engine == "auto";
  PlanContext context = request.context;
  double best_so_far = std::numeric_limits<double>::infinity();
  const Engine* reference = request.engines.back();  // last in the table, refuses nothing

  for (const Engine* engine : request.engines) {
    if (!automatic && request.engine != engine->name) continue;
    const auto refused = [&](std::string reason) { plan->refused.emplace_back(engine->name, std::move(reason)); };
    if (request.context.reproducible && !engine->reproducible) {
      refused("its bits depend on the machine, and reproducible was asked for");
      continue;
    }
    // Slow beyond use where another engine can run: never a candidate that gets measured or packed.
    if (automatic && engine == reference && !candidates.empty()) continue;
    if (automatic && !request.measure) context.beat_seconds = best_so_far / handicap(*engine);
    auto kernel = engine->plan(problem, context);
    if (!kernel.ok()) {
      if (kernel.status().code() == Code::NO_MEMORY) return kernel.take_status();
      refused(kernel.status().detail().message);
      continue;
    }
    if (workspace_parts(problem, request, **kernel, plan.get()) > request.context.workspace_limit) {
      refused("needs " + std::to_string(plan->workspace_bytes()) + " bytes of workspace, the limit is " +
              std::to_string(request.context.workspace_limit));
      continue;
    }
    candidates.push_back({engine, std::move(*kernel), nullptr});
    best_so_far = std::min(best_so_far, candidates.back().kernel->estimated_seconds() * handicap(*engine));
  }

  // Fastest first: by measurement where asked for, else by the engines' own models.
  std::vector<double> seconds;
  for (const Candidate& c : candidates) seconds.push_back(c.kernel->estimated_seconds());
  const char* basis = "estimated";
  if (request.measure && automatic && candidates.size() > 1 && request.weight != nullptr) {
    std::vector<TuneCandidate> list;
    for (const Candidate& c : candidates) list.push_back({c.engine->name, c.kernel.get()});
    if (measure(problem, list, request, &seconds)) basis = "measured";
  }
  const auto weighed = [&](size_t n) { return seconds[n] * handicap(*candidates[n].engine); };
  while (!candidates.empty()) {
    size_t best = 0;
    for (size_t n = 1; n < seconds.size(); ++n) best = weighed(n) < weighed(best) ? n : best;
    Candidate& c = candidates[best];
    auto packed = pack_own(request, *c.engine, *c.kernel, &c.packed);
    if (packed.ok() && *packed) {
      plan->why = !automatic ? "asked for by name" : candidates.size() == 1 && plan->refused.empty() ? "the only engine" : "fastest " + std::string(basis);
      for (size_t n = 0; n < candidates.size(); ++n) {
        plan->why += (n ? ", " : ": ") + std::string(candidates[n].engine->name) + " " + milliseconds(seconds[n]);
      }
      plan->engine = c.engine;
      plan->packed = std::move(c.packed);
      plan->kernel = std::move(c.kernel);
      break;
    }
    if (!packed.ok() && (packed.status().code() == Code::NO_MEMORY || packed.status().code() == Code::MISUSE_RUNNER)) return packed.take_status();
    plan->refused.emplace_back(c.engine->name, packed.ok() ? "the weight holds an Inf or NaN, which padding zeros would turn into NaN"
                                                           : packed.status().detail().message);
    candidates.erase(candidates.begin() + static_cast<std::ptrdiff_t>(best));
    seconds.erase(seconds.begin() + static_cast<std::ptrdiff_t>(best));
    if (candidates.empty() && automatic && c.engine != reference) {
      auto kernel = reference->plan(problem, request.context);
      if (!kernel.ok()) return kernel.take_status();
      seconds.push_back((*kernel)->estimated_seconds());
      candidates.push_back({reference, std::move(*kernel), nullptr});
    }
  }
  if (plan->engine == nullptr) {
    std::string message = automatic ? "no engine can run this problem" : "engine " + std::string(request.engine);
    for (const auto& [name, reason] : plan->refused) message += automatic ? "; " + name + ": " + reason : ": " + reason;
    return Status(Status::Detail{.code = Code::UNSUPPORTED_ENGINE, .argument = "engine", .value = std::string(request.engine),
                                 .range = "auto, or an engine that can run it", .message = std::move(message)});
  }
  workspace_parts(problem, request, *plan->kernel, plan.get());
  if (plan->weight_per_call && plan->engine != reference) {
    auto kernel = reference->plan(problem, request.context);
    if (!kernel.ok()) return kernel.take_status();
    plan->fallback = std::move(*kernel);
  }
  return std::shared_ptr<const Plan>(std::move(plan));
}

void convert_bias(Dtype dtype, const void* bias, int64_t stride, int64_t count, void* out) {
  for (int64_t c = 0; c < count; ++c) {
    const int64_t at = c * stride;
    switch (dtype) {
      case Dtype::kF64: static_cast<double*>(out)[c] = static_cast<const double*>(bias)[at] + 0.0; break;
      case Dtype::kF32: static_cast<float*>(out)[c] = static_cast<const float*>(bias)[at] + 0.0f; break;
      case Dtype::kF16: static_cast<float*>(out)[c] = f16_to_f32(static_cast<const uint16_t*>(bias)[at]) + 0.0f; break;
      case Dtype::kBf16: static_cast<float*>(out)[c] = bf16_to_f32(static_cast<const uint16_t*>(bias)[at]) + 0.0f; break;
    }
  }
}

Status run_plan(const Plan& plan, const RunMemory& m, const Runner& runner) {
  const Problem& p = plan.problem;
  auto* part = static_cast<std::byte*>(align_up(m.workspace));
  CallMemory call{.x = m.x, .w = m.w, .packed = plan.packed ? plan.packed->data() : nullptr, .bias = m.bias, .y = m.y};
  if (plan.bias_bytes != 0) {
    convert_bias(p.dtype, m.bias, m.bias_stride, p.groups * p.co, part);
    call.bias = part;
    part += plan.bias_bytes;
  }
  const Kernel* kernel = plan.kernel.get();
  if (plan.weight_per_call) {
    auto packed = kernel->pack(m.w, plan.packed_bytes ? part : nullptr, runner);
    if (!packed.ok()) return packed.take_status();
    if (!*packed) kernel = plan.fallback.get();
    call.packed = plan.packed_bytes ? part : nullptr;
    part += plan.packed_bytes;
  }
  call.scratch = plan.scratch_bytes ? part : nullptr;
  if (!p.empty()) CTCONV_RETURN_IF_ERROR(kernel->run(call, runner));
  if (p.has_tail()) return fill_tail(p, m.y, runner);
  return {};
}

}  // namespace ctconv
