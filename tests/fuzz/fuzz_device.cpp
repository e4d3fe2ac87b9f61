// SPDX-License-Identifier: Apache-2.0
// Property: whatever the bytes choose as op, calls and answers of the device's module, every call has a status with a
//           complete report, what is OK has the CPU's bits, and nothing stays on the device (hostile_device.h). Any
//           bytes as the module's words about a plan are facts.
#include <cstdio>
#include <cstdlib>

#include "src/backend/cuda/plan_text.h"
#include "tests/fuzz/bytes.h"
#include "tests/fuzz/hostile_device.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ctconv::PlanFacts facts = ctconv::read_plan_text({reinterpret_cast<const char*>(data), size});
  if (facts.engine != "cuda") std::abort();
  hostile::Bytes source(data, size);
  std::string said;
  hostile::DeviceCounts counts;
  const std::string fault = hostile::one_device(source, hostile::host_module(CTCONV_HOST_MODULE), &said, &counts);
  if (!fault.empty()) {
    std::fprintf(stderr, "%s\n%s", said.c_str(), fault.c_str());
    std::abort();
  }
  return 0;
}
