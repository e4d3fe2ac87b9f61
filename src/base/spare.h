// One buffer kept between calls: memory fresh from the system costs a page fault per 4 kB, more than many a layer.
//
//   in:  take(bytes): a buffer at least so large, or an empty one;   give(buffer): the larger of it and what is here
//        stays
//   Any number of threads; no allocator's hook is called under the lock. Refuses: nothing.
#pragma once

#include <mutex>
#include <utility>

#include "src/base/memory.h"

namespace ctconv {

class SpareBuffer {
 public:
  Buffer take(size_t bytes) {
    std::lock_guard lock(lock_);
    return kept_.bytes() >= bytes ? std::exchange(kept_, Buffer()) : Buffer();
  }
  void give(Buffer buffer) {
    std::lock_guard lock(lock_);
    if (buffer.bytes() > kept_.bytes()) std::swap(buffer, kept_);
  }  // the smaller one, in `buffer`, ends after the lock
  size_t bytes() const {
    std::lock_guard lock(lock_);
    return kept_.bytes();
  }

 private:
  mutable std::mutex lock_;
  Buffer kept_;
};

}  // namespace ctconv
