// SPDX-License-Identifier: Apache-2.0
// The floating-point environment while the library computes: the default one, whatever the caller's is.
//
//   in:  a thread with flush to zero, denormals are zero, another rounding or unmasked exceptions
//   out: FpMode: the default inside its scope, the caller's again behind it
//        CallersFpMode: inside an FpMode, the caller's for the time of a hook
//   x86-64: MXCSR, and the x87 control word, which the C library asks for the rounding of numbers it prints or reads.
//   AArch64: FPCR. Elsewhere nothing is done. Refuses: nothing.
//   A thread with the default environment, which is the rule, pays for two reads of a control register.
//   Where something was changed the caller's sticky flags come back with the rest, else ours stay in them.
#pragma once

#include <cstdint>
#include <utility>

namespace ctconv {

#if defined(__x86_64__)
struct FpControl {
  uint32_t mxcsr = 0x1f80;  // nearest, subnormals kept, all exceptions masked
  uint16_t x87 = 0x037f;    // the same in 64 bits of precision

  static FpControl read() {
    FpControl c;
    asm volatile("stmxcsr %0" : "=m"(c.mxcsr));
    asm volatile("fnstcw %0" : "=m"(c.x87));
    return c;
  }
  void write() const {
    asm volatile("ldmxcsr %0" : : "m"(mxcsr) : "memory");
    asm volatile("fldcw %0" : : "m"(x87) : "memory");
  }
  bool usual() const { return (mxcsr & 0xffc0u) == 0x1f80 && (x87 & 0x0f3fu) == 0x033f; }  // flags may be set
};
#elif defined(__aarch64__)
struct FpControl {
  uint64_t fpcr = 0;

  static FpControl read() {
    FpControl c;
    asm volatile("mrs %0, fpcr" : "=r"(c.fpcr));
    return c;
  }
  void write() const { asm volatile("msr fpcr, %0" : : "r"(fpcr) : "memory"); }
  bool usual() const { return fpcr == 0; }
};
#else
struct FpControl {
  static FpControl read() { return {}; }
  void write() const {}
  bool usual() const { return true; }
};
#endif

// The environment that the innermost FpMode of this thread has put away; null: none.
inline constinit thread_local const FpControl* fp_put_away = nullptr;

class FpMode {
 public:
  FpMode() : callers_(FpControl::read()), changed_(!callers_.usual()) {
    if (!changed_) return;
    outer_ = std::exchange(fp_put_away, &callers_);
    FpControl().write();
  }
  ~FpMode() {
    if (!changed_) return;
    callers_.write();
    fp_put_away = outer_;
  }
  FpMode(const FpMode&) = delete;
  FpMode& operator=(const FpMode&) = delete;

 private:
  const FpControl callers_;
  const bool changed_;
  const FpControl* outer_ = nullptr;
};

class CallersFpMode {
 public:
  CallersFpMode() : callers_(std::exchange(fp_put_away, nullptr)) {
    if (callers_ != nullptr) callers_->write();
  }
  ~CallersFpMode() {
    if (callers_ == nullptr) return;
    FpControl().write();
    fp_put_away = callers_;
  }
  CallersFpMode(const CallersFpMode&) = delete;
  CallersFpMode& operator=(const CallersFpMode&) = delete;

 private:
  const FpControl* const callers_;
};

}  // namespace ctconv
