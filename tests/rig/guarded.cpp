// SPDX-License-Identifier: Apache-2.0
// See guarded.h.
#include "tests/rig/guarded.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace ctconv::rig {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kCanary = 4096;
constexpr size_t kKept = size_t{32} << 20;  // memory above this goes back to the system after a trial
constexpr uint8_t kMark = 0xc3;

uint8_t* page_of(uint8_t* p) { return p - reinterpret_cast<uintptr_t>(p) % kPage; }

}  // namespace

Arena::Arena(size_t capacity, size_t most, size_t guard) : most_(std::max(capacity, most)), guard_(guard) {
  map(capacity);
}

Arena::~Arena() { unmap(); }

void Arena::map(size_t capacity) {
  capacity_ = (capacity + kPage - 1) / kPage * kPage;
  void* p = mmap(nullptr, capacity_ + 2 * guard_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) std::abort();
  base_ = static_cast<uint8_t*>(p);
  data_ = begin_ = base_ + guard_;
  if (capacity_ != 0 && mprotect(begin_, capacity_, PROT_READ | PROT_WRITE) != 0) std::abort();
}

void Arena::unmap() { munmap(base_, capacity_ + 2 * guard_); }

void* Arena::place(size_t bytes, size_t alignment, bool at_end) {
  const size_t needed = bytes + alignment - 1;
  if (needed > most_) return nullptr;
  writable();
  if (needed > capacity_) {
    unmap();
    map(std::max(needed, 2 * capacity_));
    bytes_ = 0;
  }
  if (bytes_ > kKept) madvise(begin_, capacity_, MADV_DONTNEED);
  bytes_ = bytes;
  data_ = begin_;
  if (at_end) {
    data_ = begin_ + capacity_ - bytes;
    data_ -= reinterpret_cast<uintptr_t>(data_) % alignment;
  }
  uint8_t* low = data_ - std::min<size_t>(kCanary, static_cast<size_t>(data_ - begin_));
  uint8_t* end = data_ + bytes;
  std::memset(low, kMark, static_cast<size_t>(data_ - low));
  std::memset(end, kMark, std::min<size_t>(kCanary, static_cast<size_t>(begin_ + capacity_ - end)));
  return data_;
}

void Arena::read_only() const {
  locked_ = page_of(data_);
  locked_end_ = page_of(data_ + bytes_ + kPage - 1);
  if (locked_end_ > locked_) mprotect(locked_, static_cast<size_t>(locked_end_ - locked_), PROT_READ);
}

void Arena::writable() const {
  if (locked_end_ > locked_) {
    mprotect(locked_, static_cast<size_t>(locked_end_ - locked_), PROT_READ | PROT_WRITE);
  }
  locked_ = locked_end_ = nullptr;
}

bool Arena::intact() const {
  const auto marked = [](const uint8_t* from, const uint8_t* to) {
    return std::all_of(from, to, [](uint8_t v) { return v == kMark; });
  };
  const uint8_t* low = data_ - std::min<size_t>(kCanary, static_cast<size_t>(data_ - begin_));
  const uint8_t *end = data_ + bytes_, *last = begin_ + capacity_;
  return marked(low, data_) && marked(end, end + std::min<size_t>(kCanary, static_cast<size_t>(last - end)));
}

}  // namespace ctconv::rig
