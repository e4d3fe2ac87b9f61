// SPDX-License-Identifier: Apache-2.0
// The multiply-add loop of bench_peaks and bench_probe, once per instruction set.
//
//   in:  a number of rounds, a place for the sum   out: the flop of one call (2 per multiply-add and lane)
//   12 independent sums: enough to hide a latency of 4 to 6 cycles on two ports, and to stay in registers. The sums
//   start apart: equal ones a compiler keeps as one. The sum is handed out so that nothing is optimised away.
#if defined(BENCH_MULTIPLY_ADD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BENCH_MULTIPLY_ADD_INL_H_
#undef BENCH_MULTIPLY_ADD_INL_H_
#else
#define BENCH_MULTIPLY_ADD_INL_H_
#endif
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace bench {
namespace HWY_NAMESPACE {

inline double fma_loop(size_t count, float* sink) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::ScalableTag<float> d;
  const auto a = hn::Set(d, 0.999f + 1e-9f * static_cast<float>(count & 1)), b = hn::Set(d, 1e-3f);
  const auto start = [&](int k) { return hn::Set(d, 0.125f * static_cast<float>(k)); };
  auto s0 = start(0), s1 = start(1), s2 = start(2), s3 = start(3), s4 = start(4), s5 = start(5), s6 = start(6),
       s7 = start(7), s8 = start(8), s9 = start(9), sa = start(10), sb = start(11);
  for (size_t i = 0; i < count; ++i) {
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
    sa = hn::MulAdd(sa, a, b);
    sb = hn::MulAdd(sb, a, b);
  }
  s0 = hn::Add(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)), hn::Add(hn::Add(s4, s5), hn::Add(s6, s7)));
  s0 = hn::Add(s0, hn::Add(hn::Add(s8, s9), hn::Add(sa, sb)));
  *sink = hn::ReduceSum(d, s0);
  return 24.0 * static_cast<double>(count) * static_cast<double>(hn::Lanes(d));
}

}  // namespace HWY_NAMESPACE
}  // namespace bench
HWY_AFTER_NAMESPACE();
#endif  // include guard
