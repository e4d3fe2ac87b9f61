// SPDX-License-Identifier: Apache-2.0
// Random problems for the fuzzers of an engine's domain: small in memory and work, wild in their numbers.
//
//   in:  a seed and an index;   out: one legal Problem, the same on every run
//   Each number is drawn small, and up to three of them near a power of two up to 2^31 instead.
//   Memory and work stay below a budget: numbers that were not drawn wild give way first.
#pragma once

#include <cstdint>

#include "src/problem/problem.h"

namespace ctconv::domain {

struct Budget {
  int64_t bytes = int64_t{64} << 20;  // of the largest tensor
  double flop = 4e6;                  // useful work, and taps times outputs of one axis
};

Problem problem_at(uint64_t seed, uint64_t index, const Budget& most);

}  // namespace ctconv::domain
