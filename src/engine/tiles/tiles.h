// SPDX-License-Identifier: Apache-2.0
// Two engines of ours that multiply bf16: "dot" by vdpbf16ps, "amx" by TDPBF16PS on tiles.
//
//   in:      a forward Problem; dot: in bf16; amx: in bf16, f16 or f32, whose values are split into bf16 parts
//   out:     a Kernel; its bits are `machine`: sums in an order of their own, for any threads and tiles the same
//   refuses: a CPU without the unit, an empty problem, weights that are not fit (values.h), tables beyond bounds;
//            amx: few input channels in f32
//   docs/decisions/tiles.md tells layout, order of sums and measurements.
#pragma once

#include "src/plan/engine.h"

namespace ctconv {

extern const Engine kDotEngine, kAmxEngine;

namespace tiles {
// Of f32 in full precision: shorter sums of split products err more than a chain of multiply-adds.
inline constexpr int64_t kLeastSplitChannels = 16;
// Engine amx on another unit, for tests: its software model runs anywhere.
struct Unit;
Result<std::unique_ptr<Kernel>> plan_amx_on(const Unit& unit, const Problem& problem, const PlanContext& context);
}  // namespace tiles

}  // namespace ctconv
