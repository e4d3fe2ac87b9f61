// SPDX-License-Identifier: Apache-2.0
// The vector routines of the form "rows": one output row, its S phases interleaved in registers. See simd_rows.cpp.
//
//   in:  this CPU (Highway's run-time dispatch)
//   out: rows_routines<float>() and <double>(); entries are null where S phases have no interleaving store
#pragma once

#include <cstdint>

#include "src/kit/moves.h"

namespace ctconv::native {

inline constexpr int kMostRowPhases = 8;   // S
inline constexpr int kMostRowVectors = 4;  // of positions at a time

// y[q*S + r] = bias + sum over t of w[t] * x[x_tap[t] + q], t of phase r in begin[r] .. begin[r+1], for
// q*S + r < values
template <class T>
struct RowsArgs {
  const T* x;
  const int64_t* x_tap;
  const T* w;
  const int32_t* begin;  // S + 1
  T bias;
  void* y;
  int64_t values;
};

template <class T>
struct RowsRoutines {
  void (*row[3][kMostRowPhases + 1])(const RowsArgs<T>&);  // [Stored of y][S]
};

template <class T>
RowsRoutines<T> rows_routines();

}  // namespace ctconv::native
