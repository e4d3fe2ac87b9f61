// SPDX-License-Identifier: Apache-2.0
// See amx.h. CPUID says what the CPU has, XGETBV what the kernel saves, ARCH_REQ_XCOMP_PERM gives this process leave.
#include "src/machine/amx.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#endif

namespace ctconv {
namespace {

#if defined(__x86_64__) && defined(__linux__)
constexpr unsigned kBf16 = 1u << 22, kTile = 1u << 24;  // of leaf 7, EDX
constexpr unsigned kXsave = 1u << 27;                   // of leaf 1, ECX: the kernel uses XSAVE
constexpr uint32_t kTileState = 3u << 17;               // of XCR0: configuration and data
constexpr long kRequestPermission = 0x1023, kTileData = 18;

uint32_t saved_state() {
  uint32_t low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

const char* ask() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & kTile) == 0 || (d & kBf16) == 0) {
    return "this CPU has no AMX";
  }
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & kXsave) == 0 || (saved_state() & kTileState) != kTileState) {
    return "the kernel does not save the tiles of AMX";
  }
  if (syscall(SYS_arch_prctl, kRequestPermission, kTileData) != 0) {
    return "the kernel gives this process no leave to use AMX";
  }
  return nullptr;
}
#else
const char* ask() { return "this CPU has no AMX"; }
#endif

}  // namespace

const char* amx_missing() {
  static const char* const missing = ask();
  return missing;
}

}  // namespace ctconv
