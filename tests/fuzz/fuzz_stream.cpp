// SPDX-License-Identifier: Apache-2.0
// Property: whatever the bytes choose as op, portions and faults, a stream gives the bits of one whole call, and a
//           refusal changes nothing (hostile_stream.h).
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/bytes.h"
#include "tests/fuzz/hostile_stream.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  hostile::Bytes source(data, size);
  std::string said;
  hostile::StreamCounts counts;
  const std::string fault = hostile::one_stream(source, &said, &counts);
  if (!fault.empty()) {
    std::fprintf(stderr, "%s\n%s", said.c_str(), fault.c_str());
    std::abort();
  }
  return 0;
}
