// SPDX-License-Identifier: Apache-2.0
// A value that outlives fork: kept where its lock was free, abandoned where another thread held it.
#include "src/base/guarded.h"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <string>
#include <thread>
#include <vector>

using namespace ctconv;

namespace {

std::string in_child(const std::function<bool()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    _exit(body() ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                             : "exit " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

TEST_CASE("guarded: a child of fork keeps a value nobody held", "[guarded]") {
  const uint32_t before = forks();
  Guarded<std::vector<int>> numbers;
  numbers.lock()->push_back(7);
  CHECK(in_child([&] {
          const auto held = numbers.lock();
          return forks() == before + 1 && held->size() == 1 && held->front() == 7;
        }) == "exit 0");
  CHECK(forks() == before);
  CHECK(numbers.lock()->size() == 1);
}

// ThreadSanitizer bears no new thread in a child of a process with threads.
#if defined(__SANITIZE_THREAD__)
constexpr int kThreadsOfChild = 0;
#else
constexpr int kThreadsOfChild = 4;
#endif

TEST_CASE("guarded: a child of fork begins anew where another thread held the value", "[guarded]") {
  Guarded<std::vector<int>> numbers;
  std::atomic<int> stage{0};
  std::thread holder([&] {
    const auto held = numbers.lock();
    held->push_back(7);
    stage = 1;
    while (stage != 2) std::this_thread::yield();
  });
  while (stage != 1) std::this_thread::yield();
  CHECK(in_child([&] {
          // Several threads of the child come at once; and its own child goes on.
          std::vector<std::thread> all;
          for (int n = 0; n < kThreadsOfChild; ++n) all.emplace_back([&] { numbers.lock()->push_back(1); });
          for (std::thread& t : all) t.join();
          for (int n = kThreadsOfChild; n < 4; ++n) numbers.lock()->push_back(1);
          const bool whole = numbers.lock()->size() == 4;
          return whole && in_child([&] { return numbers.lock()->size() == 4; }) == "exit 0";
        }) == "exit 0");
  stage = 2;
  holder.join();
  CHECK(*numbers.lock() == std::vector<int>{7});
}
