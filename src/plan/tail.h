// SPDX-License-Identifier: Apache-2.0
// The zero tail: rows after the core that belong to y and are exactly 0 (no bias).
#pragma once

#include "src/base/runner.h"
#include "src/base/status.h"
#include "src/problem/problem.h"

namespace ctconv {

Status fill_tail(const Problem& problem, void* y, const Runner& runner);

}  // namespace ctconv
