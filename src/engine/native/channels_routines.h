// SPDX-License-Identifier: Apache-2.0
// The vector routines of the form "channels": blocks of sums with lanes over output channels. See simd_channels.cpp.
//
//   in:  this CPU (Highway's run-time dispatch)
//   out: channels_routines<float>() and <double>(); entries are null where a block does not fit the registers
#pragma once

#include <cstdint>

#include "src/base/dtype.h"
#include "src/problem/problem.h"

namespace ctconv::native {

inline constexpr int kMostChannelRows = 12;    // M: positions of one block
inline constexpr int kMostChannelVectors = 4;  // V: vectors of channels of one position

// out[out_pos[m]][r] (+)= sum over c, t of x[x_pos[m] + c + x_tap[t]] * w[c*w_ci + w_tap[t] + r], r < V*N
template <class T>
struct ChannelsArgs {
  const T* x;
  const int64_t* x_pos;  // M
  int64_t ci;
  const int64_t* x_tap;
  const int64_t* w_tap;
  int64_t taps;
  const T* w;
  int64_t w_ci;
  const T* bias;  // V*N values
  int64_t spare;  // lanes of the last vector that are not stored
  T* out;
  const int64_t* out_pos;  // M
  const T* w_next;         // weights of the next slice, fetched ahead: so many bytes per input channel; null: none
  int64_t w_next_step;
  bool first, last;       // start from +0; add the bias
  const Activation* act;  // after the bias: relu, leaky relu or clip; null: none, or the caller's business
  bool stream;            // store past the cache: out is aligned to whole vectors and lines
  Dtype type;  // of out; where it is narrower than T, out and out_pos count its elements, first and last hold
};

template <class T>
struct ChannelsRoutines {
  void (*block[kMostChannelRows][kMostChannelVectors])(const ChannelsArgs<T>&);  // [M-1][V-1]

  // M of the tallest block with so many vectors.
  int rows(int64_t vectors) const {
    int m = kMostChannelRows;
    while (m > 1 && block[m - 1][vectors - 1] == nullptr) --m;
    return m;
  }
};

template <class T>
ChannelsRoutines<T> channels_routines();

}  // namespace ctconv::native
