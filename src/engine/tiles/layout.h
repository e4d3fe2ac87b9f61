// SPDX-License-Identifier: Apache-2.0
// How a problem is cut for a unit: chunks of channels, tap lists, units and blocks of rows, slabs of positions.
//
//   Row: one output channel in one phase. Block: up to 32 rows of one tap list. Unit: the rows finished together, some
//   channels times all phases along w. Line: 64 bytes, 32 channels of one position. Stack: images that one task takes
//   together, where one has few positions. Slab: positions of one task, all of a stack or a part of an image.
//   x: padded planes of lines, [chunk][part][place]; w: [group][unit][block][chunk][tap][part][half] tiles (unit.h)
//   A position of the u grid is one place, neighbouring rows share their padding: every tap is a shift by whole lines.
//
//   in:  a problem, the unit and its parts;   out: a Layout;   refuses: tables or memory of a worker beyond bounds
#pragma once

#include <string>
#include <vector>

#include "src/engine/tiles/lines.h"
#include "src/engine/tiles/unit.h"
#include "src/kit/moves.h"
#include "src/kit/phases.h"
#include "src/kit/planes.h"
#include "src/kit/row_store.h"
#include "src/plan/engine.h"

namespace ctconv::tiles {

// What is multiplied: parts of x and w, and which products of them are summed, in this order.
struct Split {
  int64_t parts = 1;
  std::vector<Product> products;
};

struct TapList {                      // one per combination of the axes' tap lists
  std::vector<int64_t> x_tap, w_tap;  // values of packed x; elements of the raw weight
  int64_t taps() const { return std::ssize(x_tap); }
};

// A row's channel and phases. Rows of a block follow each other by phase, then by channel.
struct Row {
  int32_t c, d, h, w;
  bool follows(const Row& r) const { return c == r.c + 1 && d == r.d && h == r.h && w == r.w; }
};
struct Range {
  int64_t begin = 0, end = 0;
  bool holds(int64_t v) const { return begin <= v && v < end; }
};
struct RowBlock {
  int32_t list = 0, row = 0, rows = 0;  // rows: so many from Units::rows[row] on
  int64_t weight = 0;                   // values from the group's first
  std::array<Range, 3> u;               // what any of its phases computes
  int64_t halves() const { return rows > kHalf ? 2 : 1; }
};
struct RowUnit {
  int32_t c0 = 0, channels = 0;
  int32_t d0 = 0, d1 = 0, h0 = 0, h1 = 0;  // phases along d and h; all of w
  int32_t block0 = 0, block1 = 0;
};
struct Units {
  std::vector<RowUnit> all;
  std::vector<RowBlock> blocks;
  std::vector<Row> rows;
  int64_t weights = 0;    // packed values of a group
  int64_t most_rows = 0;  // of a unit

  int64_t count() const { return std::ssize(all); }
};

struct Slabs {
  int64_t images = 1;                // of a stack
  int64_t positions = 0, count = 1;  // of a slab; slabs of a stack
  int64_t shares = 1;                // tasks that share the units of a slab
  bool own_panel = false;            // each task packs what it reads; else planes of some images are packed before
  int64_t packed = 1;                // stacks packed at once
  int64_t pitch = 0;                 // lines from one chunk and part to the next
};

struct Layout {
  Problem p;
  const Unit* unit = nullptr;
  Split split;
  kit::Moves<float> moves;
  Lines lines;
  int32_t threads = 1;
  kit::Grid grid;
  kit::Planes planes;
  int64_t chunks = 1, pairs = 1;  // pairs of channels of the last chunk
  std::vector<TapList> lists;
  Units units;
  bool by_rows = false;  // positions are summed row by row of the grid; else all places of a slab, padding included
  bool runs = false;     // y has its channels innermost: rows are stored as runs of channels
  Slabs slabs;
  int64_t row_pitch = 0;  // from one transposed row of sums to the next
  int64_t room = 0;       // of the row store's stage
  kit::RowStore<float> store;
  double seconds = 0;

  int64_t chunk_parts() const { return chunks * split.parts; }
  int64_t first(int64_t slab) const { return slab * slabs.positions; }
  int64_t stacks() const { return (p.n + slabs.images - 1) / slabs.images; }
  int64_t images_of(int64_t stack) const { return std::min(slabs.images, p.n - stack * slabs.images); }
  // Places from one image of a stack to the next: no tap of one reaches the next.
  int64_t image_places() const { return planes.positions + planes.last; }
  int64_t positions_of(int64_t images, int64_t slab) const {
    return std::min(slabs.positions, (images - 1) * image_places() + planes.positions - first(slab));
  }
  int64_t packed_values() const { return p.groups * units.weights; }
};

Result<std::unique_ptr<Layout>> lay_out(const char* engine, const Problem& p, const PlanContext& context,
                                        const Unit& unit, Split split);
double expected_seconds(const Layout& k);

}  // namespace ctconv::tiles
