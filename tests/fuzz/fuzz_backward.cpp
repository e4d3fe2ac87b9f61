// SPDX-License-Identifier: Apache-2.0
// Property: whatever the bytes choose as op, tensors and faults, the backward calls answer OK or a known status with a
//           complete report; a refusal changes no byte, and OK none but the wanted gradients' (hostile_backward.h).
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/bytes.h"
#include "tests/fuzz/hostile_backward.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  hostile::Bytes source(data, size);
  std::string said;
  hostile::BackwardCounts counts;
  const std::string fault = hostile::one_backward(source, &said, &counts);
  if (!fault.empty()) {
    std::fprintf(stderr, "%s\n%s", said.c_str(), fault.c_str());
    std::abort();
  }
  return 0;
}
