// SPDX-License-Identifier: Apache-2.0
// Property: whatever the bytes choose as layer, box and faults, a box of y has the bits of the whole call, and a
//           refusal changes nothing (hostile_region.h).
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/bytes.h"
#include "tests/fuzz/hostile_region.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  hostile::Bytes source(data, size);
  std::string said;
  hostile::RegionCounts counts;
  const std::string fault = hostile::one_region(source, &said, &counts);
  if (!fault.empty()) {
    std::fprintf(stderr, "%s\n%s", said.c_str(), fault.c_str());
    std::abort();
  }
  return 0;
}
