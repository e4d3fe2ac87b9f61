// What a call is expected to take: flop over the rate of the implementation oneDNN named, plus the bytes moved.
//
//   in:  Problem, implementation string, threads, bytes of the reorders;   out: seconds (for comparing engines only)
//   seconds = calls + flop / rate + bytes / bandwidth + reorder bytes / reorder bandwidth
#pragma once

#include <string>

#include "src/problem/problem.h"

namespace ctconv::onednn {

// What no implementation stays below: asked before any is generated.
double least_seconds(const Problem& p, int32_t threads, double reorder_bytes);

double estimated_seconds(const Problem& p, const std::string& implementation, int32_t threads, double reorder_bytes);

}  // namespace ctconv::onednn
