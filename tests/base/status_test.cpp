// SPDX-License-Identifier: Apache-2.0
// Status and Result: a Result is never OK without a value.
#include "src/base/status.h"

#include <catch2/catch_test_macros.hpp>

using namespace ctconv;

TEST_CASE("result: made from an OK status it fails, and says that the fault is ours", "[base][status]") {
  Result<int> result = Status();
  CHECK_FALSE(result.ok());
  CHECK(result.status().code() == Code::INTERNAL);
  CHECK(result.take_status().detail().message == "a result without a value and without a fault");
}

TEST_CASE("result: a value is OK, a failing status keeps its detail", "[base][status]") {
  Result<int> value = 3;
  CHECK(value.ok());
  CHECK(value.status().ok());
  CHECK(*value == 3);
  Result<int> failed = argument_error(Code::VALUE_STRIDE, "stride", "0", ">= 1", "is out of range", 1);
  CHECK_FALSE(failed.ok());
  CHECK(failed.status().code() == Code::VALUE_STRIDE);
  CHECK(failed.status().detail().message == "stride[1]: is out of range, got 0; legal: >= 1");
}
