// SPDX-License-Identifier: Apache-2.0
// What Runner sees of a hook that breaks its contract, and that it says nothing of one that keeps it.
#include "src/base/runner.h"

#include <catch2/catch_test_macros.hpp>
#include <thread>
#include <vector>

using namespace ctconv;

namespace {

using Task = Runner::Task;

// Calls the indices of a list, the i-th on worker i modulo workers.
struct List {
  std::vector<int64_t> indices;
  int32_t workers = 4;
  static void parallel_for(void* user, int64_t, Task task, void* data) {
    const auto* list = static_cast<List*>(user);
    int32_t worker = 0;
    for (const int64_t i : list->indices) task(data, i, worker++ % list->workers);
  }
};

bool kept(std::vector<int64_t> indices, int64_t count, int32_t limit = 0) {
  List list{std::move(indices)};
  const Runner runner(List::parallel_for, &list, list.workers, limit);
  return runner(count, [](int64_t, int32_t) {});
}

}  // namespace

TEST_CASE("runner: one index run in the place of another is seen", "[runner]") {
  CHECK(kept({0, 1, 2, 3}, 4));
  CHECK(kept({3, 1, 0, 2}, 4));
  CHECK_FALSE(kept({0, 1, 2, 2}, 4));
  CHECK_FALSE(kept({0, 0, 2, 3}, 4));
  CHECK_FALSE(kept({1, 1}, 2));
  CHECK_FALSE(kept({0, 3, 0, 3}, 4));  // the same count, the same sum of indices
  for (int64_t count = 2; count <= 24; ++count) {
    for (int64_t skipped = 0; skipped < count; ++skipped) {
      for (int64_t repeated = 0; repeated < count; ++repeated) {
        std::vector<int64_t> all;
        for (int64_t i = 0; i < count; ++i) all.push_back(i == skipped ? repeated : i);
        REQUIRE(kept(all, count) == (skipped == repeated));
      }
    }
  }
}

TEST_CASE("runner: a piece run twice, another not at all, is seen", "[runner]") {
  for (const int64_t piece : {1, 2, 16, 64, 1024}) {
    std::vector<int64_t> all;
    for (int64_t i = 0; i < 4 * piece; ++i) all.push_back(i / piece == 2 ? i - piece : i);
    CHECK_FALSE(kept(all, 4 * piece));
  }
}

TEST_CASE("runner: with fewer threads than the hook has workers the same is seen", "[runner]") {
  CHECK(kept({0, 1}, 100, 2));
  CHECK_FALSE(kept({1, 1}, 100, 2));
  CHECK_FALSE(kept({0}, 100, 2));
}

TEST_CASE("runner: large counts are summed up right", "[runner]") {
  for (const int64_t count : {int64_t{3}, int64_t{65535}, int64_t{65536}, int64_t{1} << 20, (int64_t{1} << 20) + 1}) {
    std::vector<int64_t> all;
    for (int64_t i = 0; i < count; ++i) all.push_back(i);
    CHECK(kept(all, count));
    all.back() = 0;
    CHECK_FALSE(kept(all, count));
  }
}

#if !defined(NDEBUG)
TEST_CASE("runner: two tasks of one worker at the same time are seen in debug builds", "[runner]") {
  struct Meeting {
    std::atomic<bool> inside{false}, tried{false};
  } meeting;
  const auto hook = [](void* user, int64_t, Task task, void* data) {
    auto* m = static_cast<Meeting*>(user);
    std::thread other([=] {
      while (!m->inside) std::this_thread::yield();
      task(data, 1, 0);
      m->tried = true;
    });
    task(data, 0, 0);
    other.join();
  };
  const Runner runner(hook, &meeting, 2);
  const bool ok = runner(2, [&](int64_t i, int32_t) {
    if (i != 0) return;
    meeting.inside = true;
    while (!meeting.tried) std::this_thread::yield();
  });
  CHECK_FALSE(ok);
}
#endif
