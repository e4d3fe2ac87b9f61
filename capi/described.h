// What describe says of a plan and of an op, whoever runs them: one list of facts for every device, one writer.
//
//   in:  the facts;   out: the `key: value` lines of ctconv_describe (capi/describe.cpp writes them)
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "src/problem/problem.h"

namespace ctconv {

struct PlanFacts {
  std::string engine, form, why;
  Problem problem;
  double estimated_seconds = 0;
  size_t workspace_bytes = 0, packed_bytes = 0;
  int32_t threads = 0;                                       // 0: threads of the host have no part in it
  std::vector<std::pair<std::string, std::string>> device;   // fact of the device, value
  std::vector<std::pair<std::string, std::string>> refused;  // engine or kernel, reason
};

// What an op keeps between calls.
struct OpFacts {
  size_t plans = 0, packed_bytes = 0, weight_bytes = 0, workspace_bytes = 0;
};

}  // namespace ctconv
