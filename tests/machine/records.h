// SPDX-License-Identifier: Apache-2.0
// Records of two kinds of machine, and what an engine expects on each.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <cmath>

#include "src/machine/machine.h"
#include "src/plan/engine.h"
#include "tests/rig/layouts.h"

namespace ctconv::test {

// Measured 2026-11-26: two 512-bit multiply-adds a cycle, AVX-512 and AMX, two cores of a virtual machine.
inline Machine sapphire_rapids() {
  Machine m;
  m.hertz = 2.8e9;
  m.fma = 2;
  m.bf16 = 0.5;
  m.amx = 1;
  m.l1 = 48 << 10;
  m.l2 = 2 << 20;
  m.l3 = int64_t{300} << 20;
  m.memory_1 = 22e9;
  m.memory_2 = 43e9;
  m.memory_4 = m.memory_all = 86e9;
  return m;
}

// Two axes, kernel and stride the same on both, no padding.
inline Problem square(int64_t ci, int64_t co, int64_t extent, int64_t k, int64_t s, bool last) {
  Problem p;
  p.rank = 2;
  p.ci = ci;
  p.co = co;
  for (int a = 1; a < 3; ++a) {
    p.axis[a].i = extent;
    p.axis[a].k = k;
    p.axis[a].s = s;
    p.axis[a].o = (extent - 1) * s + k;
  }
  rig::lay_out(&p, last, last);
  return p;
}

inline double estimate(const Engine& engine, const Problem& p, const Machine& m, int32_t threads = 2) {
  const PinnedMachine pinned(m);
  PlanContext context;
  context.threads = threads;
  auto kernel = engine.plan(p, context);
  REQUIRE(kernel.ok());
  return (*kernel)->estimated_seconds();
}

inline bool within(double value, double want, double share) { return std::abs(value - want) <= share * want; }

}  // namespace ctconv::test
