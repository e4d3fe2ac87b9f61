// SPDX-License-Identifier: Apache-2.0
// The one copy of the input: widened, zero-padded, and laid out as the micro-kernels read it.
//
//   planes:    [n][channel][d][h][w] with zeros where a tap would leave the input.
//              Every tap of every rank is one offset. Neighbouring rows share their padding:
//              a row is i + max(left, right) long instead of i + both.
//   channels:  [n][group][d][h][w][channel], no padding: the form "channels" never touches a tap outside the input.
//
//   in:      x with any strides
//   refuses: nothing
#pragma once

#include <array>

#include "src/kit/moves.h"
#include "src/kit/phases.h"

namespace ctconv::kit {

struct PlaneAxis {
  int64_t first = 0, count = 0;  // real input rows kept: first, first+1, ...
  int64_t before = 0;            // zero rows in front of them
  int64_t pitch = 1;             // rows from one line of this axis to the next: real + shared padding
};

struct Planes {
  std::array<PlaneAxis, 3> axis;
  std::array<int64_t, 3> stride{};  // of one step of u along d, h, w
  int64_t positions = 0;            // flattened u positions
  int64_t last = 0;                 // the largest tap offset
  int64_t plane = 0;                // elements of one channel's plane, slack for whole vectors included

  // From position u0 of the grid to what tap j of phase p reads there.
  int64_t tap(const Grid& grid, size_t a, const Phase& p, int64_t j) const {
    return (grid[a].v_max + grid[a].row(p, j)) * stride[a];
  }
};

// slack: elements a routine may read past the last position.
Planes planes_of(const Grid& grid, int64_t slack, int64_t lanes);

// Places from .. to of the planes of channels c0 .. c1, counted over all groups.
struct PlanePart {
  int64_t c0, c1, from, to;
};
// x: the image; out: place `from` of c0, channels `pitch` apart.
template <class T>
void plane_part(const Moves<T>& moves, const Problem& p, const Planes& planes, const char* x, const PlanePart& part,
                int64_t pitch, T* out);

// All planes of some images: number of tasks, and one task. x: the first image; out: its planes.
int64_t plane_tasks(const Problem& p, int64_t images, int32_t threads);
template <class T>
void plane_task(const Moves<T>& moves, const Problem& p, const Planes& planes, const char* x, int32_t threads,
                int64_t task, T* out);

// The layout "channels" of some images. pitch: from one position's channels to the next's.
int64_t channel_tasks(const Problem& p, int64_t images);
template <class T>
void channel_task(const Moves<T>& moves, const Problem& p, const char* x, int64_t task, int64_t pitch, T* out);

}  // namespace ctconv::kit
