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

// out[m*out_step + r] = bias[r] + sum over t of x[m*x_step + x_tap[t] + r] * w[w_tap[t] + r]
// for r < channels (N at least) and m < count; steps and taps in elements
template <class T>
struct DepthwiseArgs {
  const void* x;
  int64_t x_step;
  const int64_t* x_tap;
  const int64_t* w_tap;
  int64_t taps;
  const T* w;
  const T* bias;
  void* out;
  int64_t out_step;
  int64_t count, channels;
};

template <class T>
struct DepthwiseRoutines {
  void (*table[3][3])(const DepthwiseArgs<T>&);  // [Stored of x][of out]; null: two different types of 16 bits

  auto positions(Stored x, Stored out) const { return table[static_cast<int>(x)][static_cast<int>(out)]; }
};

template <class T>
DepthwiseRoutines<T> depthwise_routines();

}  // namespace ctconv::native
