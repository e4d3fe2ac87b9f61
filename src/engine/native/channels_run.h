// SPDX-License-Identifier: Apache-2.0
// One call of the form "channels": its memory, and where one task stands in it. See channels_run.cpp.
#pragma once

#include <algorithm>

#include "src/engine/native/channels.h"

namespace ctconv::native::channels {

// Scratch of a call: bias in the order of the lanes, a copy of x, and the workers' memory.
template <class T>
struct Scratch {
  T* bias;
  char* workers;
  T* copy;
  int64_t worker_bytes;

  Scratch(const Plan<T>& k, Arena& arena);
};

// One worker's memory: tables of the box at hand, sums of the tile.
template <class T>
struct Worker {
  int64_t *x_tap, *w_tap, *x_pos, *out_pos;
  T* sums;          // [triple of the unit][position][lane]; then the row store's stage
  T* rows;          // the same transposed, [lane][position], where they are stored as rows
  int64_t* copied;  // whether the copy is there
  T* copy;          // the worker's own copy of x, or its panel

  Worker(const Plan<T>& k, Arena& arena);
};

// Some images of a call.
template <class T>
struct Images {
  const Operands& memory;
  const T* bias;
  const T* x;  // of the first of them, as the routines read it
  int64_t first, count;
  int64_t origin = 0;  // where the panel's first element would lie, were x all there with the panel's strides
};

// What one task computes: a tile of positions, a unit of triples, a block of lanes.
struct Task {
  Box tile;
  int64_t g = 0;
  Unit unit;
  const Block* block = nullptr;
  int64_t width = 0;          // lanes of the block
  int64_t next_weights = -1;  // packed weights of the task behind the last one that shares these; -1: no such
};

// Calls use(n, d, h, row) for every row of a tile at which both phases have outputs; `row` counts all rows.
template <class Use>
[[gnu::always_inline]] inline void for_rows(const Box& tile, const Phase& pd, const Phase& ph, Use use) {
  int64_t row = 0;
  for (int64_t n = tile[0].begin; n < tile[0].end; ++n) {
    for (int64_t d = tile[1].begin; d < tile[1].end; ++d) {
      for (int64_t h = tile[2].begin; h < tile[2].end; ++h, ++row) {
        if (pd.contains(d) && ph.contains(h)) use(n, d, h, row);
      }
    }
  }
}

// From the sums of a task to y, where blocks did not write it themselves.
template <class T>
void finish(const Plan<T>& k, const Images<T>& images, const Task& task, const Worker<T>& worker);

}  // namespace ctconv::native::channels
