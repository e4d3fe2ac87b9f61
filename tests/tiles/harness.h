// SPDX-License-Identifier: Apache-2.0
// What the tests of the tile engines share: problems in one type, runs on threads.
#pragma once

#include <atomic>
#include <thread>
#include <vector>

#include "tests/rig/checked.h"

namespace ctconv::tiles_test {

// Starts a thread per worker and call: slow, honest, for tests.
inline void threads_for(void* user, int64_t count, Runner::Task task, void* data) {
  const int workers = *static_cast<int*>(user);
  std::atomic<int64_t> next{0};
  std::vector<std::thread> pool;
  for (int w = 0; w < workers; ++w) {
    pool.emplace_back([&, w] {
      for (int64_t i; (i = next.fetch_add(1)) < count;) task(data, i, w);
    });
  }
  for (auto& t : pool) t.join();
}

inline rig::Outcome run_on(const Engine& engine, const rig::Case& c, int workers) {
  PlanContext context;
  context.threads = workers;
  const Runner runner = workers == 1 ? Runner() : Runner(&threads_for, &workers, workers);
  return rig::checked(engine, c, context, runner);
}

inline Problem problem_of(rig::Rng& rng, Dtype type, rig::Layouts layouts) {
  rig::Limits limits;
  limits.types = {uniform_types(type)};
  limits.layouts = layouts;
  limits.extents = {150, 18, 7};
  limits.channels = 70;
  limits.steps = 9;
  limits.far = 40;
  limits.tails = false;
  return rig::random_problem(rng, limits);
}

// Why the engine cannot run here; empty: it can.
inline std::string missing(const Engine& engine) {
  rig::Rng rng(1);
  const auto kernel = engine.plan(problem_of(rng, Dtype::kBf16, rig::Layouts::kDense), {});
  if (kernel.ok()) return {};
  const std::string why = kernel.status().detail().message;
  return why.find("this CPU") != std::string::npos || why.find("kernel") != std::string::npos ? why : std::string();
}

}  // namespace ctconv::tiles_test
