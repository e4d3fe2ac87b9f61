// SPDX-License-Identifier: Apache-2.0
// See tuning_place.h.
#include "tools/cli/tuning_place.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace cli {

std::string cache_place(const char* variable, const char* name) {
  if (const char* named = std::getenv(variable)) return named;
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache != '\0') return std::string(cache) + "/ctconv/" + name;
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home != '\0') return std::string(home) + "/.cache/ctconv/" + name;
  return "";
}

TuningPlace tuning_place() {
  namespace fs = std::filesystem;
  const std::string path = cache_place("CTCONV_TUNING_FILE", "tuning.tsv");
  if (path.empty()) return {true, "none: measured times are not kept"};
  std::error_code error;
  if (fs::exists(path, error)) {
    if (!fs::is_regular_file(path, error)) return {false, path + ": not a file"};
    if (access(path.c_str(), R_OK | W_OK) != 0) return {false, path + ": may not be read and written"};
    return {true, path + ", " + std::to_string(fs::file_size(path, error)) + " bytes"};
  }
  fs::path folder = fs::path(path).parent_path();
  while (!folder.empty() && !fs::exists(folder, error) && folder != folder.parent_path()) folder = folder.parent_path();
  const std::string above = folder.empty() ? "." : folder.string();
  if (!fs::is_directory(above, error) || access(above.c_str(), W_OK | X_OK) != 0)
    return {false, path + ": cannot be made, " + above + " is no folder that may be written"};
  return {true, path + ", nothing measured yet"};
}

}  // namespace cli
