// SPDX-License-Identifier: Apache-2.0
// Every list of activations by name is the library's.
#include "src/base/activations.h"

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "tools/cli/activations.h"

TEST_CASE("activations: the command line knows all of them, their numbers and parameters", "[activations]") {
  REQUIRE(std::size(cli::kActivations) == std::size(ctconv::kActivations));
  for (const ctconv::ActivationRow& row : ctconv::kActivations) {
    REQUIRE(cli::activation_number(row.name) == row.kind);
    CHECK(cli::kActivations[row.kind].parameters == row.parameters);
  }
  CHECK(cli::activation_number("gelu") == -1);
}
