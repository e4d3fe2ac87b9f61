// SPDX-License-Identifier: Apache-2.0
// The loops the probe times: multiply-adds out of registers, and stores past the caches; see probe.h.
//
//   The sums start apart and the sum is handed out, so that a compiler keeps all of them. Values stay near one: no
//   denormal number slows the loop.
#include "src/kit/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "src/machine/simd_probe.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "src/machine/probe.h"

HWY_BEFORE_NAMESPACE();
namespace ctconv {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;

constexpr int64_t kSums = 12;  // covers six cycles on two ports, and fits sixteen registers

float Rounds(int64_t count) {
  const D d;
  const auto a = hn::Set(d, 0.999f), b = hn::Set(d, 1e-3f);
  const auto start = [&d](int k) HWY_ATTR { return hn::Set(d, 1.0f + 0.125f * static_cast<float>(k)); };
  auto s0 = start(0), s1 = start(1), s2 = start(2), s3 = start(3), s4 = start(4), s5 = start(5);
  auto s6 = start(6), s7 = start(7), s8 = start(8), s9 = start(9), s10 = start(10), s11 = start(11);
  for (int64_t i = 0; i < count; ++i) {
    s0 = hn::MulAdd(s0, a, b);
    s1 = hn::MulAdd(s1, a, b);
    s2 = hn::MulAdd(s2, a, b);
    s3 = hn::MulAdd(s3, a, b);
    s4 = hn::MulAdd(s4, a, b);
    s5 = hn::MulAdd(s5, a, b);
    s6 = hn::MulAdd(s6, a, b);
    s7 = hn::MulAdd(s7, a, b);
    s8 = hn::MulAdd(s8, a, b);
    s9 = hn::MulAdd(s9, a, b);
    s10 = hn::MulAdd(s10, a, b);
    s11 = hn::MulAdd(s11, a, b);
  }
  s0 = hn::Add(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)), hn::Add(hn::Add(s4, s5), hn::Add(s6, s7)));
  s0 = hn::Add(s0, hn::Add(hn::Add(s8, s9), hn::Add(s10, s11)));
  return hn::ReduceSum(d, s0);
}

void Stream(float* to, size_t count) {
  const D d;
  const auto x = hn::Set(d, 1.0f);
  for (size_t k = 0, lanes = hn::Lanes(d); k + lanes <= count; k += lanes) hn::Stream(x, d, to + k);
  hwy::FlushStream();
}

ProbeLoops Loops() {
  return {.vector_bytes = static_cast<int64_t>(hn::Lanes(D()) * sizeof(float)),
          .multiply_adds = kSums,
          .rounds = &Rounds,
          .stream = &Stream};
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ctconv
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ctconv {
HWY_EXPORT(Loops);
ProbeLoops probe_loops() { return HWY_DYNAMIC_DISPATCH(Loops)(); }
}  // namespace ctconv
#endif
