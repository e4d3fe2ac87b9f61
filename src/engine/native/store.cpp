// in: rows of sums; out: rows of y. See store.h.
#include "src/engine/native/store.h"

#include <algorithm>

namespace ctconv::native {

template <class T>
void RowStore<T>::prepare(const Simd<T>& simd, const AxisPhases& w, Dtype dtype, int64_t y_stride, int64_t channels,
                          bool stream, int64_t room) {
  simd_ = simd;
  w_ = w;
  dtype_ = dtype;
  y_w_ = y_stride;
  channels_ = channels;
  room_ = room;
  u_lo_ = w.u0;
  u_hi_ = w.u0 + w.un;
  for (const Phase& p : w.phases) {
    u_lo_ = std::max(u_lo_, p.u_begin);
    u_hi_ = std::min(u_hi_, p.u_end);
  }
  u_hi_ = std::max(u_lo_, u_hi_);
  contiguous_ = w.complete() && y_w_ == channels_;
  stream_ = stream && contiguous_;
}

template <class T>
void RowStore<T>::operator()(const T* src, int64_t src_stride, int64_t u_begin, int64_t u_end, char* y,
                             Run& run) const {
  if (!contiguous_) return scattered(src, src_stride, u_begin, u_end, y);
  const int64_t bytes = static_cast<int64_t>(size_of(dtype_));
  const int64_t first = std::max<int64_t>(0, u_begin * w_.s - w_.lo), last = std::min(w_.o, u_end * w_.s - w_.lo);
  if (first >= last) return;
  const int64_t values = (last - first) * channels_;
  y += first * y_w_ * bytes;
  const bool direct = bytes == static_cast<int64_t>(sizeof(T)) && !stream_;
  T* to = reinterpret_cast<T*>(y);
  T* spare = run.stage;
  if (!direct) {
    if (run.filled != 0 && (run.y + run.filled * bytes != y || run.filled + values > room_)) flush(run);
    if (run.filled == 0) run.y = y;
    to = run.stage + run.filled;
    spare = run.stage + room_;
    run.filled += values;
  }
  const int64_t a = std::clamp(u_lo_, u_begin, u_end), b = std::clamp(u_hi_, a, u_end);
  if (u_begin < a) to += edge(src, src_stride, u_begin, u_begin, a, to);
  if (a < b) {
    simd_.interleave(src + (a - u_begin), src_stride, w_.s * channels_, b - a, to, spare);
    to += (b - a) * w_.s * channels_;
  }
  if (b < u_end) edge(src, src_stride, u_begin, b, u_end, to);
}

template <class T>
void RowStore<T>::flush(Run& run) const {
  if (run.filled != 0) simd_.store(run.stage, run.filled, dtype_, run.y, 1, stream_);
  run.filled = 0;
}

// Positions at which only some phases are inside the output; what is inside is still consecutive.
template <class T>
int64_t RowStore<T>::edge(const T* src, int64_t src_stride, int64_t u_begin, int64_t a, int64_t b, T* to) const {
  const T* const begin = to;
  for (int64_t u = a; u < b; ++u) {
    const T* from = src + (u - u_begin);
    for (const Phase& p : w_.phases) {
      if (u >= p.u_begin && u < p.u_end) {
        for (int64_t c = 0; c < channels_; ++c) *to++ = from[c * src_stride];
      }
      from += channels_ * src_stride;
    }
  }
  return to - begin;
}

template <class T>
void RowStore<T>::scattered(const T* src, int64_t src_stride, int64_t u_begin, int64_t u_end, char* y) const {
  const int64_t bytes = static_cast<int64_t>(size_of(dtype_));
  for (const Phase& p : w_.phases) {
    const int64_t from = std::max(u_begin, p.u_begin), to = std::min(u_end, p.u_end);
    if (from < to) {
      for (int64_t c = 0; c < channels_; ++c) {
        simd_.store(src + c * src_stride + (from - u_begin), to - from, dtype_,
                    y + (w_.out(from, p) * y_w_ + c) * bytes, w_.s * y_w_, false);
      }
    }
    src += channels_ * src_stride;
  }
}

template class RowStore<float>;
template class RowStore<double>;

}  // namespace ctconv::native
