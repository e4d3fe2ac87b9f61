// Packing weights: rows of a block side by side, widened.
//
//   in:  the raw weight, Problem::w, offsets of the rows and of the taps (a weight's place is their sum: both are
//   affine) out: out[(c*taps + t)*width + r] = w[c*w.ci + tap[t] + row[r]], zero for valid <= r < width
//        false where one of them is infinite or not a number
#pragma once

#include <cstdint>

#include "src/problem/problem.h"

namespace ctconv::native {

template <class T>
bool pack_rows(const Problem& p, const void* w, const int64_t* row, int64_t valid, int64_t width, const int64_t* tap,
               int64_t taps, T* out);

}  // namespace ctconv::native
