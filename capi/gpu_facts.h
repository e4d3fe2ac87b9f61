// The module's words about a plan as facts for describe.
//
//   in:  the text of plan_describe (cuda/module.h): kernel, form, why, estimated_us, device.<fact>,
//        refused.<kernel>
//   out: engine "cuda", form "<kernel>, <form>", why, estimated_seconds, device, refused; unknown lines are skipped
#pragma once

#include "capi/described.h"

namespace ctconv {

PlanFacts facts_of(const std::string& text);

}  // namespace ctconv
