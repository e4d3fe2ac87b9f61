// SPDX-License-Identifier: Apache-2.0
// Property: any bytes as tuning file cost a measurement, never more. Every key that stands in them can be asked for; a
//           line that is kept is found again, beside every readable line of another key, and the file stays bounded.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "src/plan/tuning_file.h"
#include "tests/fuzz/file_of_bytes.h"

namespace {

using namespace ctconv;

// Keys worth asking for: each line without its last field, and whole.
void ask_for_all(const std::string& path, std::string_view text) {
  for (int lines = 0; !text.empty() && lines < 8; ++lines) {
    const std::string_view line = text.substr(0, text.find('\n'));
    for (const std::string_view key : {line, line.substr(0, line.rfind('\t'))}) {
      (void)recall_tuning(path, std::string(key));
    }
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string path = hostile::file_of_bytes("tuning.tsv", data, size);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ask_for_all(path, text);
  const std::string key = "a\tb\tc\td\te\tf", other = "o\tb\tc\td\te\tf", value = "native=0.25";
  const std::optional<std::string> before = recall_tuning(path, other);
  const bool ours = size == 0 || text.substr(0, 13) == "ctconv-tuning";
  if (keep_tuning(path, key, value) != ours) std::abort();
  if (!ours) {
    if (std::filesystem::file_size(path) != size) std::abort();  // another's file: left as it was
    return 0;
  }
  if (recall_tuning(path, key) != value) std::abort();
  if (recall_tuning(path, other) != before) std::abort();
  if (std::filesystem::file_size(path) > kTuningBytes + 64) std::abort();
  return 0;
}
