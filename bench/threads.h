// SPDX-License-Identifier: Apache-2.0
// The threads of the benchmark programs: a fixed team that runs one function per member.
//
//   in:  a number of threads (the caller is member 0) and, per call, a task(member, members)
//   out: run() returns when every member has returned; members spin for 100 microseconds, then sleep, so that they
//        leave the cores to the next contender of a benchmark
//   Refuses: nothing; one call at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace bench {

class Team {
 public:
  explicit Team(int size) : size_(size) {
    for (int member = 1; member < size; ++member) threads_.emplace_back([this, member] { work(member); });
  }
  ~Team() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      task_ = nullptr;
      round_.fetch_add(1);
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return size_; }

  void run(const std::function<void(int, int)>& task) {
    if (size_ > 1) {
      left_.store(size_ - 1);
      {
        std::lock_guard<std::mutex> lock(mutex_);  // a member about to sleep either sees the round or is woken
        task_ = &task;
        round_.fetch_add(1);
      }
      wake_.notify_all();
    }
    task(0, size_);
    for (int i = 0; left_.load(std::memory_order_acquire) != 0; ++i) {
      if (i > 20000) std::this_thread::yield();  // a member was put aside by the system
    }
  }

 private:
  void work(int member) {
    for (unsigned seen = 0;;) {
      const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(100);
      while (round_.load(std::memory_order_acquire) == seen && std::chrono::steady_clock::now() < until) continue;
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [&] { return round_.load() != seen; });
      seen = round_.load();
      const std::function<void(int, int)>* task = task_;
      lock.unlock();
      if (task == nullptr) return;
      (*task)(member, size_);
      left_.fetch_sub(1, std::memory_order_release);
    }
  }

  int size_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable wake_;
  const std::function<void(int, int)>* task_ = nullptr;
  std::atomic<unsigned> round_{0};
  std::atomic<int> left_{0};
};

}  // namespace bench
