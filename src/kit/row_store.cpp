// SPDX-License-Identifier: Apache-2.0
// The last step of a tile; see row_store.h.
//
//   in:  rows of sums
//   out: rows of y
#include "src/kit/row_store.h"

#include <algorithm>

#include "src/base/checked.h"

namespace ctconv::kit {

template <class T>
RowStore<T>::RowStore(const Moves<T>& moves, const AxisPhases& w, Dtype dtype, int64_t y_stride, int64_t channels,
                      bool stream, int64_t room)
    : moves_(moves),
      w_(w),
      dtype_(dtype),
      y_w_(y_stride),
      channels_(channels),
      room_(room),
      same_(size_of(dtype) == sizeof(T)),
      contiguous_(w.complete() && y_stride == channels),
      stream_(stream && contiguous_) {}

template <class T>
typename RowStore<T>::Span RowStore<T>::span(int64_t begin, int64_t end) const {
  // Phases before `late` have q = begin .. end, the later ones q = begin-1 .. end-1.
  const bool late = lead() != 0;
  Span s;
  s.begin = begin;
  s.end = end;
  s.first = late && begin > 0 ? (begin - 1) * w_.s + w_.late : begin * w_.s;
  s.first = std::min(s.first, w_.o);
  const int64_t last = std::clamp(late ? (end - 1) * w_.s + w_.late : end * w_.s, s.first, w_.o);
  s.values = last - s.first;
  s.q0 = ceil_div(s.first, w_.s);
  s.q1 = std::max(s.q0, last / w_.s);
  s.front = std::min(s.q0 * w_.s - s.first, s.values);
  return s;
}

template <class T>
void RowStore<T>::operator()(const T* src, int64_t src_stride, const Span& span, char* y, Stage& stage) const {
  if (!contiguous_) return scattered(src, src_stride, span, y);
  if (span.values == 0) return;
  const int64_t bytes = bytes_of(dtype_), values = span.values * channels_;
  y += span.first * channels_ * bytes;
  T* to = reinterpret_cast<T*>(y);
  T* spare = stage.values;
  if (stream_ || !same_) {
    if (stage.filled != 0 && (stage.y + stage.filled * bytes != y || stage.filled + values > room_)) flush(stage);
    if (stage.filled == 0) stage.y = y;
    to = stage.values + stage.filled;
    spare = stage.values + room_;
    stage.filled += values;
  }
  const int64_t last = span.first + span.values;
  if (span.front != 0) loose(src, src_stride, span.begin, span.first, span.first + span.front, to);
  if (span.q0 < span.q1) {
    moves_.interleave(src + (span.q0 - span.begin), src_stride, w_.s * channels_, span.q1 - span.q0,
                      to + (span.q0 * w_.s - span.first) * channels_, spare);
  }
  const int64_t rest = std::max(span.q1 * w_.s, span.first + span.front);
  if (rest < last) loose(src, src_stride, span.begin, rest, last, to + (rest - span.first) * channels_);
}

template <class T>
void RowStore<T>::many(const T* src, int64_t src_stride, int64_t count, const RowPart* parts, int64_t parts_count,
                       char* y, T* stage) const {
  moves_.interleave(src - lead(), src_stride, w_.s * channels_, count + lead(), stage, stage + room_);
  moves_.store_parts(stage, parts, parts_count, dtype_, y);
}

template <class T>
void RowStore<T>::flush(Stage& stage) const {
  if (stage.filled != 0) moves_.store(stage.values, stage.filled, dtype_, stage.y, 1, stream_);
  stage.filled = 0;
}

// Output values from .. to, one by one.
template <class T>
void RowStore<T>::loose(const T* src, int64_t src_stride, int64_t begin, int64_t from, int64_t to, T* out) const {
  int64_t q = from / w_.s, r = from % w_.s;
  for (int64_t o = from; o < to; ++o) {
    const T* value = src + r * channels_ * src_stride + (q - begin);
    for (int64_t c = 0; c < channels_; ++c) *out++ = value[c * src_stride];
    if (++r == w_.s) {
      r = 0;
      ++q;
    }
  }
}

template <class T>
void RowStore<T>::scattered(const T* src, int64_t src_stride, const Span& span, char* y) const {
  const int64_t bytes = bytes_of(dtype_);
  for (int64_t r = 0; r < w_.count(); ++r) {
    const bool late = r >= w_.late;
    const int64_t from = late ? std::max<int64_t>(0, span.begin - 1) : span.begin;
    const int64_t to = std::min(late ? span.end - 1 : span.end, ceil_div(w_.o - r, w_.s));
    if (from < to) {
      for (int64_t c = 0; c < channels_; ++c) {
        moves_.store(src + (r * channels_ + c) * src_stride + (from - span.begin), to - from, dtype_,
                     y + ((from * w_.s + r) * y_w_ + c) * bytes, w_.s * y_w_, false);
      }
    }
  }
}

template class RowStore<float>;
template class RowStore<double>;

}  // namespace ctconv::kit
