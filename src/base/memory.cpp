// SPDX-License-Identifier: Apache-2.0
// The C heap behind the allocator hook.
#include "src/base/memory.h"

#include <cstdlib>

#include "src/base/fp_mode.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace ctconv {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

// Large buffers in huge pages where the system lends them: fewer faults when packed, fewer misses of the page table.
void* heap(size_t bytes) {
#if defined(__linux__)
  if (bytes >= 4 * kHugePage && bytes <= SIZE_MAX - kHugePage) {
    void* p = std::aligned_alloc(kHugePage, round_up(bytes, kHugePage));
    if (p != nullptr) madvise(p, round_up(bytes, kHugePage), MADV_HUGEPAGE);  // advice: refused, nothing is lost
    return p;
  }
#endif
  return std::aligned_alloc(kAlignment, round_up(bytes));
}

}  // namespace

void* Allocator::allocate(size_t bytes) const {
  if (bytes > SIZE_MAX - kAlignment) return nullptr;
  if (alloc != nullptr) {
    const CallersFpMode mode;
    void* p = alloc(user, bytes, kAlignment);
    if (p != nullptr && reinterpret_cast<uintptr_t>(p) % kAlignment != 0) {  // contract broken: treated as no memory
      release(user, p, bytes, kAlignment);
      return nullptr;
    }
    return p;
  }
  return heap(bytes);
}

void Allocator::deallocate(void* p, size_t bytes) const {
  if (alloc != nullptr) {
    const CallersFpMode mode;
    release(user, p, bytes, kAlignment);
  } else {
    std::free(p);
  }
}

}  // namespace ctconv
