// SPDX-License-Identifier: Apache-2.0
// Our own CPU engine: the reference's bits at the machine's speed, through Highway with run-time dispatch.
//
//   in:      a Problem
//   out:     a Kernel of one of eight forms, the cheapest by costs.h: positions, channels, merged, depthwise,
//            rows, turned, raw, taps
//   refuses: a CPU without fused multiply-add in vectors, tables beyond limits.h, scratch above the op's limit
//   docs/native.md explains the words and the flow of a call.
#pragma once

#include "src/plan/engine.h"

namespace ctconv {

extern const Engine kNativeEngine;

namespace native {
// The form of that name (kForms in plan.cpp); null: the cheapest of all. For tests and measurements.
Result<std::unique_ptr<Kernel>> plan_form(const Problem& problem, const PlanContext& context, const char* name);
}  // namespace native

}  // namespace ctconv
