// SPDX-License-Identifier: Apache-2.0
// The vector routines of the weight gradient: sums over places of a vector of channels times a row. See simd_outer.cpp.
//
//   in:  this CPU (Highway's run-time dispatch)
//   out: outer_routines<float>() and <double>(); entries are null where a block does not fit the registers
#pragma once

#include <cstdint>

namespace ctconv::native {

inline constexpr int kMostOuterRows = 12;    // M
inline constexpr int kMostOuterVectors = 4;  // V

// sums[out[m] + r] += over k, in order, lanes[lane_at[k] + r] * rows[row_at[k] + row[m]]        r < V*N
// pairs: the second factor is rows[row_at[k] + row[m] + r]
template <class T>
struct OuterArgs {
  const T* lanes;
  const T* rows;
  const int64_t* lane_at;  // of each place
  const int64_t* row_at;
  int64_t places;
  const int64_t* row;  // M
  const int64_t* out;  // M
  T* sums;
};

template <class T>
struct OuterRoutines {
  void (*block[2][kMostOuterRows][kMostOuterVectors])(const OuterArgs<T>&);  // [pairs][M-1][V-1]

  // M of the tallest block with so many vectors.
  int most_rows(int64_t vectors) const {
    int m = kMostOuterRows;
    while (m > 1 && block[0][m - 1][vectors - 1] == nullptr) --m;
    return m;
  }
};

template <class T>
OuterRoutines<T> outer_routines();

}  // namespace ctconv::native
