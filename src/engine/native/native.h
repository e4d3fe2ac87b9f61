// Our own CPU engine: the reference's bits at the machine's speed, through Highway with run-time dispatch.
//
//   in:      a Problem
//   out:     a Kernel of one of four forms (positions.h, channels.h, depthwise.h, rows.h), the cheapest by costs.h
//   refuses: a CPU without fused multiply-add in vectors, scratch above the op's limit
#pragma once

#include "src/plan/engine.h"

namespace ctconv {

extern const Engine kNativeEngine;

namespace native {
// The cheapest form whose description contains `form`; null: of all. For tests and measurements.
Result<std::unique_ptr<Kernel>> plan_form(const Problem& problem, const PlanContext& context, const char* form);
}  // namespace native

}  // namespace ctconv
