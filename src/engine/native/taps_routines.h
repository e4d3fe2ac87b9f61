// SPDX-License-Identifier: Apache-2.0
// The vector routine of the form "taps": a strip of one output row of some images. See simd_taps.cpp.
//
//   in:  this CPU (Highway's run-time dispatch)
//   out: taps_routines<float>() and <double>(); null where vectors have no fused multiply-add
#pragma once

#include <cstdint>

namespace ctconv::native {

inline constexpr int kMostTapsImages = 4;  // M
inline constexpr int kTapsVectors = 4;     // V

// out[m*out_image + l] = sum over rows r, then inputs i from last down to first, of
//     x[m*image + x_at[r] + i] * w[w_at[r] + t],  t = t0 - i*s + l,  where 0 <= t < k         l < V*N
// Vectors of w are read whole: V*N elements before and behind its rows must be there.
template <class T>
struct TapsArgs {
  const T *x, *w;
  const int64_t *x_at, *w_at;
  int64_t rows, image, first, last, t0, s, k, out_image;
  T *out;
};

template <class T>
struct TapsRoutines {
  void (*strip[kMostTapsImages])(const TapsArgs<T> &);  // [M-1]
};

template <class T>
TapsRoutines<T> taps_routines();

}  // namespace ctconv::native
