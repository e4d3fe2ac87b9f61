// SPDX-License-Identifier: Apache-2.0
// Depthwise with lanes over channels: every lane is a channel with its own weights.
//
//   in:  DepthwiseArgs;   out: count positions of N channels, finished sums with bias
//   Eight positions share each load of a tap's weights. Neighbouring taps read neighbouring columns of x: up to four of
//   them share each load of a column. Every sum still meets its taps in their order.
#include "src/kit/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "src/engine/native/simd_depthwise.cpp"
#include <type_traits>

#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "src/engine/native/depthwise_routines.h"
#include "src/kit/simd_halves.h"
#include "src/kit/simd_tables.h"

HWY_BEFORE_NAMESPACE();
namespace ctconv::native {
namespace HWY_NAMESPACE {
namespace {  // several files define these names
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_NATIVE_FMA
// Elements as they are stored.
template <class T, Stored kStored>
using Element = std::conditional_t<kStored == Stored::kWide, T, uint16_t>;

template <class T, Stored kStored>
HWY_INLINE hn::Vec<hn::ScalableTag<T>> LoadWide(const Element<T, kStored>* from) {
  if constexpr (kStored == Stored::kWide) {
    return hn::LoadU(hn::ScalableTag<T>(), from);
  } else {
    return kit::HWY_NAMESPACE::Widened<kStored == Stored::kBf16>(hn::LoadU(kit::HWY_NAMESPACE::Halves(), from));
  }
}

template <class T, Stored kStored, class V>
HWY_INLINE void StoreNarrow(V v, Element<T, kStored>* to) {
  if constexpr (kStored == Stored::kWide) {
    hn::StoreU(v, hn::ScalableTag<T>(), to);
  } else {
    hn::StoreU(kit::HWY_NAMESPACE::Narrowed<kStored == Stored::kBf16>(v), kit::HWY_NAMESPACE::Halves(), to);
  }
}

// x - step, at a place that the compiler knows nothing about: it would keep the columns' distances in vector registers,
// whose moves share ports with the multiply-adds.
template <class E>
HWY_INLINE const E* Behind(const E* x, int64_t step) {
  const E* behind = x - step;
  asm("" : "+r"(behind));
  return behind;
}

// In a register from here on: else each multiply-add loads it again.
template <class Vec>
HWY_INLINE void Keep(Vec& x) {
#if HWY_ARCH_X86
  asm("" : "+v"(x.raw));
#else
  (void)x;
#endif
}

// kTaps taps of one row for M positions and V vectors of channels. Column c of x, counted from the first position,
// meets tap q of position c + q: columns from the last to the first meet each position's taps in their order.
template <class T, Stored kX, int M, int V, int kTaps, class Sums>
HWY_INLINE void Taps(const Element<T, kX>* x, int64_t x_step, const T* w, int64_t w_tap, Sums& acc) {
  const hn::ScalableTag<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  using Vec = hn::Vec<decltype(d)>;
  Vec wv[kTaps][V];
#pragma GCC unroll 4
  for (int q = 0; q < kTaps; ++q) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) wv[q][v] = hn::LoadU(d, w + q * w_tap + v * n);
  }
  x += (M - 1) * x_step;
#pragma GCC unroll 12
  for (int back = 0; back < M + kTaps - 1; ++back) {
    const int c = M - 1 - back;
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      Vec xv = LoadWide<T, kX>(x + v * n);
      Keep(xv);
#pragma GCC unroll 4
      for (int q = 0; q < kTaps; ++q) {
        if (c + q >= 0 && c + q < M) acc[c + q][v] = hn::MulAdd(wv[q][v], xv, acc[c + q][v]);
      }
    }
    x = Behind(x, x_step);
  }
}

// kTaps: that are taken together.
template <class T, Stored kX, Stored kOut, int M, int V, int kTaps>
HWY_INLINE void Block(const DepthwiseArgs<T>& a, int64_t m0, int64_t c0) {
  const hn::ScalableTag<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  using Vec = hn::Vec<decltype(d)>;
  const auto* x0 = static_cast<const Element<T, kX>*>(a.x) + m0 * a.x_step + c0;
  auto* out = static_cast<Element<T, kOut>*>(a.out) + m0 * a.out_step + c0;
  Vec acc[M][V];
#pragma GCC unroll 8
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) acc[m][v] = hn::Zero(d);
  }
  for (int64_t r = 0; r < a.rows; ++r) {
    const auto* x = x0 + a.x_row[r];
    const T* w = a.w + a.w_row[r] * a.w_between + c0;
    int64_t q = 0;
    for (; q + kTaps <= a.taps; q += kTaps) {
      Taps<T, kX, M, V, kTaps>(x, a.x_step, w, a.w_tap, acc);
      x += kTaps * a.x_tap;
      w += kTaps * a.w_tap;
    }
    for (; q < a.taps; ++q) {
      Taps<T, kX, M, V, 1>(x, a.x_step, w, a.w_tap, acc);
      x += a.x_tap;
      w += a.w_tap;
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) {
    const Vec b = hn::LoadU(d, a.bias + c0 + v * n);
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m) {
      const Vec sum = hn::Add(acc[m][v], b);
      if constexpr (kX == Stored::kWide && kOut == Stored::kWide) {
        if (a.stream) {
          hn::Stream(sum, d, out + m * a.out_step + v * n);
          continue;
        }
      }
      StoreNarrow<T, kOut>(sum, out + m * a.out_step + v * n);
    }
  }
}

// All channels of M positions: what they read stays near. The last vector overlaps the one before, and the same values
// are stored twice.
template <class T, Stored kX, Stored kOut, int M, int kTaps>
void Positions(const DepthwiseArgs<T>& a, int64_t m) {
  const int64_t n = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  constexpr int kWide = HWY_MAX_BYTES < 64 ? 1 : M == 8 ? 2 : 4;
  int64_t c = 0;
  if constexpr (kWide > 1) {
    for (; c + kWide * n <= a.channels; c += kWide * n) Block<T, kX, kOut, M, kWide, kTaps>(a, m, c);
  }
  for (; c + n <= a.channels; c += n) Block<T, kX, kOut, M, 1, kTaps>(a, m, c);
  if (c < a.channels) Block<T, kX, kOut, M, 1, kTaps>(a, m, a.channels - n);
}

// The last positions overlap those before, where there are enough.
template <class T, Stored kX, Stored kOut, int kTaps>
void Together(const DepthwiseArgs<T>& a) {
  int64_t m = 0;
  for (; m + 8 <= a.count; m += 8) Positions<T, kX, kOut, 8, kTaps>(a, m);
  const int64_t left = a.count - m;
  if (left > 4 && a.count >= 8) return Positions<T, kX, kOut, 8, kTaps>(a, a.count - 8);
  if (left > 4) {
    Positions<T, kX, kOut, 4, kTaps>(a, m);
    return Positions<T, kX, kOut, 4, kTaps>(a, a.count - 4);
  }
  if (left > 2 && a.count >= 4) return Positions<T, kX, kOut, 4, kTaps>(a, a.count - 4);
  for (; m < a.count; ++m) Positions<T, kX, kOut, 1, kTaps>(a, m);
}

// Taps share columns only where each reads the column beside the one before.
template <class T, Stored kX, Stored kOut>
void Depthwise(const DepthwiseArgs<T>& a) {
  const int64_t taps = a.x_tap == -a.x_step ? a.taps : 1;
  if (taps <= 1) return Together<T, kX, kOut, 1>(a);
  if (taps == 2) return Together<T, kX, kOut, 2>(a);
  if (taps % 4 != 0 && taps % 3 == 0) return Together<T, kX, kOut, 3>(a);
  Together<T, kX, kOut, 4>(a);
}

template <class T, Stored kX, Stored kOut>
void FillOne(DepthwiseRoutines<T>& s) {
  s.table[static_cast<int>(kX)][static_cast<int>(kOut)] = &Depthwise<T, kX, kOut>;
}
template <Stored kHalf>
void FillHalf(DepthwiseRoutines<float>& s) {
  FillOne<float, kHalf, kHalf>(s);
  FillOne<float, kHalf, Stored::kWide>(s);
  FillOne<float, Stored::kWide, kHalf>(s);
}
void FillF32(DepthwiseRoutines<float>& s) {
  FillOne<float, Stored::kWide, Stored::kWide>(s);
  FillHalf<Stored::kF16>(s);
  FillHalf<Stored::kBf16>(s);
}
void FillF64(DepthwiseRoutines<double>& s) { FillOne<double, Stored::kWide, Stored::kWide>(s); }
#else
void FillF32(DepthwiseRoutines<float>&) {}
void FillF64(DepthwiseRoutines<double>&) {}
#endif

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ctconv::native
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ctconv::native {
CTCONV_SIMD_FILLS(fill, DepthwiseRoutines)

template <class T>
DepthwiseRoutines<T> depthwise_routines() {
  DepthwiseRoutines<T> routines{};
  fill(routines);
  return routines;
}
template DepthwiseRoutines<float> depthwise_routines<float>();
template DepthwiseRoutines<double> depthwise_routines<double>();

}  // namespace ctconv::native
#endif
