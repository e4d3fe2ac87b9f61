// SPDX-License-Identifier: Apache-2.0
// The last step of a tile: rows of finished sums, one per phase, become interleaved rows of y.
//
//   in:  sums of one (d, h) output row in the order of output: value q of phase r becomes y[q*s + r]
//        phase r, channel c at src + (r*channels + c)*src_stride
//        (Phases that begin one u later were written one place earlier.)
//   out: the output values which positions begin .. end of the row give; nothing else is written
//
//   Unit stride and all phases present: interleaved in registers, straight into y. Where y is narrower or streamed
//   past the cache: into a stage that grows while rows follow each other in y. Otherwise: element by element.
#pragma once

#include "src/kit/moves.h"
#include "src/kit/phases.h"

namespace ctconv::kit {

template <class T>
class RowStore {
 public:
  // Values that wait for consecutive elements of y.
  struct Stage {
    T* values;
    char* y = nullptr;  // where the first of them belongs
    int64_t filled = 0;
  };

  // channels > 1: these lie innermost in y with stride 1. room: values that may wait, at least one row's.
  RowStore(const Moves<T>& moves, const AxisPhases& w, Dtype dtype, int64_t y_stride, int64_t channels, bool stream,
           int64_t room);
  // What positions begin .. end (counted from the hull's first) give: whole groups q0 .. q1 of s values, and loose
  // values in front and behind where a row was cut or ends inside a group.
  struct Span {
    int64_t begin = 0, end = 0, q0 = 0, q1 = 0, first = 0, front = 0, values = 0;
  };
  Span span(int64_t begin, int64_t end) const;
  // src: where position span.begin lies; y: address of output index 0 of this row.
  void operator()(const T* src, int64_t src_stride, const Span& span, char* y, Stage& stage) const;
  void flush(Stage& stage) const;

  // Many short rows at once, where plain(): all `count` positions interleaved into the stage, then cut up.
  // src: the first position, one place earlier readable; part(span, at): what a row's values at position `at` become.
  bool plain() const { return contiguous_ && !stream_; }
  RowPart part(const Span& span, int64_t at) const {
    return {((at - span.begin + lead()) * w_.s + span.first) * channels_, span.first * channels_,
            span.values * channels_};
  }
  void many(const T* src, int64_t src_stride, int64_t count, const RowPart* parts, int64_t parts_count, char* y,
            T* stage) const;

  bool contiguous() const { return contiguous_; }
  bool stream() const { return stream_; }
  // Elements of Stage::values: those that wait and what interleaving needs.
  static int64_t stage_elements(int64_t room) { return 2 * room; }

 private:
  int64_t lead() const { return w_.late < w_.count() ? 1 : 0; }
  void loose(const T* src, int64_t src_stride, int64_t begin, int64_t from, int64_t to, T* out) const;
  void scattered(const T* src, int64_t src_stride, const Span& span, char* y) const;

  Moves<T> moves_;
  AxisPhases w_;
  Dtype dtype_;
  int64_t y_w_, channels_, room_;
  bool same_, contiguous_, stream_;  // y has type T; its rows have no gaps; they are stored past the cache
};

}  // namespace ctconv::kit
