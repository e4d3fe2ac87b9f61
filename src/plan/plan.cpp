// SPDX-License-Identifier: Apache-2.0
// Asks the engines, picks one, packs the weight; and runs what was picked. See plan.h.
#include "src/plan/plan.h"

#include <algorithm>
#include <cstring>

#include "src/base/half.h"
#include "src/base/number.h"
#include "src/plan/mended.h"
#include "src/plan/pieces.h"
#include "src/plan/tail.h"
#include "src/plan/tune.h"
#include "src/plan/workspace.h"

namespace ctconv {
namespace {

struct Candidate {
  const Engine* engine;
  std::unique_ptr<Kernel> kernel;
  std::shared_ptr<const Buffer> packed;
  double memory = 1;  // handicap of a kernel that borrows more than scratch_budget
};

// A kernel whose bits depend on the machine must promise a tenth.
double handicap(Bits bits) { return bits <= Bits::kStable ? 1.0 : 1.1; }
constexpr double kMemoryHandicap = 2;  // one that borrows too much must promise half the time

std::string milliseconds(double seconds) { return show_general(seconds * 1e3, 3) + " ms"; }

Status no_memory(size_t bytes) {
  return Status(Code::NO_MEMORY, "could not allocate " + std::to_string(bytes) + " bytes");
}

// Packs the op's own weight for a kernel; false where the kernel cannot honour these weights.
Result<bool> pack_own(const PlanRequest& request, const Engine& engine, const Kernel& kernel,
                      std::shared_ptr<const Buffer>* out) {
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

Workspace workspace_of(const Problem& p, const PlanRequest& request, const Kernel& kernel) {
  Workspace w;
  if (request.bias_per_call && p.epilogue.bias && p.written == Written::kY) {
    w.bias = round_up(static_cast<size_t>(p.groups * p.co) * size_of(p.types.accumulator));
  }
  if (request.weight == nullptr) w.packed = round_up(kernel.packed_bytes());
  w.scratch = round_up(kernel.scratch_bytes());
  return w;
}

// One making of a plan: who can, who is fastest, whose packing goes well.
class Choice {
 public:
  Choice(const Problem& problem, const PlanRequest& request)
      : problem_(problem), request_(request), automatic_(request.engine == "auto"), plan_(std::make_shared<Plan>()) {
    plan_->problem = problem;
    plan_->weight_per_call = request.weight == nullptr;
  }

  Result<std::shared_ptr<const Plan>> make() {
    CTCONV_RETURN_IF_ERROR(ask(request_.context));
    estimate();
    CTCONV_RETURN_IF_ERROR(take());
    if (plan_->engine == nullptr) return nobody();
    const bool looks = plan_->kernel->looks_at_input();
    mend_per_call(&plan_->kernel);
    plan_->workspace = workspace_of(problem_, request_, *plan_->kernel);
    const bool spoiled = plan_->weight_per_call && plan_->kernel->spoils() == Kernel::Spoils::kAnything;
    if (plan_->engine != request_.reference && (looks || spoiled)) keep_exact();
    if ((plan_->weight_per_call || looks) && plan_->engine != request_.reference && request_.reference != nullptr) {
      auto kernel = request_.reference->plan(problem_, request_.context);
      if (kernel.ok()) plan_->fallback = std::move(*kernel);
      if (!kernel.ok() && kernel.status().code() == Code::NO_MEMORY) return kernel.take_status();
    }
    return std::shared_ptr<const Plan>(std::move(plan_));
  }

 private:
  // Engines put their name in front of a reason; who lists reasons writes the name himself.
  void refused(const Engine& engine, std::string reason) {
    const std::string front = std::string(engine.name) + ": ";
    if (reason.rfind(front, 0) == 0) reason.erase(0, front.size());
    std::pair<std::string, std::string> entry(engine.name, std::move(reason));
    if (std::find(plan_->refused.begin(), plan_->refused.end(), entry) == plan_->refused.end()) {
      plan_->refused.push_back(std::move(entry));
    }
  }

  // Nothing to compute but rows of zeros behind a core that is not there: any engine's call, and nobody's work.
  bool zeros() const { return problem_.written == Written::kY && problem_.empty() && problem_.has_tail(); }

  // Every engine that may and can becomes a candidate.
  Status ask(PlanContext context) {
    double best_so_far = std::numeric_limits<double>::infinity();
    for (const Engine* engine : request_.engines) {
      if (zeros() ? engine != request_.reference : !automatic_ && request_.engine != engine->name) continue;
      // Slow beyond use where another engine can run: never a candidate that gets measured or packed.
      if (automatic_ && engine == request_.reference && !candidates_.empty()) continue;
      if (automatic_ && !request_.measure) context.beat_seconds = best_so_far / handicap(engine->strongest);
      auto kernel = engine->plan(problem_, context);
      if (!kernel.ok()) {
        if (kernel.status().code() == Code::NO_MEMORY) return kernel.take_status();
        refused(*engine, kernel.status().detail().message);
        continue;
      }
      *kernel = in_pieces(problem_, *engine, context, std::move(*kernel));
      const size_t bytes = workspace_of(problem_, request_, **kernel).bytes();
      if (bytes > request_.context.workspace_limit) {
        refused(*engine, "needs " + std::to_string(bytes) + " bytes of workspace, the limit is " +
                             std::to_string(request_.context.workspace_limit));
        continue;
      }
      const auto scratch = static_cast<double>((*kernel)->scratch_bytes());
      const double budget = scratch_budget(problem_, context.threads);
      if (automatic_ && scratch > budget + copied_bytes(problem_)) {
        refused(*engine,
                "borrows " + std::to_string((*kernel)->scratch_bytes()) + " bytes, more than copies of x and y");
        continue;
      }
      candidates_.push_back({engine, std::move(*kernel), nullptr, scratch > budget ? kMemoryHandicap : 1});
      best_so_far = std::min(
          best_so_far, candidates_.back().kernel->estimated_seconds() * handicap(candidates_.back().kernel->bits()));
    }
    return {};
  }

  // Seconds of each: by measurement where asked for, else by the engines' own models.
  void estimate() {
    for (const Candidate& c : candidates_) seconds_.push_back(c.kernel->estimated_seconds());
    basis_ = "estimated";
    if (!request_.measure || !automatic_ || candidates_.size() < 2) return;
    std::vector<TuneCandidate> list;
    for (const Candidate& c : candidates_) list.push_back({c.engine->name, c.kernel.get()});
    const std::string reason = measure(problem_, list, request_, &seconds_);
    basis_ = "measured";
    if (!reason.empty()) basis_ = "estimated, not measured (" + reason + ")";
  }

  double weighed(size_t n) const {
    return seconds_[n] * handicap(candidates_[n].kernel->bits()) * candidates_[n].memory;
  }

  // Takes the fastest whose packing goes well; plan_->engine stays null where there is none.
  Status take() {
    while (!candidates_.empty()) {
      size_t best = 0;
      for (size_t n = 1; n < seconds_.size(); ++n) best = weighed(n) < weighed(best) ? n : best;
      Candidate& c = candidates_[best];
      auto packed = pack_own(request_, *c.engine, *c.kernel, &c.packed);
      if (packed.ok() && *packed) {
        plan_->why = why();
        plan_->engine = c.engine;
        std::erase_if(plan_->refused, [&](const auto& entry) { return entry.first == c.engine->name; });
        plan_->packed = std::move(c.packed);
        plan_->kernel = std::move(c.kernel);
        return {};
      }
      std::string reason = c.kernel->weights_not_honoured();
      if (!packed.ok()) {
        const Code code = packed.status().code();
        if (code == Code::NO_MEMORY || code == Code::MISUSE_RUNNER) return packed.take_status();
        reason = packed.status().detail().message;
      }
      const Engine* engine = c.engine;
      refused(*engine, std::move(reason));
      if (automatic_ && packed.ok() && c.kernel->spoils() != Kernel::Spoils::kAnything)
        spoiled_.push_back(std::move(c));
      candidates_.erase(candidates_.begin() + static_cast<std::ptrdiff_t>(best));
      seconds_.erase(seconds_.begin() + static_cast<std::ptrdiff_t>(best));
      if (!candidates_.empty() || !automatic_ || engine == request_.reference) continue;
      const bool again = !spoiled_.empty() && !std::exchange(asked_again_, true);
      CTCONV_RETURN_IF_ERROR(again ? ask_for_not_finite() : last_resort());
    }
    return {};
  }

  // All that nearly could stumbled over an Inf or NaN: forms that multiply x alone, the others mended.
  Status ask_for_not_finite() {
    PlanContext context = request_.context;
    context.weights_finite = false;
    CTCONV_RETURN_IF_ERROR(ask(context));
    double most = std::numeric_limits<double>::infinity();
    for (const Candidate& c : candidates_) most = std::min(most, c.kernel->estimated_seconds());
    for (Candidate& c : spoiled_) candidates_.push_back(std::move(c));
    spoiled_.clear();
    for (Candidate& c : candidates_) {
      seconds_.push_back(c.kernel->estimated_seconds());
      mend(most, &c.kernel);
    }
    return {};
  }

  void mend(double most_seconds, std::unique_ptr<Kernel>* kernel) {
    if (request_.reference == nullptr) return;
    *kernel = mended(problem_, request_.context, *request_.reference, most_seconds, std::move(*kernel));
  }

  // Weights that come with each call may be finite now and not the next time.
  void mend_per_call(std::unique_ptr<Kernel>* kernel) {
    if (request_.reference == nullptr || !plan_->weight_per_call) return;
    auto alone = request_.reference->plan(problem_, request_.context);
    if (alone.ok()) mend((*alone)->estimated_seconds(), kernel);
  }

  Status last_resort() {
    if (request_.reference == nullptr) return {};
    auto kernel = request_.reference->plan(problem_, request_.context);
    if (!kernel.ok()) return kernel.take_status();
    seconds_.push_back((*kernel)->estimated_seconds());
    candidates_.push_back({request_.reference, std::move(*kernel), nullptr, 1});
    return {};
  }

  // For calls whose values the kernel cannot honour: another candidate with the reference's bits, if memory allows.
  // An engine asked for by name has no other candidate beside it.
  void keep_exact() {
    for (const Engine* engine : request_.engines) {
      const bool may = engine->strongest == Bits::kReference && engine != request_.reference;
      if (automatic_ || engine == plan_->engine || !may) continue;
      auto kernel = engine->plan(problem_, request_.context);
      if (kernel.ok()) candidates_.push_back({engine, std::move(*kernel), nullptr, 1});
    }
    for (Candidate& c : candidates_) {
      if (c.kernel == nullptr || c.kernel->bits() != Bits::kReference) continue;
      mend_per_call(&c.kernel);
      Workspace w = plan_->workspace;
      w.exact = round_up(c.kernel->packed_bytes()) + round_up(c.kernel->scratch_bytes());
      if (w.bytes() > request_.context.workspace_limit) continue;
      plan_->workspace = w;
      plan_->exact = std::move(c.kernel);
      return;
    }
  }

  std::string why() const {
    std::string s = "fastest " + basis_;
    if (candidates_.size() == 1 && plan_->refused.empty()) s = "the only engine";
    if (!automatic_) s = "asked for by name";
    for (size_t n = 0; n < candidates_.size(); ++n) {
      s += (n ? ", " : ": ") + std::string(candidates_[n].engine->name) + " " + milliseconds(seconds_[n]);
    }
    return s;
  }

  Status nobody() const {
    std::string message = "no engine can run this problem";
    if (!automatic_) message = "engine " + std::string(request_.engine);
    for (const auto& [name, reason] : plan_->refused) {
      if (automatic_) message += "; " + name;
      message += ": " + reason;
    }
    return Status(Status::Detail{.code = Code::UNSUPPORTED_ENGINE,
                                 .argument = "engine",
                                 .value = std::string(request_.engine),
                                 .range = "auto, or an engine that can run it",
                                 .message = std::move(message)});
  }

  const Problem& problem_;
  const PlanRequest& request_;
  const bool automatic_;
  std::shared_ptr<Plan> plan_;
  std::vector<Candidate> candidates_;
  bool asked_again_ = false;        // ask_for_not_finite was
  std::vector<Candidate> spoiled_;  // packed, but for an Inf or NaN among the weights
  std::vector<double> seconds_;     // of each candidate
  std::string basis_;
};

// The reference, where it knows such problems.
Status run_fallback(const Plan& plan, const Operands& call, const Runner& runner) {
  if (plan.fallback != nullptr) return plan.fallback->run(call, runner);
  return refuse(std::string(plan.engine->name) + ": no engine can honour the values of this call");
}

// One call by `exact`, else by the reference; `part`: the workspace behind the bias.
Status run_exact(const Plan& plan, Operands call, std::byte* part, const Runner& runner) {
  call.packed = nullptr;
  call.scratch = nullptr;
  if (plan.exact == nullptr) return run_fallback(plan, call, runner);
  const size_t packed_bytes = round_up(plan.exact->packed_bytes());
  call.packed = packed_bytes ? part : nullptr;
  call.scratch = part + packed_bytes;
  auto packed = plan.exact->pack(call.w, packed_bytes ? part : nullptr, runner);
  if (!packed.ok()) return packed.take_status();
  return *packed ? plan.exact->run(call, runner) : run_fallback(plan, call, runner);
}

}  // namespace

Result<std::shared_ptr<const Plan>> make_plan(const Problem& problem, const PlanRequest& request) {
  return Choice(problem, request).make();
}

namespace {

template <class To, class From, class Widen>
void convert_values(const void* from, int64_t stride, int64_t count, void* to, Widen widen) {
  const auto* values = static_cast<const From*>(from);
  for (int64_t c = 0; c < count; ++c) static_cast<To*>(to)[c] = widen(values[c * stride]) + To(0);
}

}  // namespace

void convert_bias(Dtype dtype, const void* bias, int64_t stride, int64_t count, void* out) {
  const auto same = [](auto v) { return v; };
  switch (dtype) {
    case Dtype::kF64:
      return convert_values<double, double>(bias, stride, count, out, same);
    case Dtype::kF32:
      return convert_values<float, float>(bias, stride, count, out, same);
    case Dtype::kF16:
      return convert_values<float, uint16_t>(bias, stride, count, out, f16_to_f32);
    case Dtype::kBf16:
      return convert_values<float, uint16_t>(bias, stride, count, out, bf16_to_f32);
    case Dtype::kI8:
      return convert_values<int32_t, int8_t>(bias, stride, count, out, same);
    case Dtype::kI32:
      return convert_values<int32_t, int32_t>(bias, stride, count, out, same);
  }
}

Status run_plan(const Plan& plan, const RunMemory& m, const Runner& runner) {
  const Problem& p = plan.problem;
  auto* part = static_cast<std::byte*>(align_up(m.workspace));
  Operands call{.x = m.x, .w = m.w, .packed = plan.packed ? plan.packed->data() : nullptr, .bias = m.bias, .y = m.y};
  if (plan.workspace.bias != 0) {
    convert_bias(bias_type(p.types), m.bias, m.bias_stride, p.groups * p.co, part);
    call.bias = part;
    part += plan.workspace.bias;
  }
  const Kernel& kernel = *plan.kernel;
  std::byte* const behind_bias = part;
  Result<bool> honoured = true;
  if (kernel.looks_at_input() && !p.empty()) honoured = kernel.honours_input(call, runner);
  if (honoured.ok() && *honoured && plan.weight_per_call) {
    call.packed = plan.workspace.packed ? part : nullptr;
    honoured = kernel.pack(m.w, plan.workspace.packed ? part : nullptr, runner);
    part += plan.workspace.packed;
  }
  if (!honoured.ok()) return honoured.take_status();
  call.scratch = plan.workspace.scratch ? part : nullptr;
  if (!p.empty()) {
    CTCONV_RETURN_IF_ERROR(*honoured ? kernel.run(call, runner) : run_exact(plan, call, behind_bias, runner));
  }
  if (p.written == Written::kY && p.has_tail()) return fill_tail(p, m.y, runner);
  return {};
}

}  // namespace ctconv
