// SPDX-License-Identifier: Apache-2.0
// Into which tiles y is cut: all of one shape, beginning where phases begin, within a number of bytes.
//
//   in:  TileAxes; the bytes that a grid's tiles cost, as a function, and how many there are; or the tile as asked for
//   out: TileGrid: the extents of a tile, and its boxes in C order; the first of an axis is shorter where the first
//        phase begins before output 0. Tiles that are no multiples of the stride begin at multiples of themselves.
//        The batch is cut first, then space from the front, so that what is read and written stays in long runs.
//        No extent is made smaller than eight halos while another axis can be cut.
//        Where no tile keeps the number of bytes: the smallest.
//   refuses (Fault OPTION): a tile of another rank
#pragma once

#include <functional>

#include "tools/cli/tiles_axes.h"

namespace cli {

class TileGrid {
 public:
  TileGrid(const TileAxes& axes, Extents tile);
  int64_t size() const { return counts_.elements(); }
  const Extents& tile() const { return tile_; }
  TileBox box(int64_t index) const;
  // A box whose window meets no end of x, where there is one.
  TileBox inner() const;
  // Elements that no tile's window of x exceeds: what a tile in the middle reads, or all of x where even that one meets
  // an end. Windows of another phase are one position longer at most.
  int64_t window() const;

 private:
  TileBox at(const Extents& position) const;
  const TileAxes* axes_;
  Extents tile_, ahead_;
  Span counts_;
};

using TileCost = std::function<int64_t(const TileGrid&)>;
TileGrid choose_tiles(const TileAxes& axes, const TileCost& cost, int64_t budget);
// One extent per spatial axis.
TileGrid tiles_of(const TileAxes& axes, const Extents& tile);

}  // namespace cli
