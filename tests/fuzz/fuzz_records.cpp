// SPDX-License-Identifier: Apache-2.0
// Property: whatever struct_size a record claims and whatever lies in its tail, it has the one status it must have, and
//           no byte beyond it is read or written (hostile_records.h).
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/bytes.h"
#include "tests/fuzz/hostile_records.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  hostile::Bytes source(data, size);
  std::string said;
  hostile::RecordCounts counts;
  const std::string fault = hostile::one_record(source, &said, &counts);
  if (!fault.empty()) {
    std::fprintf(stderr, "%s\n%s\n", said.c_str(), fault.c_str());
    std::abort();
  }
  return 0;
}
