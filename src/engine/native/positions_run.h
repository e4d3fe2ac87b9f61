// SPDX-License-Identifier: Apache-2.0
// One call of the form "positions": its memory, and what a band gives to y. See positions_run.cpp.
#pragma once

#include "src/engine/native/positions.h"

namespace ctconv::native::positions {

// Scratch of a call: bias, the workers' memory, padded planes of some images.
template <class T>
struct Scratch {
  T* bias;
  char* workers;
  T* planes;
  int64_t worker_bytes;

  Scratch(const Plan<T>& k, Arena& arena);
};

// Part of one row of the grid inside a band.
template <class T>
struct Segment {
  int64_t d, h;  // u
  int64_t at;    // its first position in the band
  typename RowStore<T>::Span span;
};

// One worker's memory.
template <class T>
struct Worker {
  T* panel;  // x of a band, or of a tile: [ci][places]
  T* rows;   // sums of a unit in a band, each row behind kMaxLanes spare values
  T* stage;  // of the row store
  Segment<T>* segments;
  RowPart* parts;

  Worker(const Plan<T>& k, Arena& arena);
};

// A band and the segments in it.
template <class T>
struct Band {
  int64_t slab, first, width;  // positions first .. first + width of the slab
  int64_t positions;           // of them inside the slab
  int64_t strip0, strip1;
  int64_t segments = 0;
};

// The rows of a unit become y. n: image; width: positions of the band.
template <class T>
void finish(const Plan<T>& k, char* y, int64_t n, int64_t g, const Unit& unit, const Band<T>& band,
            const Worker<T>& worker);

}  // namespace ctconv::native::positions
