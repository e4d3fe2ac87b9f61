// SPDX-License-Identifier: Apache-2.0
// A fuzzer's bytes as a file of this process, for readers that take a path.
//
//   in:  a name, bytes;   out: the path, the same for each input;   ends the program where the file cannot be written
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace hostile {

// Its folder is new for this process, so that nothing beside it is touched.
inline std::string file_of_bytes(const char* name, const uint8_t* data, size_t size) {
  static const std::filesystem::path& folder = *[] {
    std::string pattern = (std::filesystem::temp_directory_path() / "ctconv-fuzz-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    std::atexit([] { std::filesystem::remove_all(folder); });
    return new std::filesystem::path(pattern);  // outlives the exit handler
  }();
  const std::string path = (folder / name).string();
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) std::abort();
  std::fwrite(data, 1, size, file);
  std::fclose(file);
  return path;
}

}  // namespace hostile
