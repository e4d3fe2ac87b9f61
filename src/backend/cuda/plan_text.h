// SPDX-License-Identifier: Apache-2.0
// The module's words about a plan as facts for describe.
//
//   in:  the text of plan_describe (cuda/module.h): kernel, form, bits, why, estimated_us, device.<fact>,
//        refused.<kernel>
//   out: engine "cuda", form "<kernel>, <form>", bits, why, estimated_seconds, device, refused
//   refuses: nothing; unknown lines are skipped
#pragma once

#include <string>

#include "src/backend/facts.h"

namespace ctconv {

PlanFacts read_plan_text(const std::string& text);

}  // namespace ctconv
