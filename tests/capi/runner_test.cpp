// SPDX-License-Identifier: Apache-2.0
// The caller's own threads: any order, real threads, nested calls, and hooks that break the contract.
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "tests/capi/support.h"

using namespace capi;

namespace {

using Task = void (*)(void*, int64_t, int32_t);
using ParallelFor = void (*)(void*, int64_t, Task, void*);

// Large enough that every engine splits it.
struct Fixture {
  Conv conv;
  Tensor x, w, b;
  std::vector<double> want;
  static Conv sized() {
    Conv c;
    c.n = 2;
    c.ci = 8;
    c.co = 12;
    c.in = {12, 16};
    return c;
  }
  Fixture() : conv(sized()), x(conv.x_shape()), w(conv.w_shape()), b({conv.co}) {
    x.integers(1);
    w.integers(2);
    b.integers(3);
    want = conv.scatter(x, w, &b);
  }
};

ctconv_runner runner_of(ParallelFor hook, void* user, int32_t workers) {
  ctconv_runner r = CTCONV_RUNNER_INIT;
  r.parallel_for = hook;
  r.user = user;
  r.workers = workers;
  return r;
}

void sequential(void*, int64_t count, Task task, void* data) {
  for (int64_t i = 0; i < count; ++i) task(data, i, 0);
}
void reversed(void* user, int64_t count, Task task, void* data) {
  const auto workers = *static_cast<int32_t*>(user);
  for (int64_t i = count; i-- > 0;) task(data, i, static_cast<int32_t>(i % workers));
}
void threaded(void* user, int64_t count, Task task, void* data) {
  const auto workers = *static_cast<int32_t*>(user);
  std::atomic<int64_t> next{0};
  std::vector<std::thread> threads;
  for (int32_t worker = 0; worker < workers; ++worker) {
    threads.emplace_back([&, worker] {
      for (int64_t i; (i = next.fetch_add(1)) < count;) task(data, i, worker);
    });
  }
  for (auto& t : threads) t.join();
}
// Contract broken, each in its own way.
void skips(void*, int64_t count, Task task, void* data) {
  for (int64_t i = 0; i + 1 < count; ++i) task(data, i, 0);
}
void does_nothing(void*, int64_t, Task, void*) {}
void repeats(void*, int64_t count, Task task, void* data) {
  for (int64_t i = 0; i < count; ++i) task(data, i, 0);
  task(data, 0, 0);
}
void invents(void*, int64_t count, Task task, void* data) {
  for (int64_t i = 0; i < count; ++i) task(data, i, 0);
  task(data, count, 0);
  task(data, -1, 0);
  task(data, INT64_MAX, 0);
}
void wrong_worker(void* user, int64_t count, Task task, void* data) {
  for (int64_t i = 0; i < count; ++i) task(data, i, i == count - 1 ? *static_cast<int32_t*>(user) : 0);
}
void negative_worker(void*, int64_t count, Task task, void* data) {
  for (int64_t i = 0; i < count; ++i) task(data, i, i == 0 ? -1 : 0);
}

// A small work-stealing pool in the manner of rayon: whoever waits for its own tasks runs anybody's meanwhile.
class Stealing {
 public:
  explicit Stealing(int threads) {
    for (int n = 0; n < threads; ++n)
      threads_.emplace_back([this] {
        while (help(true)) {
        }
      });
  }
  ~Stealing() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (auto& t : threads_) t.join();
  }
  void submit(std::function<void()> job) {
    {
      const std::lock_guard lock(mutex_);
      jobs_.push_back(std::move(job));
    }
    wake_.notify_one();
  }
  // Runs one job; false where there is none (or, waiting, where the pool ends).
  bool help(bool wait) {
    std::function<void()> job;
    {
      std::unique_lock lock(mutex_);
      if (wait) wake_.wait(lock, [&] { return stop_ || !jobs_.empty(); });
      if (jobs_.empty()) return false;
      job = std::move(jobs_.back());  // the newest: most likely not our own
      jobs_.pop_back();
    }
    job();
    return true;
  }
  static void parallel_for(void* user, int64_t count, Task task, void* data) {
    auto* pool = static_cast<Stealing*>(user);
    std::atomic<int64_t> done{0};
    std::atomic<int64_t> next{0};
    const auto drain = [&, task, data](int32_t worker) {
      for (int64_t i; (i = next.fetch_add(1)) < count;) {
        task(data, i, worker);
        done.fetch_add(1);
      }
    };
    const int helpers = 3;
    std::atomic<int> left{helpers};
    for (int32_t n = 1; n <= helpers; ++n) {
      pool->submit([&, n] {
        drain(n);
        left.fetch_sub(1);
      });
    }
    drain(0);
    while (left.load() > 0) {
      if (!pool->help(false))
        std::this_thread::sleep_for(std::chrono::microseconds(20));  // may start another call on the same op
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

constexpr const char* kEngines[] = {"auto", "native", "onednn", "reference"};

// False where this build or engine does not take the problem under a caller's runner.
bool make(const Fixture& f, const ctconv_options& options, Op* op) {
  ctconv_op* made = nullptr;
  Fixture copy = f;
  Desc desc = f.conv.desc();
  if (ctconv_create(desc.get(), copy.w.get(), copy.b.get(), &options, &made, nullptr) != CTCONV_OK) return false;
  *op = Op(made);
  ctconv_call call = call_of(&copy.x, nullptr);
  size_t bytes;
  const ctconv_status status = ctconv_prepare(made, &call, &bytes, nullptr);
  return status != CTCONV_ERR_UNSUPPORTED_ENGINE;
}

}  // namespace

TEST_CASE("runner: every legal order gives the same bits", "[capi][runner]") {
  Fixture f;
  int32_t workers = 3;  // with fewer threads than these the library must not see more than `threads`
  for (const char* engine : kEngines) {
    for (ParallelFor hook : {sequential, reversed, threaded}) {
      ctconv_runner runner = runner_of(hook, &workers, workers);
      ctconv_options options = CTCONV_OPTIONS_INIT;
      options.engine = engine;
      options.runner = &runner;
      for (int32_t threads : {0, 1, 2, 5}) {
        options.threads = threads;
        Op op;
        if (!make(f, options, &op)) continue;
        Tensor y(f.conv.y_shape());
        run(op, call_of(&f.x, &y));
        INFO(engine << ", threads " << threads);
        CHECK(y.values() == f.want);
        CHECK(y.guarded());
      }
    }
  }
}

TEST_CASE("runner: the record is copied, user is not", "[capi][runner]") {
  Fixture f;
  int32_t workers = 2;
  Op op;
  {
    ctconv_runner runner = runner_of(threaded, &workers, workers);
    ctconv_options options = CTCONV_OPTIONS_INIT;
    char engine[] = "auto", device[] = "cpu";
    options.runner = &runner;
    options.engine = engine;
    options.device = device;
    REQUIRE(make(f, options, &op));
    runner = ctconv_runner{};
    engine[0] = device[0] = '?';
  }
  Tensor y(f.conv.y_shape());
  run(op, call_of(&f.x, &y));
  CHECK(y.values() == f.want);
}

TEST_CASE("runner: a hook that breaks the contract is noticed", "[capi][runner]") {
  Fixture f;
  int32_t workers = 4;
  const std::pair<const char*, ParallelFor> broken[] = {
      {"skips one", skips},      {"does nothing", does_nothing},     {"repeats one", repeats},
      {"invents some", invents}, {"worker too large", wrong_worker}, {"worker negative", negative_worker}};
  for (const char* engine : kEngines) {
    for (const auto& [what, hook] : broken) {
      INFO(engine << ", " << what);
      ctconv_runner runner = runner_of(hook, &workers, workers);
      ctconv_options options = CTCONV_OPTIONS_INIT;
      options.engine = engine;
      options.runner = &runner;
      Desc desc = f.conv.desc();
      ctconv_op* made = nullptr;
      Error error;
      if (ctconv_create(desc.get(), f.w.get(), f.b.get(), &options, &made, &error) != CTCONV_OK) continue;
      Op op(made);
      Tensor y(f.conv.y_shape());
      const ctconv_call call = call_of(&f.x, &y);
      const ctconv_status status = ctconv_execute(op.get(), &call, &error);
      if (status == CTCONV_ERR_UNSUPPORTED_ENGINE) continue;
      refused(status, error, CTCONV_ERR_MISUSE_RUNNER);
      CHECK(y.guarded());
    }
  }
}

TEST_CASE("runner: a waiting worker may start another call on the same op", "[capi][runner][threads]") {
  Fixture f;
  for (const char* engine : kEngines) {
    INFO(engine);
    Stealing pool(3);
    ctconv_runner runner = runner_of(Stealing::parallel_for, &pool, 4);
    ctconv_options options = CTCONV_OPTIONS_INIT;
    options.engine = engine;
    options.runner = &runner;
    options.plan_limit = 1;  // plans are built inside calls inside calls
    Op op;
    if (!make(f, options, &op)) continue;
    std::atomic<int> wrong{0}, left{16};
    for (int n = 0; n < 16; ++n) {
      pool.submit([&, n] {
        Conv conv = f.conv;
        conv.n = 1 + n % 2;
        Tensor x(conv.x_shape()), y(conv.y_shape());
        x.integers(static_cast<uint64_t>(n));
        const ctconv_call call = call_of(&x, &y);
        if (ctconv_execute(op.get(), &call, nullptr) != CTCONV_OK || y.values() != conv.scatter(x, f.w, &f.b)) ++wrong;
        left.fetch_sub(1);
      });
    }
    while (left.load() > 0) {
      if (!pool.help(false)) std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("runner: a caller pinned to one core gets the process's cores", "[capi][runner][threads]") {
  cpu_set_t process, one;
  REQUIRE(sched_getaffinity(getpid(), sizeof process, &process) == 0);
  CPU_ZERO(&one);
  size_t first = 0;
  while (!CPU_ISSET(first, &process)) ++first;
  CPU_SET(first, &one);
  Fixture f;
  std::string free_text, pinned_text;
  const auto describe = [&f](std::string* text) {
    Desc desc = f.conv.desc();
    ctconv_op* made = nullptr;
    if (ctconv_create(desc.get(), f.w.get(), f.b.get(), nullptr, &made, nullptr) != CTCONV_OK) return;
    const Op op(made);
    char buffer[4096];
    if (ctconv_describe(made, nullptr, buffer, sizeof buffer, nullptr, nullptr) == CTCONV_OK) *text = buffer;
  };
  describe(&free_text);
  std::thread([&] {
    pthread_setaffinity_np(pthread_self(), sizeof one, &one);
    describe(&pinned_text);
  }).join();
  CHECK_FALSE(free_text.empty());
  CHECK(pinned_text == free_text);
  CHECK(pinned_text.find("\ncores: ") != std::string::npos);
  CHECK(pinned_text.find("\ncpu_quota: ") != std::string::npos);
  CHECK(pinned_text.find("\nworkspace_held_bytes: 0\n") != std::string::npos);
}
