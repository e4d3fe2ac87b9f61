// Micro-kernels with lanes over output channels: M positions by V vectors of channels in registers.
//
//   in:  ChannelsArgs;   out: M*V vectors of sums, kept between slabs of input channels as they are (first, last)
//   Per (channel, tap): V loads of packed weights, M broadcast inputs, M*V fused multiply-adds. Positions are any M
//   addresses.
#include "src/kit/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "src/engine/native/simd_channels.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "src/engine/native/channels_routines.h"
#include "src/kit/simd_branches.h"
#include "src/kit/simd_tables.h"

HWY_BEFORE_NAMESPACE();
namespace ctconv::native {
namespace HWY_NAMESPACE {
namespace {  // several files define these names
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_NATIVE_FMA
// kAhead: a variant of its own, because the pointers it needs would cost the usual one registers.
template <class T, int M, int V, bool kAhead = false>
void Channels(const ChannelsArgs<T>& a) {
  if constexpr (!kAhead) {
    if (a.w_next != nullptr) return Channels<T, M, V, true>(a);
  }
  const hn::ScalableTag<T> d;
  using Vec = hn::Vec<decltype(d)>;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  Vec acc[M][V];
  // kHeld addresses fit the registers beside the loop's own. The others are read from the stack in every step: a
  // compiler left alone parks them in vector registers, whose moves compete with the multiply-adds.
  constexpr int kHeld = M < 5 ? M : 5;
  const T* p[kHeld];
  const T* volatile parked[M > kHeld ? M - kHeld : 1];
#pragma GCC unroll 12
  for (int m = 0; m < M; ++m) {
    if (m < kHeld) {
      p[m < kHeld ? m : 0] = a.x + a.x_pos[m];
    } else {
      parked[m - kHeld] = a.x + a.x_pos[m];
    }
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) acc[m][v] = hn::Zero(d);
  }
  if (!a.first) {
#pragma GCC unroll 12
    for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
      for (int v = 0; v + 1 < V; ++v) acc[m][v] = hn::LoadU(d, a.out + a.out_pos[m] + v * n);
      // Straight in y a row may end inside the last vector, and y with it.
      const T* end = a.out + a.out_pos[m] + (V - 1) * n;
      acc[m][V - 1] = a.spare == 0 ? hn::LoadU(d, end) : hn::LoadN(d, end, static_cast<size_t>(n - a.spare));
    }
  }
  const T* w = a.w;
  [[maybe_unused]] const char* next = reinterpret_cast<const char*>(a.w_next);
  for (int64_t c = 0; c < a.ci; ++c, w += a.w_ci) {
    if constexpr (kAhead) {
      for (int64_t k = 0; k < a.w_next_step; k += 64) __builtin_prefetch(next + k, 0, 2);
      next += a.w_next_step;
    }
    for (int64_t t = 0; t < a.taps; ++t) {
      const T* wt = w + a.w_tap[t];
      const int64_t xo = a.x_tap[t] + c;
      Vec wv[V];
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) wv[v] = hn::LoadU(d, wt + v * n);
#pragma GCC unroll 12
      for (int m = 0; m < M; ++m) {
        const T* from = m < kHeld ? p[m < kHeld ? m : 0] : parked[m < kHeld ? 0 : m - kHeld];
        const Vec b = hn::Set(d, from[xo]);
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) acc[m][v] = hn::MulAdd(b, wv[v], acc[m][v]);
      }
    }
  }
  if (a.last) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      const Vec b = hn::LoadU(d, a.bias + v * n);
#pragma GCC unroll 12
      for (int m = 0; m < M; ++m) acc[m][v] = hn::Add(acc[m][v], b);
    }
    if (a.act != nullptr) {
      kit::HWY_NAMESPACE::WithBranch<T>(*a.act, [&](auto f) HWY_ATTR {
#pragma GCC unroll 12
        for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
          for (int v = 0; v < V; ++v) acc[m][v] = f(d, acc[m][v]);
        }
      });
    }
  }
  if (a.stream) {
#pragma GCC unroll 12
    for (int m = 0; m < M; ++m) {
      T* out = a.out + a.out_pos[m];
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) hn::Stream(acc[m][v], d, out + v * n);
    }
    return;
  }
  if (a.spare != 0) {
    const size_t stored = static_cast<size_t>(n - a.spare);
#pragma GCC unroll 12
    for (int m = 0; m < M; ++m) {
      T* out = a.out + a.out_pos[m];
#pragma GCC unroll 4
      for (int v = 0; v + 1 < V; ++v) hn::StoreU(acc[m][v], d, out + v * n);
      hn::StoreN(acc[m][V - 1], d, out + (V - 1) * n, stored);
    }
    return;
  }
#pragma GCC unroll 12
  for (int m = 0; m < M; ++m) {
    T* out = a.out + a.out_pos[m];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) hn::StoreU(acc[m][v], d, out + v * n);
  }
}

template <class T, int M, int V>
void FillOne(ChannelsRoutines<T>& s) {
  constexpr bool kFits = CTCONV_ACCUMULATORS == 24 ? M * V <= 24 : M * V + V + 1 <= 16;
  if constexpr (kFits) s.block[M - 1][V - 1] = &Channels<T, M, V>;
}
template <class T, int M>
void FillRow(ChannelsRoutines<T>& s) {
  FillOne<T, M, 1>(s);
  FillOne<T, M, 2>(s);
  FillOne<T, M, 3>(s);
  FillOne<T, M, 4>(s);
}
template <class T>
void Fill(ChannelsRoutines<T>& s) {
  FillRow<T, 1>(s);
  FillRow<T, 2>(s);
  FillRow<T, 3>(s);
  FillRow<T, 4>(s);
  FillRow<T, 5>(s);
  FillRow<T, 6>(s);
  FillRow<T, 7>(s);
  FillRow<T, 8>(s);
  FillRow<T, 9>(s);
  FillRow<T, 10>(s);
  FillRow<T, 11>(s);
  FillRow<T, 12>(s);
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
