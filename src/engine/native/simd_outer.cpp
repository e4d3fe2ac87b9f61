// SPDX-License-Identifier: Apache-2.0
// Micro-kernels of the weight gradient: M rows by V vectors of sums in registers, over a list of places.
//
//   in:  OuterArgs;   out: M*V vectors of sums, each its own chain of fused multiply-adds in the order of the places
//   Per place: V loads of lanes, M broadcast rows (pairs: M*V loads), M*V fused multiply-adds.
//   refuses: M*V above the registers (null entry)
#include "src/kit/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "src/engine/native/simd_outer.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "src/engine/native/outer_routines.h"
#include "src/kit/simd_tables.h"

HWY_BEFORE_NAMESPACE();
namespace ctconv::native {
namespace HWY_NAMESPACE {
namespace {  // several files define these names
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_NATIVE_FMA
template <class T, int M, int V, bool kPairs>
void Outer(const OuterArgs<T>& a) {
  const hn::ScalableTag<T> d;
  using Vec = hn::Vec<decltype(d)>;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  Vec acc[M][V];
  const T* row[M];
#pragma GCC unroll 12
  for (int m = 0; m < M; ++m) {
    row[m] = a.rows + a.row[m];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) acc[m][v] = hn::LoadU(d, a.sums + a.out[m] + v * n);
  }
  for (int64_t k = 0; k < a.places; ++k) {
    const T* lanes = a.lanes + a.lane_at[k];
    const int64_t at = a.row_at[k];
    Vec x[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) x[v] = hn::LoadU(d, lanes + v * n);
#pragma GCC unroll 12
    for (int m = 0; m < M; ++m) {
      if constexpr (kPairs) {
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) acc[m][v] = hn::MulAdd(x[v], hn::LoadU(d, row[m] + at + v * n), acc[m][v]);
      } else {
        const Vec b = hn::Set(d, row[m][at]);
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) acc[m][v] = hn::MulAdd(b, x[v], acc[m][v]);
      }
    }
  }
#pragma GCC unroll 12
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) hn::StoreU(acc[m][v], d, a.sums + a.out[m] + v * n);
  }
}

template <class T, int M, int V>
void FillOne(OuterRoutines<T>& s) {
  constexpr bool kFits = CTCONV_ACCUMULATORS == 24 ? M * V <= 24 : M * V + V + 1 <= 16;
  if constexpr (kFits) {
    s.block[0][M - 1][V - 1] = &Outer<T, M, V, false>;
    s.block[1][M - 1][V - 1] = &Outer<T, M, V, true>;
  }
}
template <class T>
void Fill(OuterRoutines<T>& s) {
  kit::for_blocks<kMostOuterRows, kMostOuterVectors>(
      [&](auto m, auto v) { FillOne<T, decltype(m)::value, decltype(v)::value>(s); });
}
#else
template <class T>
void Fill(OuterRoutines<T>&) {}
#endif

void FillF32(OuterRoutines<float>& s) { Fill(s); }
void FillF64(OuterRoutines<double>& s) { Fill(s); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ctconv::native
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ctconv::native {
CTCONV_SIMD_FILLS(fill, OuterRoutines)

template <class T>
OuterRoutines<T> outer_routines() {
  OuterRoutines<T> routines{};
  fill(routines);
  return routines;
}
template OuterRoutines<float> outer_routines<float>();
template OuterRoutines<double> outer_routines<double>();

}  // namespace ctconv::native
#endif
