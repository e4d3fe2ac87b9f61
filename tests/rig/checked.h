// SPDX-License-Identifier: Apache-2.0
// Runs for Catch2 tests: a fault of the engine fails the test at once.
#pragma once

#include <catch2/catch_test_macros.hpp>

#include "src/problem/text.h"
#include "tests/rig/trial.h"

namespace ctconv::rig {

inline Outcome checked(const Engine& engine, const Case& c, const PlanContext& context = {},
                       const Runner& runner = Runner()) {
  Outcome out = run(engine, c, context, runner);
  INFO(to_text(c.p));
  INFO(out.form);
  REQUIRE(out.fault.empty());
  return out;
}

inline Outcome checked(const PlanTrial& trial, const Case& c, const Runner& runner = Runner()) {
  Outcome out = run_planned(trial, c, runner);
  INFO(to_text(c.p));
  INFO(out.engine << ": " << out.form);
  REQUIRE(out.fault.empty());
  return out;
}

// The values of a run that must succeed.
inline std::vector<double> values_of(const Engine& engine, const Case& c) {
  const Outcome out = checked(engine, c);
  REQUIRE(out.status.ok());
  return out.written.values;
}

inline Problem random_of(Rng& rng, Dtype dtype, Layouts layouts) {
  Limits limits;
  limits.types = {uniform_types(dtype)};
  limits.layouts = layouts;
  return random_problem(rng, limits);
}

}  // namespace ctconv::rig
