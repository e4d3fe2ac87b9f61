// SPDX-License-Identifier: Apache-2.0
// The reference's gradients: kernels for problems that write x or w. See gradient_x.cpp and gradient_w.cpp.
//
//   in:  a Problem with written == kX or kW;   out: its kernel;   refuses: nothing
#pragma once

#include "src/plan/engine.h"

namespace ctconv::reference {

Result<std::unique_ptr<Kernel>> gradient_x(const Problem& problem, int32_t threads);
Result<std::unique_ptr<Kernel>> gradient_w(const Problem& problem, int32_t threads);

}  // namespace ctconv::reference
