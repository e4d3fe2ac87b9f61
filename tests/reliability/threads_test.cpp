// SPDX-License-Identifier: Apache-2.0
// One op under the worst of threads: 64 callers, forks in the middle of calls, callers pinned, niced and starved.
//   in:  one small layer, forwards in every engine with the same bits;   out: y bit for bit as one quiet caller has it
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <functional>
#include <thread>

#include "tests/capi/support.h"

using namespace capi;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kRounds = 100;
constexpr bool kForks = false;  // a sanitizer's own threads and locks do not survive a fork in the middle of a call
#else
constexpr int kRounds = 1000;
constexpr bool kForks = true;
#endif

struct Layer {
  Conv conv;
  Tensor x, w, b;
  Op op;
  std::vector<unsigned char> want;

  Layer(const char* engine, int32_t threads)
      : conv{.n = 2, .ci = 4, .co = 6}, x(conv.x_shape()), w(conv.w_shape()), b({conv.co}) {
    x.reals(1);
    w.reals(2);
    b.reals(3);
    ctconv_options options = options_init();
    options.engine = engine;
    options.threads = threads;
    options.reproducible = 1;
    op = create(conv.desc(), &w, &b, &options);
    Tensor y(conv.y_shape());
    run(op, call_of(&x, &y));
    want = y.bits();
  }
  // True: the call answers OK and has the quiet caller's bits.
  bool again() {
    Tensor own(x), y(conv.y_shape());
    const ctconv_call call = call_of(&own, &y);
    return ctconv_execute(op.get(), &call, nullptr) == CTCONV_OK && y.bits() == want && y.guarded();
  }
};

// What the child did: "exit 0" where body returned true; a child that hangs is ended after 20 s.
std::string in_child(const std::function<bool()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    _exit(body() ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status));
  return "exit " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

TEST_CASE("reliability: 64 threads, 1,000 executes each on one op, have the serial bits", "[threads]") {
  for (const auto& [engine, rounds] :
       {std::pair("auto", kRounds), {"native", kRounds / 10}, {"reference", kRounds / 10}}) {
    INFO(engine);
    Layer layer(engine, 2);
    std::atomic<int> wrong{0};
    std::vector<std::thread> callers;
    for (int t = 0; t < 64; ++t) {
      callers.emplace_back([&, rounds = rounds] {
        Tensor y(layer.conv.y_shape());
        const ctconv_call call = call_of(&layer.x, &y);
        for (int n = 0; n < rounds; ++n) {
          y.constant(-7);
          wrong += ctconv_execute(layer.op.get(), &call, nullptr) != CTCONV_OK || y.bits() != layer.want;
        }
        wrong += !y.guarded();
      });
    }
    for (std::thread& t : callers) t.join();
    CHECK(wrong == 0);
  }
}

TEST_CASE("reliability: a child forked while calls run can make, use and destroy ops", "[threads][fork]") {
  if (!kForks) SKIP("not under a sanitizer");
  for (const char* engine : {"auto", "native"}) {
    INFO(engine);
    Layer layer(engine, 2);
    std::atomic<bool> stop{false};
    std::atomic<int> wrong{0};
    std::vector<std::thread> callers;
    for (int t = 0; t < 3; ++t) {
      callers.emplace_back([&] {
        while (!stop) wrong += !layer.again();
      });
    }
    for (int n = 0; n < 40; ++n) {
      CHECK(in_child([&] {
              Layer own(engine, 2);  // of the child's own making
              return own.want == layer.want && own.again();
            }) == "exit 0");
      CHECK(in_child([&] { return layer.again(); }) == "exit 0");  // the parent's op, in use when the child began
    }
    stop = true;
    for (std::thread& t : callers) t.join();
    CHECK(wrong == 0);
  }
}

TEST_CASE("reliability: a runner that forks inside a task", "[threads][fork]") {
  if (!kForks) SKIP("not under a sanitizer");
  static std::atomic<int> forked{0}, lost{0};
  static Layer* inner = nullptr;
  Layer quiet("native", 1);
  inner = &quiet;
  ctconv_runner runner = CTCONV_RUNNER_INIT;
  runner.workers = 2;
  runner.parallel_for = [](void*, int64_t count, void (*task)(void*, int64_t, int32_t), void* data) {
    for (int64_t n = 0; n < count; ++n) {
      task(data, n, static_cast<int32_t>(n % 2));
      if (n != 0) continue;
      ++forked;
      lost += in_child([] { return inner->again(); }) != "exit 0";
    }
  };
  Layer& l = quiet;
  ctconv_options options = options_init();
  options.runner = &runner;
  options.engine = "native";
  options.reproducible = 1;
  Op op = create(l.conv.desc(), &l.w, &l.b, &options);
  for (int n = 0; n < 20; ++n) {
    Tensor y(l.conv.y_shape());
    run(op, call_of(&l.x, &y));
    CHECK(y.bits() == l.want);
  }
  CHECK(lost == 0);
}

TEST_CASE("reliability: callers pinned to one core, niced and of the idle class have the same bits", "[threads]") {
  if (!kForks) SKIP("not under a sanitizer");
  Layer layer("auto", 2);
  const std::pair<const char*, std::function<bool()>> ways[] = {
      {"pinned",
       [] {
         cpu_set_t all, one;
         if (sched_getaffinity(0, sizeof all, &all) != 0) return false;
         CPU_ZERO(&one);
         size_t first = 0;
         while (!CPU_ISSET(first, &all)) ++first;
         CPU_SET(first, &one);
         return sched_setaffinity(0, sizeof one, &one) == 0;
       }},
      {"niced", [] { return setpriority(PRIO_PROCESS, 0, 19) == 0; }},
      {"idle class",
       [] {
         const sched_param none = {};
         return sched_setscheduler(0, SCHED_IDLE, &none) == 0;
       }},
  };
  for (const auto& [name, way] : ways) {
    INFO(name);
    CHECK(in_child([&way = way, &layer] {
            if (!way()) return false;
            Layer own("auto", 4);  // more threads than it has cores
            for (int n = 0; n < 50; ++n) {
              if (!own.again() || !layer.again()) return false;
            }
            return own.want == layer.want;
          }) == "exit 0");
  }
}

TEST_CASE("reliability: a caller whose process has run out of threads computes alone", "[threads]") {
  if (!kForks) SKIP("not under a sanitizer");
  Layer layer("auto", 1);
  CHECK(in_child([&] {
          // The kernel's limit holds for a user, but not for root: a limit of memory for stacks does for all.
          const rlimit none = {0, 0};
          if (setrlimit(RLIMIT_NPROC, &none) != 0) return false;
          Layer own("auto", 4);
          return own.again() && own.want == layer.want;
        }) == "exit 0");
}
