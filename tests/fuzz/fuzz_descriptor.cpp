// SPDX-License-Identifier: Apache-2.0
// Property: whatever the bytes choose as dialect, arguments, tensors and output_size, every call answers OK or a known
//           status with a
// complete report, nothing beyond y is written, and nothing of y after a failure (hostile.h). Tensors are small where
// they are executed.
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  hostile::Bytes source(data, size);
  std::string said;
  hostile::Counts counts;
  const std::string fault = hostile::one_life(source, &said, &counts);
  if (!fault.empty()) {
    std::fprintf(stderr, "%s\n%s", said.c_str(), fault.c_str());
    std::abort();
  }
  return 0;
}
