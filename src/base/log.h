// Rare remarks for people: written to stderr only where CTCONV_LOG is set to something other than 0.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace ctconv {

inline void log_line(const char* stage, const char* what) {
  const char* on = std::getenv("CTCONV_LOG");
  if (on != nullptr && on[0] != '\0' && on[0] != '0') std::fprintf(stderr, "ctconv: %s: %s\n", stage, what);
}

}  // namespace ctconv
