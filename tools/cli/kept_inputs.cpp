// SPDX-License-Identifier: Apache-2.0
// Comparing files, not names; see kept_inputs.h.
#include "tools/cli/kept_inputs.h"

#include <sys/stat.h>

#include <utility>

#include "tools/cli/fault.h"

namespace cli {
namespace {

// Whether both are one regular file.
bool same_file(const std::string& one, const std::string& other) {
  struct stat a, b;
  if (one.empty() || other.empty() || stat(one.c_str(), &a) != 0 || stat(other.c_str(), &b) != 0) return false;
  return S_ISREG(a.st_mode) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

}  // namespace

void keep_inputs(const Request& r) {
  const std::string words = r.arguments.rfind('@', 0) == 0 ? r.arguments.substr(1) : std::string();
  const std::pair<const char*, const std::string&> sources[] = {
      {"-x", r.x}, {"-w", r.weight}, {"-b", r.bias}, {"the arguments", words}, {"--layers", r.layers}};
  const std::string tiled = r.tiles ? r.output : std::string();
  const std::pair<const char*, const std::string&> outputs[] = {{"-o", tiled}, {"the picture", r.picture}};
  for (const auto& [option, output] : outputs) {
    for (const auto& [name, source] : sources) {
      if (!same_file(output, source)) continue;
      throw Fault("OPTION", std::string(option) + " is " + output + ", the file of " + name +
                                ", which would be lost; give another path");
    }
  }
}

}  // namespace cli
