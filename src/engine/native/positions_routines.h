// SPDX-License-Identifier: Apache-2.0
// The vector routines of the form "positions": blocks of sums with lanes over positions. See simd_positions.cpp.
//
//   in:  this CPU (Highway's run-time dispatch)
//   out: positions_routines<float>() and <double>(); entries are null where a block does not fit the registers
#pragma once

#include <cstdint>

namespace ctconv::native {

inline constexpr int kMostPositionRows = 8;     // M: rows of one block
inline constexpr int kMostPositionVectors = 6;  // V: vectors of one row

// out[row[m]][q] = sum over c, t (in this order) of w[c][t][m] * x[c*x_ci + x_tap[t] + q], + bias[row_c[m]]
template <class T>
struct PositionsArgs {
  const T* x;
  int64_t x_ci, ci;
  const int64_t* x_tap;
  int64_t taps;
  const T* x_ahead;  // what will be read soon, to be fetched ahead: V vectors per ci; null: nothing
  int64_t x_ahead_ci;
  const T* w;  // [ci][taps][M], ci apart by w_ci
  int64_t w_ci;
  const T* bias;
  const int32_t* row;    // M offsets into out
  const int32_t* row_c;  // M channels: which bias
  T* out;
};

template <class T>
struct PositionsRoutines {
  void (*block[kMostPositionRows][kMostPositionVectors])(const PositionsArgs<T>&);  // [M-1][V-1]
};

template <class T>
PositionsRoutines<T> positions_routines();

}  // namespace ctconv::native
