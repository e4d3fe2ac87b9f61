// SPDX-License-Identifier: Apache-2.0
// Micro-kernels with lanes over output channels: M positions by V vectors of channels in registers.
//
//   in:  ChannelsArgs;   out: M*V vectors of sums, kept between slices of input channels as they are (first, last)
//   Per (channel, tap): V loads of packed weights, M broadcast inputs, M*V fused multiply-adds. Positions are any M
//   addresses.
#include "src/kit/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "src/engine/native/simd_channels.cpp"
#include <type_traits>

#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "src/engine/native/channels_routines.h"
#include "src/kit/simd_branches.h"
#include "src/kit/simd_halves.h"
#include "src/kit/simd_tables.h"

HWY_BEFORE_NAMESPACE();
namespace ctconv::native {
namespace HWY_NAMESPACE {
namespace {  // several files define these names
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_NATIVE_FMA
template <class T>
using Vector = hn::Vec<hn::ScalableTag<T>>;

// Zeros, or the sums of the slices before.
template <class T, int M, int V>
HWY_INLINE void Start(const ChannelsArgs<T>& a, Vector<T> (&acc)[M][V]) {
  const hn::ScalableTag<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
#pragma GCC unroll 12
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) acc[m][v] = hn::Zero(d);
  }
  if (a.first) return;
#pragma GCC unroll 12
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
    for (int v = 0; v + 1 < V; ++v) acc[m][v] = hn::LoadU(d, a.out + a.out_pos[m] + v * n);
    // Straight in y a row may end inside the last vector, and y with it.
    const T* end = a.out + a.out_pos[m] + (V - 1) * n;
    acc[m][V - 1] = a.spare == 0 ? hn::LoadU(d, end) : hn::LoadN(d, end, static_cast<size_t>(n - a.spare));
  }
}

// The M addresses of x. kHeld of them fit the registers beside the loop's own. The others are read from the stack in
// every step: a compiler left alone parks them in vector registers, whose moves compete with the multiply-adds.
// tests/native/parked_test.py looks for them in the compiled routine.
template <class T, int M>
struct Addresses {
  static constexpr int kHeld = M < 5 ? M : 5;
  const T* held[kHeld];
  const T* volatile parked[M > kHeld ? M - kHeld : 1];

  HWY_INLINE explicit Addresses(const ChannelsArgs<T>& a) {
#pragma GCC unroll 12
    for (int m = 0; m < M; ++m) {
      if (m < kHeld) {
        held[m < kHeld ? m : 0] = a.x + a.x_pos[m];
      } else {
        parked[m - kHeld] = a.x + a.x_pos[m];
      }
    }
  }
  HWY_INLINE const T* operator[](int m) const { return m < kHeld ? held[m < kHeld ? m : 0] : parked[m - kHeld]; }
};

template <class T, int M, int V, bool kAhead>
HWY_INLINE void Multiply(const ChannelsArgs<T>& a, Vector<T> (&acc)[M][V]) {
  const hn::ScalableTag<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  const Addresses<T, M> x(a);
  const T* w = a.w;
  [[maybe_unused]] const char* next = reinterpret_cast<const char*>(a.w_next);
  for (int64_t c = 0; c < a.ci; ++c, w += a.w_ci) {
    if constexpr (kAhead) {
      for (int64_t k = 0; k < a.w_next_step; k += 64) __builtin_prefetch(next + k, 0, 2);
      next += a.w_next_step;
    }
    // Four at a time: cores with two multiply-adds a cycle gain 2 to 6 %, one a cycle is indifferent.
#pragma GCC unroll 4
    for (int64_t t = 0; t < a.taps; ++t) {
      const T* wt = w + a.w_tap[t];
      const int64_t xo = a.x_tap[t] + c;
      Vector<T> wv[V];
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) wv[v] = hn::LoadU(d, wt + v * n);
#pragma GCC unroll 12
      for (int m = 0; m < M; ++m) {
        const Vector<T> b = hn::Set(d, x[m][xo]);
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) acc[m][v] = hn::MulAdd(b, wv[v], acc[m][v]);
      }
    }
  }
}

// Bias and activation, behind the last slice.
template <class T, int M, int V>
HWY_INLINE void Finish(const ChannelsArgs<T>& a, Vector<T> (&acc)[M][V]) {
  const hn::ScalableTag<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) {
    const Vector<T> b = hn::LoadU(d, a.bias + v * n);
#pragma GCC unroll 12
    for (int m = 0; m < M; ++m) acc[m][v] = hn::Add(acc[m][v], b);
  }
  if (a.act == nullptr) return;
  kit::HWY_NAMESPACE::WithBranch<T>(*a.act, [&](auto f) HWY_ATTR {
#pragma GCC unroll 12
    for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) acc[m][v] = f(d, acc[m][v]);
    }
  });
}

// store(vector, to): all but the last vector of each position; last(vector, to): that one.
template <class T, int M, int V, class Store, class Last>
HWY_INLINE void StoreWith(const ChannelsArgs<T>& a, const Vector<T> (&acc)[M][V], Store store, Last last) {
  const int64_t n = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
#pragma GCC unroll 12
  for (int m = 0; m < M; ++m) {
    T* out = a.out + a.out_pos[m];
#pragma GCC unroll 4
    for (int v = 0; v + 1 < V; ++v) store(acc[m][v], out + v * n);
    last(acc[m][V - 1], out + (V - 1) * n);
  }
}

// The sums of `rows` positions, `width` apart, narrowed to y.
template <bool kBf16>
HWY_NOINLINE void Narrow(const ChannelsArgs<float>& a, const float* sums, int rows, int64_t width) {
  for (int m = 0; m < rows; ++m, sums += width) {
    auto* to = reinterpret_cast<uint16_t*>(a.out) + a.out_pos[m];
    if (a.stream) {
      kit::HWY_NAMESPACE::StreamRow<kBf16>(sums, width, to);
    } else {
      kit::HWY_NAMESPACE::NarrowRow<kBf16>(sums, width - a.spare, to);
    }
  }
}

template <int M, int V>
HWY_INLINE bool AnyNaN(const Vector<float> (&acc)[M][V]) {
  const hn::ScalableTag<float> d;
  auto found = hn::IsEitherNaN(acc[0][0], acc[0][V - 1]);
#pragma GCC unroll 12
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
    for (int v = 0; v < V; v += 2) found = hn::Or(found, hn::IsEitherNaN(acc[m][v], acc[m][v + 1 < V ? v + 1 : v]));
  }
  return !hn::AllFalse(d, found);
}

// Pairs of vectors straight from the registers.
template <bool kBf16, int M, int V>
HWY_INLINE void StorePairs(const ChannelsArgs<float>& a, const Vector<float> (&acc)[M][V]) {
  const kit::HWY_NAMESPACE::Pair whole;
  const int64_t n = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<float>()));
#pragma GCC unroll 12
  for (int m = 0; m < M; ++m) {
    auto* to = reinterpret_cast<uint16_t*>(a.out) + a.out_pos[m];
#pragma GCC unroll 4
    for (int v = 0; v < V; v += 2) {
      const auto pair = kit::HWY_NAMESPACE::NarrowedNumbers<kBf16>(acc[m][v], acc[m][v + 1 < V ? v + 1 : v]);
      if (a.stream) {
        hn::Stream(pair, whole, to + v * n);
      } else {
        hn::StoreU(pair, whole, to + v * n);
      }
    }
  }
}

template <int M, int V>
HWY_INLINE void StoreNarrow(const ChannelsArgs<float>& a, const Vector<float> (&acc)[M][V]) {
  const hn::ScalableTag<float> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  if constexpr (V % 2 == 0) {
    if (a.spare == 0 && a.type == Dtype::kF16) return StorePairs<false, M, V>(a, acc);
    if (a.spare == 0 && !AnyNaN<M, V>(acc)) return StorePairs<true, M, V>(a, acc);
  }
  HWY_ALIGN float sums[M * V * hn::MaxLanes(d)];
#pragma GCC unroll 12
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) hn::Store(acc[m][v], d, sums + (m * V + v) * n);
  }
  if (a.type == Dtype::kBf16) return Narrow<true>(a, sums, M, V * n);
  Narrow<false>(a, sums, M, V * n);
}

template <class T, int M, int V, bool kAhead>
HWY_INLINE void Block(const ChannelsArgs<T>& a) {
  const hn::ScalableTag<T> d;
  Vector<T> acc[M][V];
  Start<T, M, V>(a, acc);
  Multiply<T, M, V, kAhead>(a, acc);
  if (a.last) Finish<T, M, V>(a, acc);
  if constexpr (std::is_same_v<T, float>) {
    if (size_of(a.type) != sizeof(T)) return StoreNarrow<M, V>(a, acc);
  }
  const auto stream = [d](auto sums, T* to) HWY_ATTR { hn::Stream(sums, d, to); };
  const auto store = [d](auto sums, T* to) HWY_ATTR { hn::StoreU(sums, d, to); };
  if (a.stream) return StoreWith<T, M, V>(a, acc, stream, stream);
  if (a.spare == 0) return StoreWith<T, M, V>(a, acc, store, store);
  const size_t stored = hn::Lanes(d) - static_cast<size_t>(a.spare);
  StoreWith<T, M, V>(a, acc, store, [d, stored](auto sums, T* to) HWY_ATTR { hn::StoreN(sums, d, to, stored); });
}

// A function of its own, because the pointers it needs would cost the usual one registers.
template <class T, int M, int V>
HWY_NOINLINE void ChannelsAhead(const ChannelsArgs<T>& a) {
  Block<T, M, V, true>(a);
}
template <class T, int M, int V>
void Channels(const ChannelsArgs<T>& a) {
  if (a.w_next != nullptr) return ChannelsAhead<T, M, V>(a);
  Block<T, M, V, false>(a);
}

template <class T, int M, int V>
void FillOne(ChannelsRoutines<T>& s) {
  constexpr bool kFits = CTCONV_ACCUMULATORS == 24 ? M * V <= 24 : M * V + V + 1 <= 16;
  if constexpr (kFits) s.block[M - 1][V - 1] = &Channels<T, M, V>;
}
template <class T>
void Fill(ChannelsRoutines<T>& s) {
  kit::for_blocks<kMostChannelRows, kMostChannelVectors>(
      [&](auto m, auto v) { FillOne<T, decltype(m)::value, decltype(v)::value>(s); });
}
#else
template <class T>
void Fill(ChannelsRoutines<T>&) {}
#endif

void FillF32(ChannelsRoutines<float>& s) { Fill(s); }
void FillF64(ChannelsRoutines<double>& s) { Fill(s); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ctconv::native
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ctconv::native {
CTCONV_SIMD_FILLS(fill, ChannelsRoutines)

template <class T>
ChannelsRoutines<T> channels_routines() {
  ChannelsRoutines<T> routines{};
  fill(routines);
  return routines;
}
template ChannelsRoutines<float> channels_routines<float>();
template ChannelsRoutines<double> channels_routines<double>();

}  // namespace ctconv::native
#endif
