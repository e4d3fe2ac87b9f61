// SPDX-License-Identifier: Apache-2.0
// The weight gradient's plan; data gradients are forms' own business (plan.cpp). See weights.h.
//
//   in:  a Problem that writes w;   out: its kernel, with the reference's bits
//   refuses: empty problems, counts beyond limits.h, scratch above the op's limit
#pragma once

#include "src/plan/engine.h"

namespace ctconv::native {

Result<std::unique_ptr<Kernel>> plan_gradient_w(const Problem& problem, const PlanContext& context, const char* name);

}  // namespace ctconv::native
