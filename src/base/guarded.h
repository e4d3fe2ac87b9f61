// SPDX-License-Identifier: Apache-2.0
// A value behind a lock, with which a child of fork can go on, whatever the parent's threads did when it began.
//
//   in:  a value that is made from nothing;   out: lock(): the value, until what was answered is gone
//   fork copies a lock as it stands. One that another thread of the parent held stays held in the child for ever, and
//   the value behind it may be half changed. So the first thread of a child that comes here looks: a free lock means a
//   whole value, which stays. Else both are left as they are, never released, and made anew.
//   A locked call costs one load more. Refuses: nothing.
#pragma once

#include <sched.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>

namespace ctconv {

// How many forks lie between this process and the one that loaded the library.
uint32_t forks();

template <class T>
class Guarded {
 public:
  Guarded() : settled_(even(forks())) { new (memory_) Locked(); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() {
    settle();
    locked()->~Locked();
  }

  class Held {
   public:
    T& operator*() const { return *value_; }
    T* operator->() const { return value_; }

   private:
    friend class Guarded;
    Held(std::mutex& mutex, T* value) : lock_(mutex), value_(value) {}
    std::lock_guard<std::mutex> lock_;
    T* value_;
  };

  Held lock() const {
    settle();
    return Held(locked()->mutex, &locked()->value);
  }

 private:
  struct Locked {
    std::mutex mutex;
    T value;
  };

  static constexpr uint64_t even(uint32_t count) { return 2 * uint64_t{count}; }
  Locked* locked() const { return std::launder(reinterpret_cast<Locked*>(memory_)); }

  void settle() const {
    const uint64_t now = even(forks());
    if (settled_.load(std::memory_order_acquire) != now) settle_after_fork(now);
  }

  // One thread of the child looks; the others wait for it. An odd number that is not ours: a parent forked while one of
  // its threads was looking.
  void settle_after_fork(uint64_t now) const {
    for (;;) {
      uint64_t seen = settled_.load(std::memory_order_acquire);
      if (seen == now) return;
      if (seen == now + 1) {
        sched_yield();
        continue;
      }
      if (!settled_.compare_exchange_strong(seen, now + 1)) continue;
      if (seen % 2 == 0 && locked()->mutex.try_lock()) {
        locked()->mutex.unlock();
      } else {
        new (memory_) Locked();
      }
      settled_.store(now, std::memory_order_release);
      return;
    }
  }

  // Twice the number of forks this value has come through; one more while a thread looks at it.
  mutable std::atomic<uint64_t> settled_;
  alignas(Locked) mutable std::byte memory_[sizeof(Locked)];
};

}  // namespace ctconv
