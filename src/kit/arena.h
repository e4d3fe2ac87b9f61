// SPDX-License-Identifier: Apache-2.0
// Cuts scratch memory into arrays, each at the beginning of a cache line.
//
//   in:  the scratch memory of a call, aligned to kAlignment; or nothing, to measure
//   out: arrays, uninitialised, one behind the other; used(): bytes up to here, whole lines
//   A struct that takes its arrays in its constructor is measured and cut by the same lines, so sizes cannot disagree.
#pragma once

#include <cstddef>
#include <cstdint>

#include "src/base/memory.h"

namespace ctconv::kit {

class Arena {
 public:
  Arena() = default;
  explicit Arena(void* memory) : memory_(static_cast<char*>(memory)) {}

  // Null while measuring.
  template <class U>
  U* take(int64_t count) {
    void* array = memory_ ? memory_ + used_ : nullptr;
    used_ += round_up(static_cast<size_t>(count) * sizeof(U));
    return static_cast<U*>(array);
  }
  size_t used() const { return used_; }

 private:
  char* memory_ = nullptr;
  size_t used_ = 0;
};

// What Arrays(args..., arena) takes.
template <class Arrays, class... Args>
size_t bytes_taken(const Args&... args) {
  Arena arena;
  const Arrays arrays(args..., arena);
  static_cast<void>(arrays);
  return arena.used();
}

}  // namespace ctconv::kit
