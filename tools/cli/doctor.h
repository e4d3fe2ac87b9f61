// SPDX-License-Identifier: Apache-2.0
// What `ctconv doctor` finds: one line a part, and the halves that look for it.
#pragma once

#include <string>
#include <vector>

namespace cli {

struct Finding {
  // state: ok, none (not there, and nothing of this machine needs it), missing, wrong
  std::string part, state, text, mend;  // mend: empty, or what to do
};

// Library, build, system, processor, caches, environment, and each engine of the CPU with its element types or its
// reason.
std::vector<Finding> cpu_findings();

// The findings in one paragraph, lines of at most 100 characters, without the home folder's name.
std::string paragraph_of(const std::vector<Finding>& findings);

}  // namespace cli
