// SPDX-License-Identifier: Apache-2.0
// libbench_probe.so: how fast this machine is at this moment, core by core. Loaded by bench/disturbance.py.
//
//   in:  a number of threads
//   out: per thread two speeds: nops per nanosecond (the front end) and flop per nanosecond (multiply-adds); each the
//        best of kLooks windows of about 20 microseconds, after one untimed
//   A busy neighbour on the same core halves the first and not always the second. With as many threads as processors
//   each thread keeps to its own; else the system places them. One thread: the caller itself.
//   Refuses: fewer than 1 or more than 1024 threads (null). One call at a time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/probe.cpp"
#include <hwy/foreach_target.h>  // re-includes this file once per instruction set
#include <hwy/highway.h>

#include "bench/multiply_add-inl.h"

#if HWY_ONCE
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace bench {
HWY_EXPORT(fma_loop);

namespace {

constexpr int kLooks = 3;
constexpr double kWindow = 20000;  // nanoseconds
constexpr size_t kNops = 64;

double now() {
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double nop_loop(size_t count) {
  for (size_t i = 0; i < count; ++i) {
    asm volatile(".rept 64\n\tnop\n\t.endr" : : : "memory");
  }
  return static_cast<double>(count * kNops);
}

double multiply_add_loop(size_t count) {
  float sink = 0;
  const double flop = HWY_DYNAMIC_DISPATCH(fma_loop)(count, &sink);
  asm volatile("" : : "g"(&sink) : "memory");
  return flop;
}

// Rounds of `loop` that take about a window; the best of a few tries, so that a slow moment does not decide.
template <class Loop>
size_t rounds_of(const Loop& loop) {
  constexpr size_t kTry = 200;
  double best = 1e30;
  for (int i = 0; i < 20; ++i) {
    const double start = now();
    loop(kTry);
    best = std::min(best, now() - start);
  }
  return std::max<size_t>(1, static_cast<size_t>(kTry * kWindow / std::max(best, 1.0)));
}

template <class Loop>
double speed(const Loop& loop, size_t rounds) {
  double best = 0;
  loop(rounds);
  for (int i = 0; i < kLooks; ++i) {
    const double start = now();
    const double work = loop(rounds);
    best = std::max(best, work / std::max(now() - start, 1.0));
  }
  return best;
}

std::vector<int> processors() {
  std::vector<int> found;
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return found;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &set)) found.push_back(i);
  }
  return found;
}

class Probe {
 public:
  explicit Probe(int threads)
      : nops_(rounds_of(nop_loop)), multiply_adds_(rounds_of(multiply_add_loop)), speeds_(2 * size_t(threads)) {
    std::vector<int> places = processors();
    if (places.size() != static_cast<size_t>(threads)) places.assign(static_cast<size_t>(threads), -1);
    if (threads == 1) return;
    for (size_t member = 0; member < places.size(); ++member)
      threads_.emplace_back([this, member, place = places[member]] { work(member, place); });
  }
  ~Probe() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ending_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  void look(double* speeds) {
    if (threads_.empty()) {
      measure(0);
    } else {
      std::unique_lock<std::mutex> lock(mutex_);
      left_ = threads_.size();
      ++round_;
      wake_.notify_all();
      done_.wait(lock, [&] { return left_ == 0; });
    }
    std::copy(speeds_.begin(), speeds_.end(), speeds);
  }

 private:
  void measure(size_t member) {
    speeds_[2 * member] = speed(nop_loop, nops_);
    speeds_[2 * member + 1] = speed(multiply_add_loop, multiply_adds_);
  }

  void work(size_t member, int place) {
    if (place >= 0) {
      cpu_set_t set;
      CPU_ZERO(&set);
      CPU_SET(static_cast<size_t>(place), &set);
      sched_setaffinity(0, sizeof set, &set);  // where it is refused the system places the thread
    }
    for (size_t seen = 0;;) {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [&] { return ending_ || round_ != seen; });
      if (ending_) return;
      seen = round_;
      lock.unlock();
      measure(member);
      lock.lock();
      if (--left_ == 0) done_.notify_one();
    }
  }

  size_t nops_, multiply_adds_;
  std::vector<double> speeds_;  // two per member
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  size_t round_ = 0, left_ = 0;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace
}  // namespace bench

extern "C" {

__attribute__((visibility("default"))) void* bench_probe_new(int threads) {
  if (threads < 1 || threads > 1024) return nullptr;
  return new bench::Probe(threads);
}

// speeds: two doubles per thread, nops and flop per nanosecond.
__attribute__((visibility("default"))) void bench_probe_look(void* probe, double* speeds) {
  static_cast<bench::Probe*>(probe)->look(speeds);
}

__attribute__((visibility("default"))) void bench_probe_free(void* probe) { delete static_cast<bench::Probe*>(probe); }
}
#endif  // HWY_ONCE
