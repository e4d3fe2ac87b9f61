// SPDX-License-Identifier: Apache-2.0
// The weight gradient: every weight is a sum over places (n, i) of what it multiplied, in the reference's chains.
//
//   w[g, ci, co, t] = sum over places of x[n, g*ci + k, i] * y[n, g*co + c, i*s + t*d - lo]
//   One operand's channels are the lanes, the other one's channels and all taps are the rows. Which is which: the side
//   whose channels fill the vectors better. Lanes are read from panels with channels innermost, or in place; rows by
//   broadcast, wherever they lie. With one channel of each in a group (pairs) the groups are the lanes of both.
//   A chain of kChainTerms places is cut into boxes of places. Of a box, taps that meet y at the same places share a
//   call. Sums wait in memory between boxes.
//   Tasks are tiles of weights (rows x lanes) of a group, over all chains; or, where the weights are few, single chains
//   whose parts are added behind, in their order.
//   Refuses (null): empty problems, tables beyond limits.h.
#pragma once

#include <array>
#include <vector>

#include "src/engine/native/kit.h"
#include "src/engine/native/outer_routines.h"
#include "src/kit/boxes.h"
#include "src/plan/engine.h"

namespace ctconv::native::weights {

// x or y: a dense panel of a box, or the operand where it lies. Strides in elements: n, c, d, h, w.
struct Side {
  bool in_place = false;
  bool inner = false;  // the panel has channels innermost
  std::array<int64_t, 5> outside{};
  int64_t pitch = 0;  // channels of a panel's place (inner), padded to vectors
  int64_t most = 0;   // elements of the largest panel
};

// Places of the grid of x: images, then positions along d, h, w.
struct Range {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
};
using Box = std::array<Range, 4>;

template <class T>
struct Plan {
  Problem p;
  Moves<T> moves;
  OuterRoutines<T> routines;
  int32_t threads = 1;
  bool pairs = false;                       // groups are lanes
  bool lanes_x = true;                      // x is the side of the lanes
  int64_t groups = 1;                       // 1 for pairs
  int64_t lanes = 1, padded = 1, rows = 1;  // channels of a group on either side
  Side x, y;
  int64_t box_places = 1;  // of a box, at most
  int64_t places = 1, chains = 1;
  bool by_chains = false;               // each task is one chain; their parts wait in scratch
  int64_t lane_tile = 1, row_tile = 1;  // of a task
  int64_t lane_tiles = 1, row_tiles = 1;
  double seconds = 0;

  int64_t taps() const { return p.taps(); }
  int64_t tile_sums() const { return taps() * row_tile * lane_tile; }  // elements
  int64_t tiles() const { return groups * lane_tiles * row_tiles; }
};

// The next box of the chain's places [place, end): whole rows, planes or images, or a part of a row.
Box next_box(const std::array<int64_t, 4>& extent, int64_t place, int64_t end, int64_t most);
inline int64_t places_of(const Box& b) { return b[0].size() * b[1].size() * b[2].size() * b[3].size(); }

// Rows of y along an axis that the inputs of a range meet, cut to the core.
Range reached(const Axis& a, const Range& inputs);

// Sums of the bias, by the same chains (weights_bias.cpp). Elements of scratch it needs; groups*co sums.
template <class T>
int64_t bias_scratch(const Problem& p, int32_t threads);
template <class T>
Status sum_bias(const Problem& p, const Moves<T>& moves, const Operands& m, T* scratch, const Runner& runner);

template <class T>
size_t scratch_size(const Plan<T>& plan);
template <class T>
std::string describe(const Plan<T>& plan);
template <class T>
Status compute(const Plan<T>& plan, const Operands& memory, const Runner& runner);

}  // namespace ctconv::native::weights
