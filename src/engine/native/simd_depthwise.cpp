// Depthwise with lanes over channels: every lane is a channel with its own weights.
//
//   in:  DepthwiseArgs;   out: count positions of N channels, finished sums with bias
//   Eight positions share each load of a tap's weights.
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

template <class T, Stored kX, Stored kOut, int M, int V>
HWY_INLINE void Block(const DepthwiseArgs<T>& a, int64_t m0, int64_t c0) {
  const hn::ScalableTag<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  using Vec = hn::Vec<decltype(d)>;
  const auto* x0 = static_cast<const Element<T, kX>*>(a.x) + m0 * a.x_step + c0;
  const T* w0 = a.w + c0;
  auto* out = static_cast<Element<T, kOut>*>(a.out) + m0 * a.out_step + c0;
  Vec acc[M][V];
#pragma GCC unroll 8
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) acc[m][v] = hn::Zero(d);
  }
  for (int64_t t = 0; t < a.taps; ++t) {
    const auto* x = x0 + a.x_tap[t];
    const T* w = w0 + a.w_tap[t];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      const Vec wv = hn::LoadU(d, w + v * n);
#pragma GCC unroll 8
      for (int m = 0; m < M; ++m) acc[m][v] = hn::MulAdd(wv, LoadWide<T, kX>(x + m * a.x_step + v * n), acc[m][v]);
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) {
    const Vec b = hn::LoadU(d, a.bias + c0 + v * n);
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m) StoreNarrow<T, kOut>(hn::Add(acc[m][v], b), out + m * a.out_step + v * n);
  }
}

// A few positions for all channels, then the next: what they read stays near. The last blocks overlap those before,
// and the same values are stored twice.
template <class T, Stored kX, Stored kOut, int M>
void Blocks(const DepthwiseArgs<T>& a) {
  const int64_t n = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  constexpr int kWide = M <= 4 && HWY_MAX_BYTES >= 64 ? 4 : M <= 4 ? 2 : 1;
  for (int64_t m = 0; m < a.count; m += M) {
    const int64_t at = m + M <= a.count ? m : a.count - M;
    int64_t c = 0;
    if constexpr (kWide > 1) {
      for (; c + kWide * n <= a.channels; c += kWide * n) Block<T, kX, kOut, M, kWide>(a, at, c);
    }
    for (; c + n <= a.channels; c += n) Block<T, kX, kOut, M, 1>(a, at, c);
    if (c < a.channels) Block<T, kX, kOut, M, 1>(a, at, a.channels - n);
  }
}

template <class T, Stored kX, Stored kOut>
void Depthwise(const DepthwiseArgs<T>& a) {
  const int64_t n = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  if (a.count >= 8 && a.channels < 2 * n) return Blocks<T, kX, kOut, 8>(a);
  if (a.count >= 4) return Blocks<T, kX, kOut, 4>(a);
  if (a.count >= 2) return Blocks<T, kX, kOut, 2>(a);
  Blocks<T, kX, kOut, 1>(a);
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
