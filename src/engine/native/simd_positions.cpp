// SPDX-License-Identifier: Apache-2.0
// Micro-kernels with lanes over positions: M rows (channels and phases) by V vectors of positions in registers.
//
//   in:  PositionsArgs;   out: M*V vectors of finished sums with bias;   refuses: M*V above the registers (null entry)
//   Per (channel, tap): V loads of positions, M broadcast weights, M*V fused multiply-adds.
#include "src/kit/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "src/engine/native/simd_positions.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "src/engine/native/positions_routines.h"
#include "src/kit/simd_tables.h"

HWY_BEFORE_NAMESPACE();
namespace ctconv::native {
namespace HWY_NAMESPACE {
namespace {  // several files define these names
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_NATIVE_FMA
// kAhead: a variant of its own, because the pointers it needs would cost the usual one registers.
template <class T, int M, int V, bool kAhead = false>
void Positions(const PositionsArgs<T>& a) {
  if constexpr (!kAhead) {
    if (a.x_ahead != nullptr) return Positions<T, M, V, true>(a);
  }
  const hn::ScalableTag<T> d;
  using Vec = hn::Vec<decltype(d)>;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  Vec acc[M][V];
#pragma GCC unroll 12
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 6
    for (int v = 0; v < V; ++v) acc[m][v] = hn::Zero(d);
  }
  const T* wc = a.w;
  const T* xc = a.x;
  [[maybe_unused]] const T* ahead = a.x_ahead;
  for (int64_t c = 0; c < a.ci; ++c, xc += a.x_ci, wc += a.w_ci) {
    if constexpr (kAhead) {
#pragma GCC unroll 6
      for (int v = 0; v < V; ++v) hwy::Prefetch(ahead + v * n);
      ahead += a.x_ahead_ci;
    }
    const T* w = wc;
    for (int64_t t = 0; t < a.taps; ++t, w += M) {
      const T* x = xc + a.x_tap[t];
      Vec xv[V];
#pragma GCC unroll 6
      for (int v = 0; v < V; ++v) xv[v] = hn::LoadU(d, x + v * n);
#pragma GCC unroll 12
      for (int m = 0; m < M; ++m) {
        const Vec b = hn::Set(d, w[m]);
#pragma GCC unroll 6
        for (int v = 0; v < V; ++v) acc[m][v] = hn::MulAdd(b, xv[v], acc[m][v]);
      }
    }
  }
#pragma GCC unroll 12
  for (int m = 0; m < M; ++m) {
    const Vec b = hn::Set(d, a.bias[a.row_c[m]]);
    T* out = a.out + a.row[m];
#pragma GCC unroll 6
    for (int v = 0; v < V; ++v) hn::StoreU(hn::Add(acc[m][v], b), d, out + v * n);
  }
}

template <class T, int M, int V>
void FillOne(PositionsRoutines<T>& s) {
  if constexpr (M * V <= CTCONV_ACCUMULATORS) s.block[M - 1][V - 1] = &Positions<T, M, V>;
}
template <class T>
void Fill(PositionsRoutines<T>& s) {
  kit::for_blocks<kMostPositionRows, kMostPositionVectors>(
      [&](auto m, auto v) { FillOne<T, decltype(m)::value, decltype(v)::value>(s); });
}
#else
template <class T>
void Fill(PositionsRoutines<T>&) {}
#endif

void FillF32(PositionsRoutines<float>& s) { Fill(s); }
void FillF64(PositionsRoutines<double>& s) { Fill(s); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ctconv::native
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ctconv::native {
CTCONV_SIMD_FILLS(fill, PositionsRoutines)

template <class T>
PositionsRoutines<T> positions_routines() {
  PositionsRoutines<T> routines{};
  fill(routines);
  return routines;
}
template PositionsRoutines<float> positions_routines<float>();
template PositionsRoutines<double> positions_routines<double>();

}  // namespace ctconv::native
#endif
