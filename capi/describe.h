// SPDX-License-Identifier: Apache-2.0
// The facts of a plan as `key: value` lines: one writer for forward and backward.
#pragma once

#include <string>

#include "src/backend/facts.h"

namespace ctconv {

std::string describe_plan(const PlanFacts& plan);

}  // namespace ctconv
