// The last step of a tile: rows of finished sums, one per phase, become interleaved rows of y.
//
//   in:  sums of one channel and one (d, h) output row: phase p of the w axis at src + p*src_stride, positions
//   u_begin..u_end out: y[u*s + f - lo] for every phase and position inside the output; nothing else is written Unit
//   stride and all phases present: interleaved in registers; otherwise element by element with y's stride.
#pragma once

#include "src/engine/native/geometry.h"
#include "src/engine/native/simd.h"

namespace ctconv::native {

template <class T>
struct RowStore {
  const Simd<T>* simd = nullptr;
  const AxisPhases* w = nullptr;
  Dtype dtype = Dtype::kF32;
  int64_t y_w = 1;       // y's stride along w, in elements
  int64_t channels = 1;  // channels that lie innermost in y with stride 1, as rows of each phase: src row of (phase p,
                         // channel c) is p*channels + c
  bool stream = false;
  int64_t u_lo = 0, u_hi = 0;  // positions at which every phase is inside the output
  bool contiguous = false;

  void prepare(const Simd<T>& s, const AxisPhases& axis, Dtype y_dtype, int64_t y_stride, int64_t inner_channels,
               bool streaming);
  // y: address of output index 0 of this row; stage: room for 2 * rows * positions values.
  void operator()(const T* src, int64_t src_stride, int64_t u_begin, int64_t u_end, char* y, T* stage) const;

 private:
  void scattered(const T* src, int64_t src_stride, int64_t u_begin, int64_t a, int64_t b, char* y) const;
};

}  // namespace ctconv::native
