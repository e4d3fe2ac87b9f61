// SPDX-License-Identifier: Apache-2.0
// Property: the .npy reader of the command line answers an array or throws its Fault, for any bytes; an array it
//           answers can be walked.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "tools/cli/fault.h"
#include "tools/cli/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string path = "/tmp/ctconv_fuzz_" + std::to_string(getpid()) + ".npy";
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) std::abort();
  std::fwrite(data, 1, size, file);
  std::fclose(file);
  try {
    (void)cli::read_npy(path);
  } catch (const cli::Fault&) {
  }
  std::remove(path.c_str());
  return 0;
}
