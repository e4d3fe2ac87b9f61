// The C heap behind the allocator hook.
#include "src/base/memory.h"

#include <cstdlib>

namespace ctconv {

void* Allocator::allocate(size_t bytes) const {
  if (bytes > SIZE_MAX - kAlignment) return nullptr;
  if (alloc != nullptr) {
    void* p = alloc(user, bytes, kAlignment);
    if (p != nullptr && reinterpret_cast<uintptr_t>(p) % kAlignment != 0) {  // contract broken: treated as no memory
      release(user, p, bytes, kAlignment);
      return nullptr;
    }
    return p;
  }
  return std::aligned_alloc(kAlignment, round_up(bytes));
}

void Allocator::deallocate(void* p, size_t bytes) const {
  if (alloc != nullptr) {
    release(user, p, bytes, kAlignment);
  } else {
    std::free(p);
  }
}

}  // namespace ctconv
