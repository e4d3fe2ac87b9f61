// SPDX-License-Identifier: Apache-2.0
// The corpora without a fuzzer: every input once, in a build of any compiler.
//
//   in:  a target's name, folders of inputs
//   out: exit 0; a broken property ends the program, as it does in the fuzzer
//   usage: fuzz_replay TARGET FOLDER...
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

using Target = int(const uint8_t* data, size_t size);

// Each target's file is compiled with its entry point named after it.
#define TARGET(name) extern "C" Target name;
#include "targets.inc"
#undef TARGET

namespace {

constexpr struct {
  const char* name;
  Target* run;
} kTargets[] = {
#define TARGET(name) {#name, name},
#include "targets.inc"
#undef TARGET
};

std::vector<uint8_t> bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

int main(int argc, char** argv) {
  Target* target = nullptr;
  for (const auto& row : kTargets) {
    if (argc > 1 && std::strcmp(argv[1], row.name) == 0) target = row.run;
  }
  if (target == nullptr || argc < 3) return std::fputs("usage: fuzz_replay TARGET FOLDER...\n", stderr), 2;
  int count = 0;
  for (int n = 2; n < argc; ++n) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[n])) {
      const std::vector<uint8_t> bytes = bytes_of(entry.path());
      std::printf("%s\n", entry.path().filename().c_str());
      std::fflush(stdout);  // the last line names the input that ended the program
      target(bytes.data(), bytes.size());
      ++count;
    }
  }
  std::printf("%s: %d inputs\n", argv[1], count);
  return count > 0 ? 0 : 1;
}
