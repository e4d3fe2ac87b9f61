// SPDX-License-Identifier: Apache-2.0
// How many cores: the process's mask whatever the caller's, the container's quota in fake trees, and what workers get.
#include "src/base/cores.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>
#include <vector>

#include "src/base/pool.h"

using namespace ctconv;
namespace fs = std::filesystem;

namespace {

// A root folder of its own for each test.
class Tree {
 public:
  Tree() : root_(fs::temp_directory_path() / ("ctconv_cores_test_" + std::to_string(getpid()))) {
    fs::remove_all(root_);
  }
  ~Tree() { fs::remove_all(root_); }
  Tree& file(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
    return *this;
  }
  double quota() const { return cpu_quota(root_.string()); }

 private:
  fs::path root_;
};

const std::string kGroups = "proc/self/cgroup", kMount = "sys/fs/cgroup/";

// Runs f on a thread that has pinned itself to the first core of the process.
template <class F>
void on_pinned_thread(F f) {
  std::thread([&] {
    const CoreMask process = CoreMask::of_process();
    cpu_set_t one;
    CPU_ZERO(&one);
    size_t first = 0;
    while (!CPU_ISSET_S(first, CoreMask::bytes(), process.set())) ++first;
    CPU_SET(first, &one);
    if (pthread_setaffinity_np(pthread_self(), sizeof one, &one) == 0) f(static_cast<int>(first));
  }).join();
}

// The masks the workers have while they run tasks, worker 0 (the caller) left out.
std::vector<CoreMask> masks_of_workers(const Runner& runner) {
  std::vector<CoreMask> masks;
  for (int round = 0; round < 200 && masks.empty(); ++round) {
    std::mutex mutex;
    (void)runner(16, [&](int64_t, int32_t worker) {
      if (worker != 0) {
        const std::lock_guard lock(mutex);
        masks.push_back(CoreMask::of_thread());
      }
      std::this_thread::sleep_for(std::chrono::microseconds(300));
    });
  }
  return masks;
}

}  // namespace

TEST_CASE("cores: a quota of cgroup v2, the least along the hierarchy", "[cores]") {
  CHECK(Tree().quota() == 0);
  CHECK(Tree().file(kGroups, "0::/\n").file(kMount + "cpu.max", "150000 100000\n").quota() == 1.5);
  CHECK(Tree().file(kGroups, "0::/\n").file(kMount + "cpu.max", "max 100000\n").quota() == 0);
  CHECK(Tree().file(kGroups, "0::/a/b\n").file(kMount + "a/b/cpu.max", "400000 100000\n").quota() == 4);
  CHECK(Tree()
            .file(kGroups, "0::/a/b/\n")
            .file(kMount + "a/b/cpu.max", "400000 100000\n")
            .file(kMount + "a/cpu.max", "50000 100000\n")
            .file(kMount + "cpu.max", "max 100000\n")
            .quota() == 0.5);
  // The path of the host is not there inside the container: its own group is the mount's root.
  CHECK(Tree().file(kGroups, "0::/docker/123\n").file(kMount + "cpu.max", "200000 100000\n").quota() == 2);
  CHECK(Tree().file(kGroups, "0::/../../x\n").file(kMount + "cpu.max", "200000 100000\n").quota() == 2);
  CHECK(Tree().file(kGroups, "0::/a\n").file(kMount + "unified/a/cpu.max", "300000 100000\n").quota() == 3);
}

TEST_CASE("cores: a quota of cgroup v1", "[cores]") {
  const std::string both = "7:memory:/m\n4:cpu,cpuacct:/box\n0::/\n";
  for (const std::string folder : {"cpu,cpuacct/", "cpu/"}) {
    CHECK(Tree()
              .file(kGroups, both)
              .file(kMount + folder + "box/cpu.cfs_quota_us", "250000\n")
              .file(kMount + folder + "box/cpu.cfs_period_us", "100000\n")
              .quota() == 2.5);
  }
  CHECK(Tree()
            .file(kGroups, "1:cpu:/\n")
            .file(kMount + "cpu/cpu.cfs_quota_us", "-1\n")
            .file(kMount + "cpu/cpu.cfs_period_us", "100000\n")
            .quota() == 0);
  CHECK(Tree().file(kGroups, "2:cpuacct:/\n").file(kMount + "cpuacct/cpu.cfs_quota_us", "1\n").quota() == 0);
}

TEST_CASE("cores: broken control files do not limit", "[cores]") {
  for (const std::string text :
       {"", "\n", "max", "100000", "0 100000", "-5 100000", "x y", "1,5 100000", "nan nan", "100000 0", "1e999 1"}) {
    CHECK(Tree().file(kGroups, "0::/\n").file(kMount + "cpu.max", text).quota() == 0);
  }
  for (const std::string text : {"", "::", ":", "0:", "\n\n\n", "0::", "garbage"}) {
    CHECK(Tree().file(kGroups, text).file("proc/cpu.max", "1 1").quota() == 0);
  }
  Tree deep;
  std::string path;
  for (int n = 0; n < 200; ++n) path += "/g";
  CHECK(deep.file(kGroups, "0::" + path + "\n").quota() == 0);
}

TEST_CASE("cores: a caller pinned to one core has the process's cores", "[cores][pool]") {
  const int32_t cores = allowed_cores();
  REQUIRE(cores >= 1);
  on_pinned_thread([&](int) {
    CHECK(CoreMask::of_thread().count() == 1);
    CHECK(allowed_cores() == cores);
    CHECK(pool_runner(0).workers() == cores);
  });
}

TEST_CASE("cores: workers have the process's mask, but for the caller's core", "[cores][pool]") {
  const CoreMask process = CoreMask::of_process();
  if (process.count() < 2) SKIP("one core: no workers");
  on_pinned_thread([&](int core) {
    PoolHold hold;
    const Runner runner = pool_runner(2);
    const auto masks = masks_of_workers(runner);
    REQUIRE_FALSE(masks.empty());
    CoreMask want = process;
    want.remove(core);
    for (const CoreMask& mask : masks) CHECK(mask == want);
  });
}

// The sanitizers of GCC 12 do not follow threads started in a child of a threaded process.
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
TEST_CASE("cores: a process with one core starts no worker, whatever threads says", "[cores][pool]") {
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    CoreMask one = CoreMask::of_process();
    for (int cpu = 0; one.count() > 1; ++cpu) one.remove(cpu);
    bool good = sched_setaffinity(0, CoreMask::bytes(), one.set()) == 0 && allowed_cores() == 1;
    const PoolHold hold;
    const Runner runner = pool_runner(4);
    std::atomic<int> zero{0};
    good = good && runner(100, [&](int64_t, int32_t worker) { zero += worker == 0; });
    _exit(good && zero == 100 && pool_threads() == 0 ? 0 : 1);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

TEST_CASE("cores: a change of the process's mask is heard by the next holder", "[cores][pool]") {
  if (CoreMask::of_process().count() < 2) SKIP("one core: nothing to change");
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    const CoreMask all = CoreMask::of_process();
    CoreMask one = all;
    for (int cpu = 0; one.count() > 1; ++cpu) one.remove(cpu);
    bool good = true;
    const Runner runner = pool_runner(4);
    for (int round = 0; round < 3; ++round) {
      good = good && sched_setaffinity(0, CoreMask::bytes(), one.set()) == 0;
      {
        const PoolHold hold;
        good = good && runner(8, [](int64_t, int32_t) {}) && pool_threads() == 0;
      }
      good = good && sched_setaffinity(0, CoreMask::bytes(), all.set()) == 0;
      const PoolHold hold;
      good = good && runner(8, [](int64_t, int32_t) {}) && pool_threads() == 3;
    }
    _exit(good ? 0 : 1);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
}
#endif
