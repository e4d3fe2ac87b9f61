// SPDX-License-Identifier: Apache-2.0
// See tuning_place.h.
#include "tools/cli/tuning_place.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace cli {
namespace {

// As src/plan/tuning_file.h has them; tests/cli holds these to a file that the library wrote.
constexpr const char* kVersion = "ctconv-tuning 2";
constexpr const char* kAnyVersion = "ctconv-tuning ";
constexpr int64_t kFields = 6;
constexpr uintmax_t kMostBytes = 4 << 20;

// What the library would make of a plain file that is there.
TuningPlace judged(const std::string& path, uintmax_t bytes) {
  if (bytes > kMostBytes) return {false, path + ": larger than 4 MiB, and so not read"};
  std::ifstream file(path, std::ios::binary);
  std::string line;
  if (!std::getline(file, line))
    return {bytes == 0, path + (bytes == 0 ? ", nothing measured yet" : ": cannot be read")};
  if (line.rfind(kAnyVersion, 0) != 0) return {false, path + ": is no tuning file, and left as it is: no time is kept"};
  if (line != kVersion) return {true, path + ", of another release: measured anew"};
  size_t good = 0, broken = 0;
  while (std::getline(file, line)) {
    if (line.empty()) continue;
    const bool plain = std::none_of(line.begin(), line.end(), [](char c) { return c != '\t' && c >= 0 && c < ' '; });
    const bool whole = plain && !file.eof() && std::count(line.begin(), line.end(), '\t') == kFields;
    ++(whole ? good : broken);
  }
  const std::string text =
      path + ", " + std::to_string(bytes) + " bytes, times of " + std::to_string(good) + " problems";
  if (broken == 0) return {true, text};
  return {false, text + "; damaged lines, passed over: " + std::to_string(broken)};
}

}  // namespace

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
  if (fs::is_symlink(path, error)) return {false, path + ": a symbolic link, which the library does not follow"};
  if (fs::exists(path, error)) {
    if (!fs::is_regular_file(path, error)) return {false, path + ": not a file"};
    if (access(path.c_str(), R_OK | W_OK) != 0) return {false, path + ": may not be read and written"};
    return judged(path, fs::file_size(path, error));
  }
  fs::path folder = fs::path(path).parent_path();
  while (!folder.empty() && !fs::exists(folder, error) && folder != folder.parent_path()) folder = folder.parent_path();
  const std::string above = folder.empty() ? "." : folder.string();
  if (!fs::is_directory(above, error) || access(above.c_str(), W_OK | X_OK) != 0)
    return {false, path + ": cannot be made, " + above + " is no folder that may be written"};
  return {true, path + ", nothing measured yet"};
}

}  // namespace cli
