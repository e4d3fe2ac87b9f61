// SPDX-License-Identifier: Apache-2.0
// What a call is expected to take: flop over the rate of the implementation oneDNN named, plus the bytes moved.
//
//   in:  Problem, implementation, threads, bytes of the reorders, the machine record (src/machine)
//   out: seconds (for comparing engines only)
//   seconds = calls + flop / rate + bytes / bandwidth + reorder bytes / reorder bandwidth
//   What is asked before anything is generated also holds a part of the time that generating takes.
#pragma once

#include "src/engine/onednn/implementation.h"
#include "src/problem/problem.h"

namespace ctconv::onednn {

// What no implementation stays below, and a share of its making: asked before any is generated.
double least_seconds(const Problem& p, int32_t threads, double reorder_bytes);

double estimated_seconds(const Problem& p, const Implementation& by, int32_t threads, double reorder_bytes);

}  // namespace ctconv::onednn
