// SPDX-License-Identifier: Apache-2.0
// Thousands of random lives of ops on a device whose module fails at will: a status with its message or the CPU's bits.
#include <catch2/catch_test_macros.hpp>

#include "tests/capi/support.h"
#include "tests/fuzz/hostile_device.h"
#include "tests/fuzz/random_source.h"

TEST_CASE("device: random lives, the module failing at will", "[device][hostile]") {
  hostile::HostModule& module = hostile::host_module(CTCONV_HOST_MODULE);
  hostile::DeviceCounts counts;
  constexpr uint64_t kRounds = 2000;
  for (uint64_t round = 0; round < kRounds; ++round) {
    const uint64_t seed = capi::test_seed() + round;
    hostile::RandomSource source(seed);
    std::string said;
    const std::string fault = hostile::one_device(source, module, &said, &counts);
    INFO("seed " << seed << "\n" << said);
    REQUIRE(fault == "");
  }
  INFO(counts.created << " created, " << counts.ran << " ran, " << counts.gradients << " gradients, " << counts.refused
                      << " refused, " << counts.failed << " failures of the device");
  CHECK(counts.ran > static_cast<int64_t>(kRounds / 2));
  CHECK(counts.gradients > static_cast<int64_t>(kRounds / 4));
  CHECK(counts.failed > static_cast<int64_t>(kRounds / 8));
}
