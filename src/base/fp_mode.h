// SPDX-License-Identifier: Apache-2.0
// The floating-point environment while the library computes: the default one, whatever the caller's is.
//
//   in:  a thread with flush to zero, denormals are zero, another rounding or unmasked exceptions
//   out: FpMode: the default inside its scope, the caller's again behind it
//        CallersFpMode: inside an FpMode, the caller's for the time of a hook
//   x86-64: MXCSR, and the x87's environment: the C library asks it for the rounding of numbers it prints or reads. An
//   exception that the caller left pending there traps at the unit's next instruction but for those that do not wait:
//   fnstenv, which masks all, comes first. It is pending again behind the scope.
//   AArch64: FPCR. Elsewhere nothing is done. Refuses: nothing.
//   A thread with the default environment, which is the rule, pays for two reads of a control register.
//   Where something was changed the caller's sticky flags come back with the rest, else ours stay in them.
#pragma once

#include <cstdint>
#include <utility>

namespace ctconv {

// A thread's environment, while it is put away.
#if defined(__x86_64__)
struct FpControl {
  uint32_t mxcsr;
  uint32_t x87[7];  // control, status and tag word, and where the last instruction was

  static bool usual() {  // flags may be set
    uint32_t mxcsr;
    uint16_t control;
    asm volatile("stmxcsr %0" : "=m"(mxcsr));
    asm volatile("fnstcw %0" : "=m"(control));
    return (mxcsr & 0xffc0u) == 0x1f80 && (control & 0x0f3fu) == 0x033f;
  }
  // The default instead: nearest, subnormals kept, all exceptions masked, the x87 in 64 bits of precision.
  void put_away() {
    static constexpr uint32_t kMxcsr = 0x1f80;
    static constexpr uint16_t kControl = 0x037f;
    asm volatile("stmxcsr %0\n\tldmxcsr %1" : "=m"(mxcsr) : "m"(kMxcsr) : "memory");
    asm volatile("fnstenv %0\n\tfldcw %1" : "=m"(x87) : "m"(kControl) : "memory");
  }
  void come_back() const { asm volatile("ldmxcsr %0\n\tfldenv %1" : : "m"(mxcsr), "m"(x87) : "memory"); }
};
#elif defined(__aarch64__)
struct FpControl {
  uint64_t fpcr;

  static bool usual() {
    uint64_t now;
    asm volatile("mrs %0, fpcr" : "=r"(now));
    return now == 0;
  }
  void put_away() { asm volatile("mrs %0, fpcr\n\tmsr fpcr, xzr" : "=r"(fpcr) : : "memory"); }
  void come_back() const { asm volatile("msr fpcr, %0" : : "r"(fpcr) : "memory"); }
};
#else
struct FpControl {
  static bool usual() { return true; }
  void put_away() {}
  void come_back() const {}
};
#endif

// The environment that the innermost FpMode of this thread has put away; null: none.
inline constinit thread_local FpControl* fp_put_away = nullptr;

class FpMode {
 public:
  FpMode() : changed_(!FpControl::usual()) {
    if (!changed_) return;
    callers_.put_away();
    outer_ = std::exchange(fp_put_away, &callers_);
  }
  ~FpMode() {
    if (!changed_) return;
    callers_.come_back();
    fp_put_away = outer_;
  }
  FpMode(const FpMode&) = delete;
  FpMode& operator=(const FpMode&) = delete;

 private:
  const bool changed_;
  FpControl callers_;  // where something was changed
  FpControl* outer_ = nullptr;
};

// A hook that changes its environment changes its caller's.
class CallersFpMode {
 public:
  CallersFpMode() : callers_(std::exchange(fp_put_away, nullptr)) {
    if (callers_ != nullptr) callers_->come_back();
  }
  ~CallersFpMode() {
    if (callers_ == nullptr) return;
    callers_->put_away();
    fp_put_away = callers_;
  }
  CallersFpMode(const CallersFpMode&) = delete;
  CallersFpMode& operator=(const CallersFpMode&) = delete;

 private:
  FpControl* const callers_;
};

}  // namespace ctconv
