// SPDX-License-Identifier: Apache-2.0
// What describe says of a plan and of an op, whoever runs them: one list of facts for every device.
//
//   in:  a backend's plan, or what it keeps;   out: facts (capi/describe.cpp writes them as `key: value` lines)
//   A fact that has no meaning on a device keeps its default, and no line is written for it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
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
  std::string bits;                                          // which promise the results keep
  std::vector<std::pair<std::string, std::string>> device;   // fact of the device, value
  std::vector<std::pair<std::string, std::string>> refused;  // engine or kernel, reason
};

// Of a backward call: each of its two plans, where it has it.
struct GradientFacts {
  size_t workspace_bytes = 0;
  std::optional<PlanFacts> data, weight;
};

// What an op keeps between calls.
struct OpFacts {
  size_t plans = 0, packed_bytes = 0, weight_bytes = 0, workspace_bytes = 0;
  int32_t threads = 0;            // 0: threads of the host have no part in it
  int32_t cores = 0;              // that the process may use; 0 as above
  std::string runner, cpu_quota;  // whose threads; empty as above
};

// Sums the bytes of buffers that several plans may share: each buffer counts once.
class SharedBytes {
 public:
  void add(const void* buffer, size_t bytes) {
    if (buffer == nullptr || std::find(seen_.begin(), seen_.end(), buffer) != seen_.end()) return;
    seen_.push_back(buffer);
    sum_ += bytes;
  }
  size_t sum() const { return sum_; }

 private:
  std::vector<const void*> seen_;
  size_t sum_ = 0;
};

}  // namespace ctconv
