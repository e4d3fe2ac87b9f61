// SPDX-License-Identifier: Apache-2.0
// The vector routine of the form "depthwise": lanes over channels, each with weights of its own. See
// simd_depthwise.cpp.
//
//   in:  this CPU (Highway's run-time dispatch)
//   out: depthwise_routines<float>() and <double>()
#pragma once

#include <cstdint>

#include "src/kit/moves.h"

namespace ctconv::native {

using kit::Stored;

// out[m*out_step + c] = bias[c] + sum over r < rows, q < taps of
//                       x[m*x_step + x_row[r] + q*x_tap + c] * w[w_row[r]*w_between + q*w_tap + c]
// for c < channels (N at least) and m < count, the taps of a row one after the other; steps in elements
template <class T>
struct DepthwiseArgs {
  const void* x;
  int64_t x_step, x_tap;
  const int64_t* x_row;
  const T* w;
  int64_t w_between, w_tap;  // from row to row, w_row of them; from tap to tap
  const int64_t* w_row;
  int64_t rows, taps;
  const T* bias;
  void* out;
  int64_t out_step;
  int64_t count, channels;
  bool stream;  // past the caches: out and its steps are whole vectors, all types wide
};

template <class T>
struct DepthwiseRoutines {
  void (*table[3][3])(const DepthwiseArgs<T>&);  // [Stored of x][of out]; null: two different types of 16 bits

  auto positions(Stored x, Stored out) const { return table[static_cast<int>(x)][static_cast<int>(out)]; }
};

template <class T>
DepthwiseRoutines<T> depthwise_routines();

}  // namespace ctconv::native
