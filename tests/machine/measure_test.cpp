// SPDX-License-Identifier: Apache-2.0
// Measuring: once for all threads, by a child forked meanwhile too, in time, and what is measured is a record.
#include <fenv.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <thread>
#include <vector>

#include "src/machine/amx.h"
#include "src/machine/probe.h"
#include "tests/machine/records.h"

using namespace ctconv;
using namespace ctconv::test;

TEST_CASE("measure: many threads at once get one record", "[machine][threads]") {
  constexpr int kThreads = 8;
  std::vector<const Machine*> seen(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) threads.emplace_back([&seen, t] { seen[static_cast<size_t>(t)] = &machine(); });
  for (std::thread& t : threads) t.join();
  for (const Machine* m : seen) CHECK(m == &machine());
  const std::string text = to_text(machine());
  for (int turn = 0; turn < 100; ++turn) REQUIRE(to_text(machine()) == text);
}

#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
TEST_CASE("measure: a child forked while its parent measures has a record", "[machine]") {
  std::thread parent([] { (void)machine(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    _exit(clamped(machine()) == machine() ? 0 : 1);
  }
  parent.join();
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
#endif

TEST_CASE("measure: speeds are this machine's, within wide limits", "[machine]") {
  const Machine m = measured_machine();
  CHECK(m.source == Machine::Source::kMeasured);
  CHECK(clamped(m) == m);
  const ProbeLoops loops = probe_loops();
  CHECK(m.vector_bytes == loops.vector_bytes);
  CHECK((m.fma == 0.25 || m.fma == 0.5 || m.fma == 1 || m.fma == 2 || m.fma == 4));
  CHECK((m.bf16 > 0) == (dot_loop().rounds != nullptr));
  CHECK((m.amx > 0) == (amx_missing() == nullptr));
  CHECK(m.hertz > 3e8);
  CHECK(m.memory_2 >= m.memory_1);
  CHECK(m.l1 < m.l2);
  CHECK(m.line >= 32);
  CHECK(m.cores >= 1);
  // Each speed is a step of the plain one's.
  CHECK(in_steps(m.hertz, Machine().hertz) == m.hertz);
  CHECK(in_steps(m.memory_1, Machine().memory_1) == m.memory_1);
}

TEST_CASE("measure: the best of several tries takes milliseconds", "[machine]") {
  double best = 1e9;
  for (int n = 0; n < 20 && best > 0.015; ++n) {
    const auto start = std::chrono::steady_clock::now();
    (void)measured_machine();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
  CHECK(best <= 0.015);
#else
  CHECK(best <= 1);
#endif
}

TEST_CASE("measure: the caller's rounding is as it was", "[machine]") {
  REQUIRE(fesetround(FE_UPWARD) == 0);
  const Machine m = measured_machine();
  const int after = fegetround();
  fesetround(FE_TONEAREST);
  CHECK(after == FE_UPWARD);
  CHECK(clamped(m) == m);
}

TEST_CASE("measure: a pinned record is what everybody reads, for its scope", "[machine]") {
  const Machine own = machine();
  {
    const PinnedMachine pinned(sapphire_rapids());
    CHECK(machine() == sapphire_rapids());
    std::thread([] { CHECK(machine().fma == 2); }).join();
  }
  CHECK(machine() == own);
}
