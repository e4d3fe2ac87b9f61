// SPDX-License-Identifier: Apache-2.0
// Memory between pages that nobody may touch.
//
//   in:  bytes, and which end lies flush against its guard;   out: memory filled with a pattern
//   One arena serves many trials, and grows where one needs more. A guard of 4 GiB meets any wild 32-bit offset.
//   On the side that is not flush 4 KiB of canary are laid; intact() says whether they still stand.
//   read_only() ends with the next placing. Refuses: more than `most` (null).
#pragma once

#include <cstddef>
#include <cstdint>

namespace ctconv::rig {

class Arena {
 public:
  explicit Arena(size_t capacity = 0, size_t most = SIZE_MAX, size_t guard = size_t{1} << 20);
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
  void map(size_t capacity);
  void unmap();
  void writable() const;

  size_t capacity_ = 0, most_ = 0, guard_ = 0, bytes_ = 0;
  uint8_t *base_ = nullptr, *begin_ = nullptr, *data_ = nullptr;
  mutable uint8_t *locked_ = nullptr, *locked_end_ = nullptr;
};

}  // namespace ctconv::rig
