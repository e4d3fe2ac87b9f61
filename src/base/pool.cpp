// SPDX-License-Identifier: Apache-2.0
// How a call is dispatched, in the order of one parallel_for:
//
//   publish  the caller takes the pool (busy, or another way out), writes the job, opens the gate with a new epoch
//   enter    a worker that sees an open gate of an epoch it has not served takes the next worker id out of the gate
//   work     everybody, caller included, draws indices: first from a range of its own, then from the others'
//   close    the caller, out of indices, closes the gate: who has not entered by now never will
//   leave    the caller waits for those who entered, nobody else: a sleeping or missing worker delays no call
//
// The gate is one 64-bit word (epoch, workers wanted, workers entered, open), so that entering is one compare-exchange
// and the job's fields are read only by those who entered.
#include "src/base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "src/base/cores.h"

namespace ctconv {
namespace {

constexpr int32_t kMaxThreads = 1024;  // the header names it beside `threads`
constexpr size_t kMostSteered = 15;
constexpr auto kSpin = std::chrono::microseconds(100);     // idle worker: then it sleeps
constexpr auto kWaitSpin = std::chrono::microseconds(50);  // caller at the end of a call: then it yields its core

constexpr uint64_t kOpen = 1;
constexpr uint64_t kEntered = uint64_t{1} << 1;  // 15 bits
constexpr uint64_t kWanted = uint64_t{1} << 16;  // 16 bits
constexpr uint64_t kEpoch = uint64_t{1} << 32;   // 32 bits
constexpr int32_t entered_of(uint64_t gate) { return static_cast<int32_t>(gate >> 1 & 0x7fff); }
constexpr int32_t wanted_of(uint64_t gate) { return static_cast<int32_t>(gate >> 16 & 0xffff); }
constexpr uint32_t epoch_of(uint64_t gate) { return static_cast<uint32_t>(gate >> 32); }

inline void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// True until the time is over; looks at the clock every 64th time.
class SpinUntil {
 public:
  explicit SpinUntil(std::chrono::nanoseconds time) : end_(std::chrono::steady_clock::now() + time) {}
  bool operator()() {
    pause();
    return ++turns_ % 64 != 0 || std::chrono::steady_clock::now() < end_;
  }

 private:
  std::chrono::steady_clock::time_point end_;
  uint32_t turns_ = 0;
};

class Pool {
 public:
  Pool(pid_t owner, int64_t holders) : owner_(owner), holders_(holders) {}

  pid_t owner() const { return owner_; }
  int64_t holders() const { return holders_.load(); }
  int32_t threads() const { return started_.load(); }

  void acquire() {
    std::lock_guard lock(life_);
    read_mask();
    holders_.fetch_add(1);
  }

  void release() {
    std::lock_guard lock(life_);
    if (holders_.fetch_sub(1) != 1) return;
    {
      std::lock_guard sleep(sleep_);
      stop_.store(true);
    }
    wake_.notify_all();
    for (pthread_t thread : threads_) pthread_join(thread, nullptr);
    std::vector<pthread_t>().swap(threads_);  // nothing on the heap: the library may be unloaded now
    started_.store(0);
    stop_.store(false);
    start_failed_ = false;
  }

  void run(int32_t limit, int64_t count, Runner::Task task, void* data) {
    if (holders_.load() == 0 || one_core_.load(std::memory_order_relaxed) ||
        busy_.exchange(true, std::memory_order_acquire)) {
      for (int64_t i = 0; i < count; ++i) task(data, i, 0);
      return;
    }
    const auto wanted = static_cast<int32_t>(std::min<int64_t>(limit, count)) - 1;
    if (started_.load(std::memory_order_relaxed) < wanted) start(wanted);
    if (const int cpu = sched_getcpu(); cpu != caller_cpu_) keep_off(cpu);
    task_ = task;
    data_ = data;
    // Each worker begins with a range of its own, the same in every call of this shape: what it wrote last time lies in
    // its own cache. Then it helps the others.
    parts_ = std::min<int64_t>(wanted + 1, kParts);
    const int64_t each = count / parts_, longer = count % parts_;
    for (int64_t w = 0, begin = 0; w < parts_; ++w) {
      Part& part = part_[static_cast<size_t>(w)];
      part.next.store(begin, std::memory_order_relaxed);
      part.end = begin += each + (w < longer ? 1 : 0);
    }
    left_.store(0, std::memory_order_relaxed);
    epoch_ += 1;
    gate_.store(epoch_ * kEpoch + static_cast<uint64_t>(wanted) * kWanted +
                kOpen);  // seq_cst: before sleepers_ is read
    if (sleepers_.load() > 0) wake(wanted);
    work(0);
    const int32_t entered = entered_of(gate_.fetch_and(~kOpen, std::memory_order_acq_rel));
    SpinUntil spin(kWaitSpin);
    while (left_.load(std::memory_order_acquire) != entered) {
      if (!spin()) sched_yield();  // the worker may want this very core
    }
    busy_.store(false, std::memory_order_release);
  }

 private:
  static void* thread_main(void* pool) {
    static_cast<Pool*>(pool)->serve();
    return nullptr;
  }

  void start(int32_t wanted) {
    std::unique_lock lock(life_, std::try_to_lock);  // held: somebody is ending the pool
    if (!lock.owns_lock() || start_failed_ || holders_.load() == 0) return;
    // Signals belong to the program's own threads.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
      threads_.reserve(static_cast<size_t>(wanted));
      if (threads_.empty()) read_mask();
      caller_cpu_ = -1;  // the new ones know nothing of it
      while (started_.load() < wanted) {
        pthread_t thread;
        if (!create(&thread)) {
          start_failed_ = true;
          break;
        }
        threads_.push_back(thread);
        started_.fetch_add(1);
      }
    } catch (const std::bad_alloc&) {
      start_failed_ = true;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  // A new thread would have the mask of whoever starts it, perhaps one core: it gets the process's.
  bool create(pthread_t* thread) {
    pthread_attr_t attributes;
    if (allowed_.count() > 0 && pthread_attr_init(&attributes) == 0) {
      const bool made = pthread_attr_setaffinity_np(&attributes, CoreMask::bytes(), allowed_.set()) == 0 &&
                        pthread_create(thread, &attributes, thread_main, this) == 0;
      pthread_attr_destroy(&attributes);
      if (made) return true;
    }
    return pthread_create(thread, nullptr, thread_main, this) == 0;
  }

  // Under life_. On one core nobody can help: workers would spin where the caller works.
  void read_mask() {
    allowed_ = CoreMask::of_process();
    one_core_.store(allowed_.count() == 1, std::memory_order_relaxed);
  }

  // Workers stay off the caller's core: a scheduler that sees no shared cache wakes a thread on the core of whoever
  // woke
  // it, where it waits for milliseconds behind the very call it should help. Few workers only: the caller pays for each
  // when it has changed its core.
  void keep_off(int cpu) {
    std::unique_lock lock(life_, std::try_to_lock);
    if (!lock.owns_lock()) return;  // the next call tries again
    caller_cpu_ = cpu;
    if (threads_.empty() || threads_.size() > kMostSteered) return;
    read_mask();  // it may have changed: that is one reason to move
    for (pthread_t thread : threads_) steer(thread);
  }

  // Under life_.
  void steer(pthread_t thread) {
    CoreMask cores = allowed_;
    cores.remove(caller_cpu_);
    if (cores.count() == 0) return;
    pthread_setaffinity_np(thread, CoreMask::bytes(), cores.set());  // refused: it stays where it may
  }

  void wake(int32_t wanted) {
    { std::lock_guard lock(sleep_); }  // a worker between its last look and its sleep is waited for
    if (wanted >= started_.load(std::memory_order_relaxed)) {
      wake_.notify_all();
    } else {
      for (int32_t i = 0; i < wanted; ++i) wake_.notify_one();
    }
  }

  void work(int32_t worker) {
    for (int64_t k = 0; k < parts_; ++k) {
      Part& part = part_[static_cast<size_t>((worker + k) % parts_)];
      for (int64_t i; (i = part.next.fetch_add(1, std::memory_order_relaxed)) < part.end;) task_(data_, i, worker);
    }
  }

  // True with *worker set where this thread entered the open job.
  bool enter(uint32_t* served, int32_t* worker) {
    uint64_t gate = gate_.load(std::memory_order_acquire);
    while ((gate & kOpen) != 0 && epoch_of(gate) != *served && entered_of(gate) < wanted_of(gate)) {
      if (gate_.compare_exchange_weak(gate, gate + kEntered, std::memory_order_acq_rel)) {
        *served = epoch_of(gate);
        *worker = entered_of(gate) + 1;
        return true;
      }
    }
    return false;
  }

  bool open_for(uint32_t served) const {
    const uint64_t gate = gate_.load();
    return (gate & kOpen) != 0 && epoch_of(gate) != served && entered_of(gate) < wanted_of(gate);
  }

  void serve() {
    uint32_t served = 0;  // epochs start at 1
    int32_t worker = 0;
    while (!stop_.load(std::memory_order_relaxed)) {
      // Spins on while calls come, also such as end before it could enter them.
      SpinUntil spin(kSpin);
      uint32_t seen = epoch_of(gate_.load(std::memory_order_relaxed));
      bool entered = false;
      while (!(entered = enter(&served, &worker)) && !stop_.load(std::memory_order_relaxed)) {
        if (spin()) continue;
        const uint32_t now = epoch_of(gate_.load(std::memory_order_relaxed));
        if (now == std::exchange(seen, now)) break;
        spin = SpinUntil(kSpin);
      }
      if (entered) {
        work(worker);
        left_.fetch_add(1, std::memory_order_acq_rel);
        continue;
      }
      std::unique_lock lock(sleep_);
      sleepers_.fetch_add(1);  // seq_cst: before the gate is looked at again
      wake_.wait(lock, [&] { return stop_.load() || open_for(served); });
      sleepers_.fetch_sub(1);
    }
  }

  const pid_t owner_;
  std::atomic<int64_t> holders_;
  std::atomic<int32_t> started_{0};
  std::atomic<bool> stop_{false};
  bool start_failed_ = false;  // under life_
  std::mutex life_;            // holders, starting, steering and ending threads
  CoreMask allowed_;           // the process's, under life_; empty where the kernel does not say
  std::atomic<bool> one_core_{false};
  std::mutex sleep_;
  std::condition_variable wake_;
  std::vector<pthread_t> threads_;

  // The job: written by the caller that holds busy_, read by those who entered.
  Runner::Task task_ = nullptr;
  void* data_ = nullptr;
  uint64_t epoch_ = 0;
  int caller_cpu_ = -1;  // the core the workers keep off; written by the caller that holds busy_

  alignas(64) std::atomic<bool> busy_{false};
  alignas(64) std::atomic<uint64_t> gate_{0};
  std::atomic<int32_t> sleepers_{0};
  struct alignas(64) Part {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };
  static constexpr int64_t kParts = 64;
  Part part_[kParts];
  int64_t parts_ = 1;
  alignas(64) std::atomic<int32_t> left_{0};
};

// Never deleted: a thread may look at it at any time, and no destructor may join threads at exit or unload.
std::atomic<Pool*> the_pool{nullptr};
// The first one's memory is the library's and goes with it: a host may load and unload it again and again.
alignas(Pool) std::byte first_memory[sizeof(Pool)];
std::atomic<bool> first_taken{false};

Pool* make_pool(pid_t owner, int64_t holders) {
  if (!first_taken.exchange(true)) return new (first_memory) Pool(owner, holders);
  return new (std::nothrow) Pool(owner, holders);
}

// One that nobody has seen.
void drop_pool(Pool* pool) {
  if (static_cast<void*>(pool) != first_memory) return delete pool;
  pool->~Pool();
  first_taken.store(false);
}

// The pool of this process, null where there is no memory for one. A child of fork finds its parent's, whose threads
// and locks are of no use to it, and takes over the number of holders alone: they were copied with it.
Pool* current_pool() {
  Pool* pool = the_pool.load(std::memory_order_acquire);
  const pid_t self = getpid();
  while (pool == nullptr || pool->owner() != self) {
    Pool* fresh = make_pool(self, pool == nullptr ? 0 : pool->holders());
    if (fresh == nullptr) return nullptr;
    if (the_pool.compare_exchange_strong(pool, fresh, std::memory_order_acq_rel)) return fresh;
    drop_pool(fresh);
  }
  return pool;
}

void pool_parallel_for(void* user, int64_t count, Runner::Task task, void* data) {
  Pool* pool = current_pool();
  if (pool != nullptr) {
    pool->run(static_cast<int32_t>(reinterpret_cast<intptr_t>(user)), count, task, data);
  } else {
    for (int64_t i = 0; i < count; ++i) task(data, i, 0);
  }
}

}  // namespace

void pool_acquire() {
  if (Pool* pool = current_pool()) pool->acquire();
}

void pool_release() {
  Pool* pool = current_pool();
  if (pool != nullptr && pool->holders() > 0) pool->release();
}

int32_t pool_threads() {
  const Pool* pool = the_pool.load(std::memory_order_acquire);
  return pool != nullptr && pool->owner() == getpid() ? pool->threads() : 0;
}

Runner pool_runner(int32_t threads) {
  if (threads <= 0) threads = allowed_cores();
  threads = std::min(threads, kMaxThreads);
  if (threads == 1) return Runner();
  return Runner(pool_parallel_for, reinterpret_cast<void*>(static_cast<intptr_t>(threads)), threads);
}

}  // namespace ctconv
