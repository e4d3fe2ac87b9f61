// SPDX-License-Identifier: Apache-2.0
// Depthwise micro-kernel with lanes over positions: one output row, its S phases interleaved in registers.
//
//   in:  RowsArgs;   out: one row of y, every value written once;   refuses: S without an interleaving store (null
//        entry)
//   Per tap: V loads of positions, one broadcast weight, V fused multiply-adds.
#include "src/kit/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "src/engine/native/simd_rows.cpp"
#include <cstring>
#include <type_traits>

#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "src/engine/native/rows_routines.h"
#include "src/kit/simd_halves.h"
#include "src/kit/simd_tables.h"

HWY_BEFORE_NAMESPACE();
namespace ctconv::native {
namespace HWY_NAMESPACE {
namespace {  // several files define these names
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_NATIVE_FMA
using kit::Stored;

// Elements of y, vectors of them as wide as sums have lanes, and sums made such.
template <class T, Stored kY>
using Element = std::conditional_t<kY == Stored::kWide, T, uint16_t>;
template <class T, Stored kY>
using Tag = hn::Rebind<Element<T, kY>, hn::ScalableTag<T>>;

template <Stored kY, class V>
HWY_INLINE auto Finished(V sums) {
  if constexpr (kY == Stored::kWide) {
    return sums;
  } else {
    return kit::HWY_NAMESPACE::Narrowed<kY == Stored::kBf16>(sums);
  }
}

// dst[q*S + r] = a[r][q]
template <int S, class D, class V>
HWY_INLINE void StorePhases(D d, const V* a, hn::TFromD<D>* dst) {
  if constexpr (S == 1) {
    hn::StoreU(a[0], d, dst);
  } else if constexpr (S == 2) {
    hn::StoreInterleaved2(a[0], a[1], d, dst);
  } else if constexpr (S == 3) {
    hn::StoreInterleaved3(a[0], a[1], a[2], d, dst);
  } else if constexpr (S == 4) {
    hn::StoreInterleaved4(a[0], a[1], a[2], a[3], d, dst);
  } else {  // pairs (r, r + 4) first, then four rows of twice the length
    static_assert(S == 8);
    hn::StoreInterleaved4(hn::InterleaveWholeLower(d, a[0], a[4]), hn::InterleaveWholeLower(d, a[1], a[5]),
                          hn::InterleaveWholeLower(d, a[2], a[6]), hn::InterleaveWholeLower(d, a[3], a[7]), d, dst);
    hn::StoreInterleaved4(hn::InterleaveWholeUpper(d, a[0], a[4]), hn::InterleaveWholeUpper(d, a[1], a[5]),
                          hn::InterleaveWholeUpper(d, a[2], a[6]), hn::InterleaveWholeUpper(d, a[3], a[7]), d,
                          dst + 4 * hn::Lanes(d));
  }
}

// V vectors of positions from q on, into dst.
template <class T, Stored kY, int S, int V>
HWY_INLINE void Strip(const RowsArgs<T>& a, int64_t q, Element<T, kY>* dst) {
  const hn::ScalableTag<T> d;
  using Vec = hn::Vec<decltype(d)>;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  const Vec bias = hn::Set(d, a.bias);
  Vec acc[V][S];
#pragma GCC unroll 8
  for (int r = 0; r < S; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) acc[v][r] = hn::Zero(d);
    for (int32_t t = a.begin[r]; t < a.begin[r + 1]; ++t) {
      const T* x = a.x + a.x_tap[t] + q;
      const Vec w = hn::Set(d, a.w[t]);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) acc[v][r] = hn::MulAdd(w, hn::LoadU(d, x + v * n), acc[v][r]);
    }
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) acc[v][r] = hn::Add(acc[v][r], bias);
  }
  const Tag<T, kY> dy;
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) {
    hn::Vec<Tag<T, kY>> done[S];
#pragma GCC unroll 8
    for (int r = 0; r < S; ++r) done[r] = Finished<kY>(acc[v][r]);
    StorePhases<S>(dy, done, dst + v * n * S);
  }
}

template <class T, Stored kY, int S>
void Rows(const RowsArgs<T>& a) {
  constexpr int kWide = S <= 2 ? kMostRowVectors : 2;
  const hn::ScalableTag<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  auto* y = static_cast<Element<T, kY>*>(a.y);
  int64_t q = 0;
  for (; (q + kWide * n) * S <= a.values; q += kWide * n) Strip<T, kY, S, kWide>(a, q, y + q * S);
  for (; (q + n) * S <= a.values; q += n) Strip<T, kY, S, 1>(a, q, y + q * S);
  if (q * S < a.values) {
    HWY_ALIGN Element<T, kY> rest[S * hn::MaxLanes(d)];
    Strip<T, kY, S, 1>(a, q, rest);
    std::memcpy(y + q * S, rest, static_cast<size_t>(a.values - q * S) * sizeof(rest[0]));
  }
}

template <class T, Stored kY>
void FillStored(RowsRoutines<T>& s) {
  auto* row = s.row[static_cast<int>(kY)];
  row[1] = &Rows<T, kY, 1>;
  row[2] = &Rows<T, kY, 2>;
  row[3] = &Rows<T, kY, 3>;
  row[4] = &Rows<T, kY, 4>;
  row[8] = &Rows<T, kY, 8>;
}
template <class T>
void Fill(RowsRoutines<T>& s) {
  FillStored<T, Stored::kWide>(s);
  if constexpr (std::is_same_v<T, float>) {
    FillStored<T, Stored::kF16>(s);
    FillStored<T, Stored::kBf16>(s);
  }
}
#else
template <class T>
void Fill(RowsRoutines<T>&) {}
#endif

void FillF32(RowsRoutines<float>& s) { Fill(s); }
void FillF64(RowsRoutines<double>& s) { Fill(s); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ctconv::native
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ctconv::native {
CTCONV_SIMD_FILLS(fill, RowsRoutines)

template <class T>
RowsRoutines<T> rows_routines() {
  RowsRoutines<T> routines{};
  fill(routines);
  return routines;
}
template RowsRoutines<float> rows_routines<float>();
template RowsRoutines<double> rows_routines<double>();

}  // namespace ctconv::native
#endif
