// SPDX-License-Identifier: Apache-2.0
// Where a file lies that this library keeps for its user.
//
//   in:  the environment variable that names it, and its name in the cache folder
//   out: the variable's value, also an empty one (none is kept); else $XDG_CACHE_HOME/ctconv/<name>, else
//        ~/.cache/ctconv/<name>; empty where nothing says where
#pragma once

#include <cstdlib>
#include <string>

namespace ctconv {

inline std::string cache_place(const char* variable, const char* name) {
  if (const char* file = std::getenv(variable)) return file;
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache != '\0') return std::string(cache) + "/ctconv/" + name;
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home != '\0') return std::string(home) + "/.cache/ctconv/" + name;
  return {};
}

}  // namespace ctconv
