// SPDX-License-Identifier: Apache-2.0
// The pool keeps the Runner's contract: each index once, no two tasks of a call on one worker, whatever else runs.
#include "src/base/pool.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

using namespace ctconv;

namespace {

// Runs count tasks and says whether each ran once and no worker ran two at a time.
bool contract_holds(const Runner& runner, int64_t count) {
  std::vector<std::atomic<int>> seen(static_cast<size_t>(count)), busy(static_cast<size_t>(runner.workers()));
  std::atomic<bool> broken{false};
  const bool counted = runner(count, [&](int64_t i, int32_t w) {
    if (busy[w].exchange(1) != 0) broken = true;
    seen[i].fetch_add(1);
    busy[w].store(0);
  });
  if (!counted || broken) return false;
  for (auto& s : seen) {
    if (s != 1) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("pool: every index once, workers apart", "[pool]") {
  PoolHold hold;
  for (int32_t threads : {1, 2, 3, 8, 0}) {
    const Runner runner = pool_runner(threads);
    REQUIRE(runner.workers() == (threads == 0 ? allowed_cores() : threads));
    for (int64_t count : {0, 1, 2, 3, 7, 64, 1000}) REQUIRE(contract_holds(runner, count));
  }
}

TEST_CASE("pool: many short calls", "[pool]") {
  PoolHold hold;
  const Runner runner = pool_runner(4);
  int64_t total = 0;
  for (int64_t call = 0; call < 20000; ++call) {
    std::atomic<int64_t> sum{0};
    REQUIRE(runner(8, [&](int64_t i, int32_t) { sum.fetch_add(i + 1, std::memory_order_relaxed); }));
    total += sum;
  }
  REQUIRE(total == 20000 * 36);
}

TEST_CASE("pool: what tasks wrote is there when the call returns", "[pool]") {
  PoolHold hold;
  const Runner runner = pool_runner(3);
  std::vector<int64_t> plain(64);
  for (int64_t call = 1; call < 3000; ++call) {
    REQUIRE(runner(64, [&](int64_t i, int32_t) { plain[i] += i * call; }));
  }
  for (int64_t i = 0; i < 64; ++i) REQUIRE(plain[i] == i * (2999 * 3000 / 2));
}

TEST_CASE("pool: many callers at once, a busy pool leaves a call its own thread", "[pool]") {
  PoolHold hold;
  const Runner runner = pool_runner(2);
  std::atomic<int> bad{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < 6; ++c) {
    callers.emplace_back([&] {
      for (int call = 0; call < 300; ++call) bad += !contract_holds(runner, 1 + call % 17);
    });
  }
  for (auto& t : callers) t.join();
  REQUIRE(bad == 0);
}

TEST_CASE("pool: a call from inside a task runs inline", "[pool]") {
  PoolHold hold;
  const Runner runner = pool_runner(3);
  std::atomic<int64_t> inner{0};
  REQUIRE(runner(10, [&](int64_t, int32_t) {
    if (!runner(5, [&](int64_t, int32_t worker) { inner += 1 + 1000 * worker; })) inner += 1 << 20;
  }));
  REQUIRE(inner == 50);  // worker 0 only
}

TEST_CASE("pool: threads start with work and are gone after the last release", "[pool]") {
  REQUIRE(pool_threads() == 0);
  const Runner runner = pool_runner(3);
  REQUIRE(contract_holds(runner, 10));  // nobody holds the pool: no thread is started
  REQUIRE(pool_threads() == 0);
  for (int round = 0; round < 20; ++round) {
    auto first = std::make_unique<PoolHold>(), second = std::make_unique<PoolHold>();
    REQUIRE(pool_threads() == 0);
    REQUIRE(contract_holds(runner, 10));
    REQUIRE(pool_threads() == 2);
    first.reset();
    REQUIRE(contract_holds(runner, 10));
    REQUIRE(pool_threads() == 2);
    second.reset();
    REQUIRE(pool_threads() == 0);
  }
}

TEST_CASE("pool: sleeping workers wake again", "[pool]") {
  PoolHold hold;
  const Runner runner = pool_runner(2);
  bool helped = false;
  for (int round = 0; round < 50 && !helped; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // longer than a worker spins
    std::atomic<int> other{0};
    REQUIRE(runner(50, [&](int64_t, int32_t worker) {
      other += worker != 0;
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }));
    helped = other > 0;
  }
  REQUIRE(helped);
}

TEST_CASE("pool: holders may come and go while others call", "[pool]") {
  const Runner runner = pool_runner(3);
  std::atomic<int> bad{0};
  std::vector<std::thread> users;
  for (int u = 0; u < 4; ++u) {
    users.emplace_back([&] {
      for (int round = 0; round < 100; ++round) {
        PoolHold hold;
        for (int call = 0; call < 3; ++call) bad += !contract_holds(runner, 9);
      }
    });
  }
  for (auto& t : users) t.join();
  REQUIRE(bad == 0);
  REQUIRE(pool_threads() == 0);
}

// The sanitizers of GCC 12 do not follow threads started in a child of a threaded process: the address one hangs in
// pthread_create.
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
TEST_CASE("pool: a child of fork has a pool of its own", "[pool]") {
  PoolHold hold;
  const Runner runner = pool_runner(3);
  REQUIRE(contract_holds(runner, 100));
  for (const bool during_a_call : {false, true}) {
    std::atomic<pid_t> child{-1};
    if (during_a_call) {  // the pool is busy and its locks may be held in the copy
      REQUIRE(runner(1, [](int64_t, int32_t) {}));
      std::atomic<bool> stop{false};
      std::thread caller([&] {
        while (!stop) (void)contract_holds(runner, 50);
      });
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      child = fork();
      if (child != 0) {
        stop = true;
        caller.join();
      } else {
        caller.detach();
      }
    } else {
      child = fork();
    }
    if (child == 0) {
      alarm(20);
      bool good = pool_threads() == 0;
      for (int i = 0; i < 100; ++i) good = good && contract_holds(runner, 100);
      good = good && pool_threads() == 2;
      pool_release();
      good = good && pool_threads() == 0;
      _exit(good ? 0 : 1);
    }
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  }
  REQUIRE(contract_holds(runner, 100));
}
#endif
