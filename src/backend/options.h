// SPDX-License-Identifier: Apache-2.0
// What an op was asked for, read from the caller's ctconv_options (capi/options.cpp).
//
//   in:  one record, judged field by field;   out: plain values, defaults filled;   refuses: nothing, it is legal
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "src/base/memory.h"
#include "src/base/runner.h"
#include "src/problem/problem.h"

namespace ctconv {

struct Options {
  std::string device = "cpu", engine = "auto";
  bool cuda = false;
  int32_t ordinal = 0;
  int32_t threads = 0, plan_limit = 32;
  size_t workspace_limit = SIZE_MAX;
  Activation activation;
  bool measure = false, allow_tf32 = false, borrow_weights = false;
  int32_t reproducible = 0;      // 0 any bits but reduced ones, 1 the reference's, 2 the reference's or stable ones
  int32_t math = 0;              // 1: operands may be rounded below their own type
  std::optional<Runner> runner;  // the caller's hook, all of its workers
  Allocator allocator;
};

}  // namespace ctconv
