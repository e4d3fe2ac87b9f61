// SPDX-License-Identifier: Apache-2.0
// Packing weights: rows of a block side by side, widened.
//
//   in:  the raw weight, Problem::w, and offsets in it: a weight's place is base + input channel + row + tap
//   out: out[(c*taps + t)*width + r] = w[base + c*w.ci + tap[t] + row[r]] for c0 <= c < c1, zero for valid <= r < width
//        false where one of them is infinite or not a number
//   Rows that lie evenly apart are transposed, a run of the raw weight at a time, where its taps lie close together.
#pragma once

#include <cstdint>

#include "src/kit/moves.h"

namespace ctconv::kit {

struct RowPack {
  int64_t c0, c1;
  int64_t base;
  const int64_t* row;
  int64_t valid, width;
  const int64_t* tap;
  int64_t taps;
};

template <class T>
bool pack_rows(const Moves<T>& moves, const Problem& p, const void* w, const RowPack& rows, T* out);

}  // namespace ctconv::kit
