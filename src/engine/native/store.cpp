// in: rows of sums; out: rows of y. See store.h.
#include "src/engine/native/store.h"

#include <algorithm>

namespace ctconv::native {

template <class T>
void RowStore<T>::prepare(const Simd<T>& s, const AxisPhases& axis, Dtype y_dtype, int64_t y_stride,
                          int64_t inner_channels, bool streaming) {
  simd = &s;
  w = &axis;
  dtype = y_dtype;
  y_w = y_stride;
  channels = inner_channels;
  stream = streaming;
  u_lo = axis.u0;
  u_hi = axis.u0 + axis.un;
  for (const Phase& p : axis.phases) {
    u_lo = std::max(u_lo, p.u_begin);
    u_hi = std::min(u_hi, p.u_end);
  }
  u_hi = std::max(u_lo, u_hi);
  contiguous = axis.complete() && y_w == channels;
}

template <class T>
void RowStore<T>::operator()(const T* src, int64_t src_stride, int64_t u_begin, int64_t u_end, char* y,
                             T* stage) const {
  int64_t a = u_end, b = u_end;
  if (contiguous) {
    a = std::clamp(u_lo, u_begin, u_end);
    b = std::clamp(u_hi, a, u_end);
  }
  if (u_begin < a) scattered(src, src_stride, u_begin, u_begin, a, y);
  if (a < b) {
    const int64_t rows = w->s * channels, count = b - a;
    char* to = y + (a * w->s - w->lo) * y_w * static_cast<int64_t>(size_of(dtype));
    const T* from = src + (a - u_begin);
    if (size_of(dtype) == sizeof(T) && !stream) {
      simd->interleave(from, src_stride, rows, count, reinterpret_cast<T*>(to), stage);
    } else {
      simd->interleave(from, src_stride, rows, count, stage, stage + rows * count);
      simd->store(stage, rows * count, dtype, to, 1, stream);
    }
  }
  if (b < u_end) scattered(src, src_stride, u_begin, b, u_end, y);
}

template <class T>
void RowStore<T>::scattered(const T* src, int64_t src_stride, int64_t u_begin, int64_t a, int64_t b, char* y) const {
  const int64_t bytes = static_cast<int64_t>(size_of(dtype));
  for (const Phase& p : w->phases) {
    const int64_t from = std::max(a, p.u_begin), to = std::min(b, p.u_end);
    if (from < to) {
      for (int64_t c = 0; c < channels; ++c) {
        simd->store(src + c * src_stride + (from - u_begin), to - from, dtype, y + (w->out(from, p) * y_w + c) * bytes,
                    w->s * y_w, false);
      }
    }
    src += channels * src_stride;
  }
}

template struct RowStore<float>;
template struct RowStore<double>;

}  // namespace ctconv::native
