// SPDX-License-Identifier: Apache-2.0
// Host memory of an op: the caller's allocator or the C heap; a failed allocation is a null, never an exception.
//
//   in:  bytes and a power-of-two alignment;   out: a Buffer that releases itself with what alloc got
//   The hook is copied, its `user` is the caller's and outlives every Buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace ctconv {

inline constexpr size_t kAlignment = 64;  // one cache line, one AVX-512 vector

struct Allocator {
  void* user = nullptr;
  void* (*alloc)(void* user, size_t bytes, size_t alignment) = nullptr;  // null: the C heap
  void (*release)(void* user, void* p, size_t bytes, size_t alignment) = nullptr;

  void* allocate(size_t bytes) const;
  void deallocate(void* p, size_t bytes) const;
};

class Buffer {
 public:
  Buffer() = default;
  // Null data where the allocator has none; bytes 0 is an empty, valid buffer.
  Buffer(const Allocator& allocator, size_t bytes)
      : allocator_(allocator), data_(bytes ? allocator.allocate(bytes) : nullptr), bytes_(bytes) {}
  Buffer(Buffer&& other) noexcept
      : allocator_(other.allocator_),
        data_(std::exchange(other.data_, nullptr)),
        bytes_(std::exchange(other.bytes_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(allocator_, other.allocator_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Buffer() {
    if (data_) allocator_.deallocate(data_, bytes_);
  }

  bool ok() const { return bytes_ == 0 || data_ != nullptr; }
  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  Allocator allocator_;
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

constexpr size_t round_up(size_t bytes, size_t to = kAlignment) { return (bytes + to - 1) / to * to; }
inline void* align_up(void* p, size_t to = kAlignment) {
  return reinterpret_cast<void*>((reinterpret_cast<uintptr_t>(p) + to - 1) / to * to);
}

}  // namespace ctconv
