// SPDX-License-Identifier: Apache-2.0
// How x and y of a layer lie, and what a box of y reads of x: the command line's side of regions.
//
//   in:  an op, the whole x's element type and shape, what else a call has
//   out: TileAxes: which axis is the batch (-1: none), which the channels, which run in space, with what strides
//        TileBox: a box of y and the window of x it reads, along every axis
//   refuses: what the library refuses (ctconv::error); an output without elements (Fault OPTION)
#pragma once

#include <cstdint>
#include <vector>

#include "ctconv/ctconv.hpp"

namespace cli {

using Extents = std::vector<int64_t>;

struct Span {
  Extents begin, count;  // one entry per axis
  int64_t elements() const;
};

struct TileBox {
  Span y, x;
  Extents begin, end, x_begin;  // per spatial axis, as a call takes them
};

class TileAxes {
 public:
  TileAxes(const ctconv::Op& op, ctconv::Dtype type, Extents x_shape, const ctconv::CallExtras& extras);

  TileBox box(const Span& y) const;
  // Bytes of workspace for a box.
  size_t workspace(const TileBox& box) const;
  // x: the window, in C order or (fortran) with its first axis fastest; y: the box, in C order.
  void execute(const TileBox& box, void* x, bool fortran, void* y) const;

  const ctconv::Dtype type;
  const Extents x_shape;
  Extents y_shape;
  int batch = -1, channels = 0;
  std::vector<int> spatial;
  // Per spatial axis: the stride, 1 where windows never move; how far before output 0 the first phase begins. Boxes
  // cost least where they begin at multiples of the stride less that: no phase of theirs has a row more than another.
  Extents strides, ahead;

 private:
  bool has_rank(int rank) const;
  int64_t first_with_end(size_t a, int64_t end) const;
  void find_phases(size_t a);
  ctconv::CallExtras region(const TileBox& box) const;
  const ctconv::Op& op_;
  const ctconv::CallExtras extras_;
};

}  // namespace cli
