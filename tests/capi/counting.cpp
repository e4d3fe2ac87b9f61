// SPDX-License-Identifier: Apache-2.0
// See counting.h. This file replaces the global allocation functions of the program it is linked into.
#include "tests/capi/counting.h"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CTCONV_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CTCONV_SANITIZED
#endif

#if defined(__GLIBC__) && !defined(CTCONV_SANITIZED)
#define CTCONV_OWN_MALLOC
extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
}
#endif

namespace counting {
namespace {

std::atomic<bool> watching{false};
std::atomic<int64_t> mallocs{0};  // of the C heap by anybody but operator new
std::atomic<int64_t> count{0}, live{0}, fail_number{-1};
std::atomic<bool> has_failed{false};

}  // namespace

Watch::Watch(int64_t fail_at) {
  count = 0;
  live = 0;
  mallocs = 0;
  fail_number = fail_at;
  has_failed = false;
  watching = true;
}
Watch::~Watch() {
  watching = false;
  fail_number = -1;
}
int64_t Watch::allocations() const { return count + mallocs; }
int64_t Watch::alive() const { return live; }
bool Watch::failed() const { return has_failed; }

bool fails_now() {
  if (!watching.load(std::memory_order_relaxed)) return false;
  const int64_t number = count.fetch_add(1);
  if (number != fail_number.load()) return false;
  has_failed = true;
  return true;
}

namespace {

void* take(size_t bytes, size_t alignment) {
  if (fails_now()) return nullptr;
#if defined(CTCONV_OWN_MALLOC)
  void* p = __libc_memalign(alignment < alignof(max_align_t) ? alignof(max_align_t) : alignment, bytes ? bytes : 1);
#else
  void* p = alignment <= alignof(max_align_t)
                ? std::malloc(bytes ? bytes : 1)
                : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
#endif
  if (p != nullptr) live.fetch_add(1);
  return p;
}

void give(void* p) {
  if (p == nullptr) return;
  live.fetch_sub(1);
  std::free(p);
}

void* must(void* p) {
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

[[maybe_unused]] void note() {
  if (watching.load(std::memory_order_relaxed)) mallocs.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace
}  // namespace counting

#if defined(CTCONV_OWN_MALLOC)
extern "C" {
void* malloc(size_t n) {
  {
    counting::note();
    return __libc_malloc(n);
  }
}
void* calloc(size_t n, size_t size) {
  {
    counting::note();
    return __libc_calloc(n, size);
  }
}
void* realloc(void* p, size_t n) {
  {
    counting::note();
    return __libc_realloc(p, n);
  }
}
void* aligned_alloc(size_t a, size_t n) {
  {
    counting::note();
    return __libc_memalign(a, n);
  }
}
void* memalign(size_t a, size_t n) {
  {
    counting::note();
    return __libc_memalign(a, n);
  }
}
int posix_memalign(void** p, size_t a, size_t n) {
  counting::note();
  *p = __libc_memalign(a, n);
  return *p == nullptr ? 12 /* ENOMEM */ : 0;
}
}
#endif

using counting::give;
using counting::must;
using counting::take;

void* operator new(size_t n) { return must(take(n, 1)); }
void* operator new[](size_t n) { return must(take(n, 1)); }
void* operator new(size_t n, std::align_val_t a) { return must(take(n, static_cast<size_t>(a))); }
void* operator new[](size_t n, std::align_val_t a) { return must(take(n, static_cast<size_t>(a))); }
void* operator new(size_t n, const std::nothrow_t&) noexcept { return take(n, 1); }
void* operator new[](size_t n, const std::nothrow_t&) noexcept { return take(n, 1); }
void* operator new(size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return take(n, static_cast<size_t>(a));
}
void* operator new[](size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return take(n, static_cast<size_t>(a));
}
void operator delete(void* p) noexcept { give(p); }
void operator delete[](void* p) noexcept { give(p); }
void operator delete(void* p, size_t) noexcept { give(p); }
void operator delete[](void* p, size_t) noexcept { give(p); }
void operator delete(void* p, std::align_val_t) noexcept { give(p); }
void operator delete[](void* p, std::align_val_t) noexcept { give(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { give(p); }
void operator delete[](void* p, size_t, std::align_val_t) noexcept { give(p); }
