// SPDX-License-Identifier: Apache-2.0
// Micro-kernel with lanes over outputs that follow each other, so over taps: weights are the vectors, inputs broadcast.
//
//   in:  TapsArgs;   out: M images by V vectors of sums, each its own chain in the order of rows, then taps
//   Lanes whose tap is none of the kernel's keep their sum: nothing but real products is ever added.
//   Per input: V loads of weights, M broadcast inputs, M*V fused multiply-adds.
#include "src/kit/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "src/engine/native/simd_taps.cpp"
#include <algorithm>

#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "src/engine/native/taps_routines.h"
#include "src/kit/simd_tables.h"

HWY_BEFORE_NAMESPACE();
namespace ctconv::native {
namespace HWY_NAMESPACE {
namespace {  // several files define these names
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_NATIVE_FMA
// Lanes l with 0 <= t + l < k.
template <class D>
HWY_INLINE hn::Mask<D> RealTaps(D d, int64_t t, int64_t k) {
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  const auto count = [&](int64_t lanes) { return static_cast<size_t>(std::clamp<int64_t>(lanes, 0, n)); };
  return hn::AndNot(hn::FirstN(d, count(-t)), hn::FirstN(d, count(k - t)));
}

template <class T, int M>
void Strip(const TapsArgs<T>& a) {
  constexpr int V = kTapsVectors;
  const hn::ScalableTag<T> d;
  using Vec = hn::Vec<decltype(d)>;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  Vec acc[M][V];
#pragma GCC unroll 4
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) acc[m][v] = hn::Zero(d);
  }
  for (int64_t r = 0; r < a.rows; ++r) {
    const T *x = a.x + a.x_at[r], *row = a.w + a.w_at[r];
    for (int64_t i = a.last; i >= a.first; --i) {
      const int64_t t = a.t0 - i * a.s;
      if (t >= 0 && t + V * n <= a.k) {
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) {
          const Vec w = hn::LoadU(d, row + t + v * n);
#pragma GCC unroll 4
          for (int m = 0; m < M; ++m) acc[m][v] = hn::MulAdd(hn::Set(d, x[m * a.image + i]), w, acc[m][v]);
        }
        continue;
      }
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        const auto real = RealTaps(d, t + v * n, a.k);
        const Vec w = hn::LoadU(d, row + t + v * n);
#pragma GCC unroll 4
        for (int m = 0; m < M; ++m) {
          const Vec sum = hn::MulAdd(hn::Set(d, x[m * a.image + i]), w, acc[m][v]);
          acc[m][v] = hn::IfThenElse(real, sum, acc[m][v]);
        }
      }
    }
  }
#pragma GCC unroll 4
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) hn::StoreU(acc[m][v], d, a.out + m * a.out_image + v * n);
  }
}

template <class T>
void Fill(TapsRoutines<T>& s) {
  s.strip[0] = &Strip<T, 1>;
  s.strip[1] = &Strip<T, 2>;
  if constexpr (CTCONV_ACCUMULATORS == 24) {
    s.strip[2] = &Strip<T, 3>;
    s.strip[3] = &Strip<T, 4>;
  }
}
#else
template <class T>
void Fill(TapsRoutines<T>&) {}
#endif

void FillF32(TapsRoutines<float>& s) { Fill(s); }
void FillF64(TapsRoutines<double>& s) { Fill(s); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ctconv::native
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ctconv::native {
CTCONV_SIMD_FILLS(fill, TapsRoutines)

template <class T>
TapsRoutines<T> taps_routines() {
  TapsRoutines<T> routines{};
  fill(routines);
  return routines;
}
template TapsRoutines<float> taps_routines<float>();
template TapsRoutines<double> taps_routines<double>();

}  // namespace ctconv::native
#endif
