// SPDX-License-Identifier: Apache-2.0
// The range of problems in which oneDNN was fuzzed: outside it is never asked.
//
//   in:  a Problem that is not empty;   out: empty where it lies inside, else the argument, its value and the range
//   Evidence: docs/decisions/onednn-domain.md. The fuzzer: tests/domain.
#pragma once

#include <string>

#include "src/problem/problem.h"

namespace ctconv::onednn {

std::string domain_refusal(const Problem& p);

}  // namespace ctconv::onednn
