// The last step of a tile: rows of finished sums, one per phase, become interleaved rows of y.
//
//   in:  sums of one (d, h) output row: phase p of the w axis, channel c at src + (p*channels + c)*src_stride,
//        positions u_begin .. u_end
//   out: y[u*s + f - lo] for every phase and position inside the output; nothing else is written
//   Unit stride and all phases present: interleaved in registers, straight into y or, where y is narrower or streamed
//   past the cache, into a stage that grows while rows follow each other in y. Otherwise element by element with y's
//   stride.
#pragma once

#include "src/engine/native/geometry.h"
#include "src/engine/native/simd.h"

namespace ctconv::native {

template <class T>
class RowStore {
 public:
  // Values that wait in the stage for consecutive elements of y.
  struct Run {
    T* stage;
    char* y = nullptr;
    int64_t filled = 0;
  };

  // channels > 1: these lie innermost in y with stride 1. room: values a run may hold, at least one call's.
  void prepare(const Simd<T>& simd, const AxisPhases& w, Dtype dtype, int64_t y_stride, int64_t channels, bool stream,
               int64_t room);
  // y: address of output index 0 of this row.
  void operator()(const T* src, int64_t src_stride, int64_t u_begin, int64_t u_end, char* y, Run& run) const;
  void flush(Run& run) const;

  bool contiguous() const { return contiguous_; }
  bool stream() const { return stream_; }
  // Elements of the stage behind Run: the run and what interleaving needs.
  static int64_t stage_elements(int64_t room) { return 2 * room; }

 private:
  int64_t edge(const T* src, int64_t src_stride, int64_t u_begin, int64_t a, int64_t b, T* to) const;
  void scattered(const T* src, int64_t src_stride, int64_t u_begin, int64_t u_end, char* y) const;

  Simd<T> simd_{};
  AxisPhases w_;
  Dtype dtype_ = Dtype::kF32;
  int64_t y_w_ = 1, channels_ = 1, room_ = 0;
  int64_t u_lo_ = 0, u_hi_ = 0;  // positions at which every phase is inside the output
  bool stream_ = false, contiguous_ = false;
};

}  // namespace ctconv::native
