// Memory between pages that nobody may touch.
//
//   in:  bytes, and which end lies flush against its guard;   out: memory filled with a pattern
//   One arena serves many trials: both guards reach 4 GiB, so that a wild 32-bit offset meets one of them.
//   On the side that is not flush 4 KiB of canary are laid; intact() says whether they still stand.
//   Refuses: more than its capacity (null).
#pragma once

#include <cstddef>
#include <cstdint>

namespace ctconv::domain {

class Arena {
 public:
  explicit Arena(size_t capacity);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Writable memory of `bytes`, its content left from before; alignment 1 is flush at either end, a larger one leaves
  // canary before the end guard.
  void* place(size_t bytes, size_t alignment, bool at_end);
  void read_only() const;
  bool intact() const;
  size_t capacity() const { return capacity_; }

 private:
  void writable() const;

  size_t capacity_ = 0, bytes_ = 0;
  uint8_t *base_ = nullptr, *begin_ = nullptr, *data_ = nullptr;
  mutable uint8_t *locked_ = nullptr, *locked_end_ = nullptr;
};

}  // namespace ctconv::domain
