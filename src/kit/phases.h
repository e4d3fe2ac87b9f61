// SPDX-License-Identifier: Apache-2.0
// The phases of a transposed convolution along one axis, and which taps each has.
//
//   o + lo = u*s + f,  t*d = v*s + f   =>   i = u - v
//   So the outputs of one phase f are a dense, stride-1 correlation on the u grid.
//
//   in:  an Axis of the problem
//   out: the phases that occur, their u range, and their taps as an arithmetic progression
//   An axis of one input row has no use for its stride: it is widened until every tap is a phase of its own (k = s).
//
//   The data gradient is a correlation whose positions lie `step` rows apart:  x row u reads y row u*step - v, all taps
//   in one phase, the last tap first (v ascends). Its axis has i and o of the other side.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "src/base/at.h"
#include "src/problem/problem.h"

namespace ctconv::kit {

struct Phase {
  int64_t f = 0;
  int64_t u_begin = 0, u_end = 0;    // outputs u*s + f - lo inside [0, o)
  int64_t t0 = 0, v0 = 0, taps = 0;  // taps t0 + j*t_step read input row u*step - (v0 + j*v_step)
  int32_t tap_list = 0;              // phases of equal tap_list read the same rows

  bool contains(int64_t u) const { return u_begin <= u && u < u_end; }
};

struct AxisPhases {
  int64_t i = 1, o = 1, s = 1, lo = 0;
  int64_t t_step = 1, v_step = 1;
  int64_t u0 = 0, un = 1;     // hull of the phases' u ranges: u0 .. u0 + un
  int64_t v_max = 0;          // largest v of any tap that a phase uses
  int32_t tap_lists = 1;      // number of different tap lists
  int64_t step = 1;           // input rows from one u to the next
  int64_t first_f = 0;        // remainder of output row 0
  int64_t late = 1;           // phases [late, s) begin one u later than the first ones
  std::vector<Phase> phases;  // only those with outputs, in the order of their first output row: o = q*s + index

  int64_t count() const { return std::ssize(phases); }
  const Phase& phase(int64_t index) const { return at(phases, index); }
  bool complete() const { return count() == s; }
  // The phase of remainder f, where all are present.
  const Phase& by_f(int64_t f) const { return phase(f >= first_f ? f - first_f : f - first_f + s); }
  int64_t out(int64_t u, const Phase& p) const { return u * s + p.f - lo; }
  // Input row tap j of the phase reads, counted from row u*step.
  int64_t row(const Phase& p, int64_t j) const { return -(p.v0 + j * v_step); }
};

AxisPhases phases_of(const Axis& axis);

// The u grid: all phases of d, h, w.
using Grid = std::array<AxisPhases, 3>;
Grid grid_of(const Problem& p);

// Of the data gradient: the axis of the forward pass; its phase's rows are x's, what it reads are y's.
AxisPhases gradient_phases_of(const Axis& axis);
Grid gradient_grid_of(const Problem& p);

// A range of u on which the same taps [j_begin, j_end) of a phase meet real input rows.
struct Stretch {
  int64_t u_begin, u_end, j_begin, j_end;
};
// At most so many of all phases together.
int64_t most_stretches(const AxisPhases& axis);
std::vector<Stretch> stretches_of(const AxisPhases& axis, const Phase& phase, int64_t u_begin, int64_t u_end);

}  // namespace ctconv::kit
