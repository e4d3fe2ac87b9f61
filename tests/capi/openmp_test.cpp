// SPDX-License-Identifier: Apache-2.0
// A runner over the process's OpenMP threads: found only where a runtime is loaded, every task once, results as ever,
// children of a fork alone. A program of its own, which is linked with no such runtime and loads one half-way.
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "tests/capi/support.h"

using namespace capi;

namespace {

ctconv_runner untouched() {
  ctconv_runner r = CTCONV_RUNNER_INIT;
  r.workers = 7;
  return r;
}

bool refused(int32_t workers, const char* library) {
  ctconv_runner r = untouched();
  return ctconv_openmp_runner(&r, workers, library) == 0 && r.workers == 7 && r.user == nullptr &&
         r.parallel_for == nullptr;
}

struct Seen {
  std::vector<std::atomic<int>> runs;
  std::atomic<int> strange{0};
  int32_t workers;
  Seen(int64_t count, int32_t most) : runs(static_cast<size_t>(count)), workers(most) {}
};

bool each_once(const ctconv_runner& r, int64_t count) {
  Seen seen(count, r.workers);
  r.parallel_for(
      r.user, count,
      [](void* data, int64_t index, int32_t worker) {
        auto& all = *static_cast<Seen*>(data);
        if (worker < 0 || worker >= all.workers) ++all.strange;
        ++all.runs[static_cast<size_t>(index)];
      },
      &seen);
  return seen.strange == 0 && std::all_of(seen.runs.begin(), seen.runs.end(), [](const auto& n) { return n == 1; });
}

bool in_a_child(bool (*holds)(const ctconv_runner&), const ctconv_runner& r) {
  const pid_t child = fork();
  if (child == 0) _exit(holds(r) ? 0 : 1);
  int status = 1;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

TEST_CASE("openmp: none, then one that was loaded") {
  REQUIRE(refused(2, nullptr));
#if defined(__SANITIZE_THREAD__)
  SKIP("the runtime's own locks are not known to the thread sanitizer");
#endif
  if (dlopen("libgomp.so.1", RTLD_NOW | RTLD_LOCAL) == nullptr) SKIP("no libgomp.so.1 on this machine");

  ctconv_runner r = untouched();
  CHECK(ctconv_openmp_runner(&r, 0, nullptr) >= 1);
  CHECK(ctconv_openmp_runner(nullptr, 2, nullptr) == 0);
  CHECK(refused(-1, nullptr));
  CHECK(refused(4097, nullptr));
  CHECK(refused(2, "no such library"));
  ctconv_runner odd = untouched();
  for (const size_t size : {size_t{0}, sizeof(ctconv_runner) - 1, size_t{65537}}) {
    odd.struct_size = size;
    CHECK(ctconv_openmp_runner(&odd, 2, nullptr) == 0);
  }

  REQUIRE(ctconv_openmp_runner(&r, 3, "libgomp") == 3);
  REQUIRE(r.workers == 3);
  for (const int64_t count : {0, 1, 2, 3, 1000}) CHECK(each_once(r, count));
  ctconv_runner again = untouched();
  REQUIRE(ctconv_openmp_runner(&again, 3, nullptr) == 3);
  CHECK(again.user == r.user);

  // Inside a parallel region the calling thread works alone, as in a child, where the parent's threads are not there.
  using Parallel = void (*)(void (*)(void*), void*, unsigned, unsigned);
  void* gomp = dlopen("libgomp.so.1", RTLD_NOW | RTLD_LOCAL);
  const auto parallel = reinterpret_cast<Parallel>(dlsym(gomp, "GOMP_parallel"));
  const auto levels = reinterpret_cast<void (*)(int)>(dlsym(gomp, "omp_set_max_active_levels"));
  REQUIRE(parallel != nullptr);
  REQUIRE(levels != nullptr);
  levels(4);
  static std::atomic<int> others, wrong;
  parallel(
      [](void* data) {
        const auto& own = *static_cast<ctconv_runner*>(data);
        if (!each_once(own, 20)) ++wrong;
        own.parallel_for(
            own.user, 20, [](void*, int64_t, int32_t worker) { others += worker != 0; }, nullptr);
      },
      &r, 2, 0);
  CHECK(wrong == 0);
  CHECK(others == 0);
  CHECK(in_a_child([](const ctconv_runner& own) { return each_once(own, 50); }, r));
  CHECK(in_a_child([](const ctconv_runner&) { return refused(2, nullptr); }, r));
}

TEST_CASE("openmp: an op's results are those of any other threads") {
#if defined(__SANITIZE_THREAD__)
  SKIP("the runtime's own locks are not known to the thread sanitizer");
#endif
  if (dlopen("libgomp.so.1", RTLD_NOW | RTLD_LOCAL) == nullptr) SKIP("no libgomp.so.1 on this machine");
  Conv conv;
  conv.n = 2;
  conv.ci = 8;
  conv.co = 12;
  conv.in = {12, 16};
  Tensor x(conv.x_shape()), w(conv.w_shape()), b({conv.co});
  x.integers(1);
  w.integers(2);
  b.integers(3);
  ctconv_runner r = CTCONV_RUNNER_INIT;
  REQUIRE(ctconv_openmp_runner(&r, 2, nullptr) == 2);
  ctconv_options options = CTCONV_OPTIONS_INIT;
  options.runner = &r;
  const Op op = create(conv.desc(), &w, &b, &options);
  Tensor y(conv.y_shape());
  run(op, call_of(&x, &y));
  CHECK(y.values() == conv.scatter(x, w, &b));
}
