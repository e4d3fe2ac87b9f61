// SPDX-License-Identifier: Apache-2.0
// The engines; see tiles.h.
#include "src/engine/tiles/tiles.h"

#include <utility>

#include "src/engine/tiles/layout.h"
#include "src/engine/tiles/pack.h"
#include "src/engine/tiles/run.h"
#include "src/engine/tiles/values.h"
#include "src/machine/amx.h"

namespace ctconv {
namespace tiles {
namespace {

class TilesKernel final : public Kernel {
 public:
  TilesKernel(std::unique_ptr<Layout> layout, Bits bits) : layout_(std::move(layout)), bits_(bits) {}

  std::string form() const override {
    const Layout& k = *layout_;
    return std::string(k.unit->name) + ", " + std::to_string(k.units.blocks.size()) + " blocks of rows, " +
           std::to_string(k.slabs.count) + " slabs of " + std::to_string(k.slabs.positions) + " positions, " +
           (k.by_rows ? "by rows, " : "") + (k.slabs.own_panel ? "packed by each task" : "packed before") +
           (k.slabs.shares > 1 ? ", " + std::to_string(k.slabs.shares) + " shares" : "");
  }
  Bits bits() const override { return bits_; }
  double estimated_seconds() const override { return layout_->seconds; }
  size_t scratch_bytes() const override { return kit::bytes_taken<Scratch>(*layout_); }
  size_t packed_bytes() const override { return static_cast<size_t>(layout_->packed_values()) * sizeof(uint16_t); }
  std::string packing() const override { return packing_key(*layout_); }
  Result<bool> pack(const void* w, void* packed, const Runner& runner) const override {
    return pack_weights(*layout_, w, static_cast<uint16_t*>(packed), runner);
  }
  const char* weights_not_honoured() const override { return kWeightsNotFit; }
  bool looks_at_input() const override { return true; }
  Result<bool> honours_input(const Operands& m, const Runner& runner) const override {
    bool broken = false;
    const bool fit = kit::input_within(input_range(layout_->p.types.x), layout_->p, m.x, runner, &broken);
    if (broken) return runner_broke();
    return fit;
  }
  Status run(const Operands& m, const Runner& runner) const override { return compute(*layout_, m, runner); }

 private:
  const std::unique_ptr<const Layout> layout_;
  const Bits bits_;
};

constexpr Types kBf16[] = {uniform_types(Dtype::kBf16)};
constexpr Types kSplit[] = {uniform_types(Dtype::kF32), uniform_types(Dtype::kF16), uniform_types(Dtype::kBf16)};

Result<std::unique_ptr<Kernel>> plan(const char* engine, const Problem& p, const PlanContext& context, const Unit& unit,
                                     Split split, Bits bits) {
  const auto no = [engine](const char* why) { return refuse(std::string(engine) + ": " + why); };
  if (const char* missing = unit.missing()) return no(missing);
  if (p.empty() || p.in_elements() == 0) return no("empty problem");
  if (!context.weights_finite) return no(kWeightsNotFit);
  auto layout = lay_out(engine, p, context, unit, std::move(split));
  if (!layout.ok()) return layout.take_status();
  auto kernel = std::make_unique<TilesKernel>(std::move(*layout), bits);
  if (kernel->scratch_bytes() > context.workspace_limit) return no("its scratch memory exceeds the workspace limit");
  return std::unique_ptr<Kernel>(std::move(kernel));
}

Result<std::unique_ptr<Kernel>> plan_dot(const Problem& p, const PlanContext& context) {
  return plan("dot", p, context, kDotUnit, {.parts = 1, .products = {{0, 0}}}, Bits::kMachine);
}

// Products of parts up to the order that matters: what is left out of f32 is below 2^-24 of a product.
Split split_of(Dtype type, bool reduced) {
  if (type == Dtype::kBf16) return {.parts = 1, .products = {{0, 0}}};
  if (type == Dtype::kF16) return {.parts = 2, .products = {{0, 1}, {0, 0}, {1, 0}, {1, 1}}};
  if (reduced) return {.parts = 2, .products = {{0, 1}, {0, 0}, {1, 0}}};
  return {.parts = 3, .products = {{0, 2}, {0, 0}, {0, 1}, {1, 1}, {1, 0}, {2, 0}}};
}

Result<std::unique_ptr<Kernel>> plan_amx(const Problem& p, const PlanContext& context) {
  if (const char* missing = amx_missing()) return refuse(std::string("amx: ") + missing);
  if (p.types.x == Dtype::kF32 && p.ci < kLeastSplitChannels && context.weakest != Bits::kReduced) {
    return refuse("amx: f32 with fewer than 16 input channels, whose short sums would err more than a chain of f32");
  }
  return plan_amx_on(kAmxUnit, p, context);
}

}  // namespace

Result<std::unique_ptr<Kernel>> plan_amx_on(const Unit& unit, const Problem& p, const PlanContext& context) {
  const bool reduced = context.weakest == Bits::kReduced && p.types.x == Dtype::kF32;
  return plan("amx", p, context, unit, split_of(p.types.x, reduced), reduced ? Bits::kReduced : Bits::kMachine);
}

}  // namespace tiles

const Engine kAmxEngine{"amx", Bits::kMachine, {kForwardOnly, tiles::kSplit, false, true}, &tiles::plan_amx};
const Engine kDotEngine{"dot", Bits::kMachine, {kForwardOnly, tiles::kBf16, false, true}, &tiles::plan_dot};

}  // namespace ctconv
