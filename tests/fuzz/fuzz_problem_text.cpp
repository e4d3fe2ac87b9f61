// SPDX-License-Identifier: Apache-2.0
// Property: the parser of the one-line problem form answers a Problem or MISUSE_OPTION with a message; what it accepts
//           prints, and the
// printed line parses to the same line; hashing and counting work on what it accepts.
#include <cstdlib>

#include "src/problem/text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ctconv;
  auto problem = problem_from_text({reinterpret_cast<const char*>(data), size});
  if (!problem.ok()) {
    if (problem.status().code() != Code::MISUSE_OPTION || problem.status().detail().message.size() <= 10) std::abort();
    return 0;
  }
  const std::string line = to_text(*problem);
  auto again = problem_from_text(line);
  if (!again.ok() || to_text(*again) != line) std::abort();
  if (useful_flop(*problem) < 0 || moved_bytes(*problem) < 0 || hash_of(*problem) != hash_of(*problem)) std::abort();
  return 0;
}
