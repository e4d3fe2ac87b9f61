// SPDX-License-Identifier: Apache-2.0
// Form "positions": vector lanes run over flattened output positions, rows of a block are output channels and phases.
//
//   For channels-first layers with few products per output (few channels or taps), and for few output channels.
//   x -> padded planes (or in place where no tap can leave the input) -> blocks -> rows of one unit -> y, once
//   Unit: the rows finished together, some output channels times all phases they are interleaved with.
//   Strip: six vectors of positions. Band: strips finished together. Tile: the bands of one task.
//   Slab: where taps along d differ from row to row, one row of d; else the whole grid.
//   Weights: [group][unit][block][ci][taps][M], zero-free: a block holds phases of one tap list only.
//
//   Refuses (null): tables beyond limits.h.
//   Refuses to pack: weights with Inf or NaN, which padding could meet.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "src/engine/native/form.h"
#include "src/engine/native/positions_routines.h"

namespace ctconv::native::positions {

// How x is read.
enum class Source {
  kInPlace,      // where it lies
  kStripPanels,  // no tap leaves it, but each band is copied to a dense panel: many rows read it, or it is not dense
  kTilePanels,   // each tile pads what it reads itself, in its worker's memory
  kPlanes,       // padded planes of some images, made before all tiles
};

struct TapList {  // one per combination of the axes' tap lists
  int64_t d_taps = 1, d_v0 = 0, hw_taps = 1;
  std::vector<int64_t> x_tap, w_tap;  // places in the planes and in the raw weight
  int64_t taps() const { return std::ssize(x_tap); }
};

// Rows that are summed in one call.
struct Block {
  int32_t list = 0, rows = 0;
  int32_t row = 0;     // the first of them in Units::rows
  int64_t weight = 0;  // offset inside the group's packed weights
};
struct Unit {
  int32_t c0 = 0, channels = 0;
  int32_t d0 = 0, d1 = 0, h0 = 0, h1 = 0;  // phases along d and h; all of w
  int32_t block0 = 0, block1 = 0;
};
struct Row {  // what a packed row computes, and where in its unit
  int32_t c, d, h, w;
  int64_t index;
};
struct Units {
  std::vector<Unit> all;
  std::vector<Block> blocks;
  std::vector<Row> rows;
  bool channels_inner = false;  // y has its channels innermost: they are interleaved like phases
  int64_t weights = 0;          // packed elements of a group
  int64_t most_rows = 0;        // of a unit

  int64_t count() const { return std::ssize(all); }
  // The row of a unit that computes channel c (of the unit) in phases d, h and the first of ws phases of w.
  int64_t row(const Unit& u, int64_t c, int64_t d, int64_t h, int64_t ws) const {
    const int64_t ds = u.d1 - u.d0, hs = u.h1 - u.h0;
    if (channels_inner) return ((d - u.d0) * hs + (h - u.h0)) * ws * u.channels + c;
    return ((c * ds + (d - u.d0)) * hs + (h - u.h0)) * ws;
  }
};

struct Slabs {
  int64_t count = 1;
  int64_t step = 0;                                // places of the planes between two of them
  int64_t positions = 0, vectors = 0, strips = 0;  // of one
  double real = 1;                                 // share of the taps that is multiplied

  int64_t first_vector(int64_t strip) const { return begin_of_part(vectors, strip, strips); }
};
struct Bands {
  int64_t strips = 1;    // of the largest
  int64_t per_slab = 0;  // so many
  int64_t count = 0;     // in all slabs
  int64_t width = 0;     // from one row of sums to the next: positions of a band, and kMaxLanes spare ones in front

  int64_t first_strip(const Slabs& slabs, int64_t band) const { return begin_of_part(slabs.strips, band, per_slab); }
  int64_t first_vector(const Slabs& slabs, int64_t band) const { return slabs.first_vector(first_strip(slabs, band)); }
};

struct Tiles {
  Source source = Source::kPlanes;
  int64_t bands = 1;        // of a tile
  int64_t count = 1;        // of a group of one image
  int64_t shares = 1;       // tasks that share the units of a tile
  int64_t images = 1;       // padded at once
  int64_t panel_pitch = 0;  // of a worker's panel, from channel to channel
  double copies = 1;        // how often a place of the planes is written

  bool in_place() const { return source == Source::kInPlace || source == Source::kStripPanels; }
};

template <class T>
struct Plan {
  Problem p;
  Moves<T> moves;
  PositionsRoutines<T> routines;
  Grid grid;
  int32_t threads = 1;
  Planes planes;
  std::vector<TapList> lists;
  Units units;
  std::vector<int32_t> row_place, row_channel;  // of each of units.rows: its first sum in the rows of its unit
  Slabs slabs;
  Bands bands;
  Tiles tiles;
  int64_t room = 0;  // of the row store's stage
  RowStore<T> store;
  double seconds = 0;

  // The first position of a band in its slab.
  int64_t first_position(int64_t band) const { return bands.first_vector(slabs, band) * moves.lanes; }
};

// Places of the planes that bands k0 .. k1 read.
struct Places {
  int64_t begin, end;
};
Places places_of(const Slabs& slabs, const Bands& bands, const Planes& planes, int64_t lanes, int64_t k0, int64_t k1);

template <class T>
std::unique_ptr<Kernel> plan(const Given<T>& given);
template <class T>
std::string describe(const Plan<T>& plan);
template <class T>
size_t scratch_size(const Plan<T>& plan);
template <class T>
size_t packed_size(const Plan<T>& plan);
template <class T>
std::string packing_key(const Plan<T>& plan);
template <class T>
Result<bool> pack_weights(const Plan<T>& plan, const void* w, void* packed, const Runner& runner);
template <class T>
Kernel::Spoils spoils_of(const Plan<T>& plan) {
  return plan.tiles.in_place() ? Kernel::Spoils::kNothing : Kernel::Spoils::kBorders;
}
template <class T>
Status compute(const Plan<T>& plan, const Operands& memory, const Runner& runner);

}  // namespace ctconv::native::positions
