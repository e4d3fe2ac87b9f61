// SPDX-License-Identifier: Apache-2.0
// The kernel of this engine and its refusals; see winograd.h.
#include "src/engine/winograd/winograd.h"

#include <memory>
#include <utility>

#include "src/engine/winograd/plan.h"
#include "src/engine/winograd/values.h"

namespace ctconv {
namespace winograd {
namespace {

constexpr Types kTypes[] = {uniform_types(Dtype::kF32), uniform_types(Dtype::kF16), uniform_types(Dtype::kBf16)};
constexpr Knows kKnown{.written = kForwardOnly, .types = kTypes, .activations = true};

std::string kinds_text(const TiledAxis& a) {
  if (a.m == 1) return "1";
  return a.m == 3 ? "F(3,2)" : "F(2,3)";
}

std::string phases_key(const kit::AxisPhases& a) {
  return "/s" + std::to_string(a.s) + "f" + std::to_string(a.first_f) + "x" + std::to_string(a.count());
}

class WinogradKernel final : public Kernel {
 public:
  explicit WinogradKernel(std::unique_ptr<const Plan> plan)
      : plan_(std::move(plan)), scratch_bytes_(scratch_size(*plan_)) {}

  std::string form() const override {
    const Plan& first = plan_->regions.front();
    return "h " + kinds_text(plan_->h) + ", w " + kinds_text(plan_->w) + ", " + std::to_string(plan_->regions.size()) +
           " regions, the first in " + std::to_string(first.tasks()) + " tasks of " + std::to_string(first.block) +
           " tiles, " + std::to_string(plan_->width) + " columns, " + plan_->moves.name;
  }
  Bits bits() const override { return Bits::kStable; }
  double estimated_seconds() const override { return plan_->seconds; }
  size_t scratch_bytes() const override { return scratch_bytes_; }
  size_t packed_bytes() const override {
    return static_cast<size_t>(plan_->weight_at.back() * plan_->p.groups) * sizeof(float);
  }
  std::string packing() const override {
    return std::to_string(plan_->width) + phases_key(plan_->d) + phases_key(plan_->h.phases) +
           phases_key(plan_->w.phases) + "/m" + std::to_string(plan_->h.m) + std::to_string(plan_->w.m);
  }
  Result<bool> pack(const void* w, void* packed, const Runner& runner) const override {
    return pack_weights(*plan_, w, static_cast<float*>(packed), runner);
  }
  const char* weights_not_honoured() const override { return kWeightsNotHonoured; }
  bool looks_at_input() const override { return true; }
  Result<bool> honours_input(const Operands& memory, const Runner& runner) const override {
    bool broken = false;
    const bool honoured = winograd::honours_input(plan_->p, memory.x, runner, &broken);
    if (broken) return runner_broke();
    return honoured;
  }
  Status run(const Operands& memory, const Runner& runner) const override { return compute(*plan_, memory, runner); }

 private:
  const std::unique_ptr<const Plan> plan_;
  const size_t scratch_bytes_;
};

Result<std::unique_ptr<Kernel>> make(const Problem& p, const PlanContext& context) {
  if (p.empty() || p.in_elements() == 0) return refuse("winograd: the problem is empty");
  if (!context.weights_finite) return refuse("winograd: the weight holds an Inf or NaN");
  std::string why;
  std::unique_ptr<const Plan> plan = plan_of(p, context, &why);
  if (plan == nullptr) return refuse("winograd: " + why);
  const size_t scratch = scratch_size(*plan);
  if (scratch > context.workspace_limit) {
    return refuse("winograd: needs " + std::to_string(scratch) + " bytes of workspace, the limit is " +
                  std::to_string(context.workspace_limit));
  }
  return std::unique_ptr<Kernel>(std::make_unique<WinogradKernel>(std::move(plan)));
}

}  // namespace
}  // namespace winograd

const Engine kWinogradEngine{"winograd", Bits::kStable, winograd::kKnown, winograd::make};

}  // namespace ctconv
