// SPDX-License-Identifier: Apache-2.0
// One buffer kept between calls: memory fresh from the system costs a page fault per 4 kB, more than many a layer.
//
//   in:  take(bytes): a buffer at least so large, or null;   give(buffer): the larger of it and what is here stays
//   Any number of threads, no lock: the buffer changes hands by one exchange. Who drops it frees it.
//   Refuses: nothing.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "src/base/memory.h"

namespace ctconv {

class SpareBuffer {
 public:
  using Owned = std::unique_ptr<Buffer>;

  SpareBuffer() = default;
  SpareBuffer(const SpareBuffer&) = delete;
  SpareBuffer& operator=(const SpareBuffer&) = delete;
  ~SpareBuffer() { swap(nullptr); }

  Owned take(size_t bytes) {
    Owned kept = swap(nullptr);
    if (kept != nullptr && kept->bytes() < bytes) give(std::move(kept));  // too small: it stays, the caller finds more
    return kept;
  }

  void give(Owned buffer) {
    while (buffer != nullptr) {
      const size_t bytes = buffer->bytes();
      Owned other = swap(std::move(buffer));
      if (other == nullptr || other->bytes() <= bytes) return;
      buffer = std::move(other);  // the larger one: back to its place
    }
  }

  // Of the buffer kept now; 0 while a call has it.
  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  Owned swap(Owned buffer) {
    const size_t bytes = buffer != nullptr ? buffer->bytes() : 0;
    Owned other(kept_.exchange(buffer.release(), std::memory_order_acq_rel));
    bytes_.store(bytes, std::memory_order_relaxed);
    return other;
  }

  std::atomic<Buffer*> kept_{nullptr};
  std::atomic<size_t> bytes_{0};  // told apart from the exchange: between two threads it may be one step behind
};

}  // namespace ctconv
