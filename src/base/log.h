// SPDX-License-Identifier: Apache-2.0
// Rare remarks for people: written to stderr only where CTCONV_LOG is set to something other than 0.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

namespace ctconv {

inline void log_line(const char* stage, const char* what) {
  const char* on = std::getenv("CTCONV_LOG");
  if (on == nullptr || on[0] == '\0' || on[0] == '0') return;
  const std::string line = std::string("ctconv: ") + stage + ": " + what + "\n";
  std::fputs(line.c_str(), stderr);
}

}  // namespace ctconv
