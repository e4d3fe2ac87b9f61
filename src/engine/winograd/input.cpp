// SPDX-License-Identifier: Apache-2.0
// x into points: tiles of a block, each of its input channels.
//
//   in:  x with any strides, of any of the three types
//   out: points[(p * points of w + q) * tiles + tile][tap of d * ci + channel]; rows beyond x are zeros
//   Where channels do not lie innermost, or are narrow, rows of x are copied first; neighbouring tiles share copies.
#include <cstring>

#include "src/base/checked.h"
#include "src/engine/winograd/task.h"

namespace ctconv::winograd {
namespace {

// What is read at a time: a run's rows, some channels.
struct Window {
  Run run;
  int64_t g, d, c, channels;  // d: row of x; c: first channel of the group
  int64_t columns;            // inputs along w
  int64_t w;                  // row of x of the first of them
};

const char* place(const Plan& plan, const void* x, const Window& a, int64_t h, int64_t w) {
  const Problem& p = plan.p;
  const int64_t element =
      a.run.n * p.x.n + (a.g * p.ci + a.c) * p.x.c + a.d * p.x.axis[0] + h * p.x.axis[1] + w * p.x.axis[2];
  return static_cast<const char*>(x) + element * kit::bytes_of(p.types.x);
}

// Columns of the window inside x: [first, last).
struct Inside {
  int64_t first, last;
};
Inside inside(const Plan& plan, const Window& a) {
  const int64_t step = plan.w.step, i = plan.p.axis[2].i;
  const int64_t first = std::clamp<int64_t>(ceil_div(-a.w, step), 0, a.columns);
  return {first, std::clamp<int64_t>(ceil_div(i - a.w, step), first, a.columns)};
}

// Row h of x, channels innermost.
void copy_row(const Plan& plan, const void* x, const Window& a, int64_t h, Scratch& s, float* to) {
  const Problem& p = plan.p;
  const auto [first, last] = inside(plan, a);
  const size_t bytes = static_cast<size_t>(a.channels) * sizeof(float);
  for (int64_t q = 0; q < first; ++q) std::memset(to + q * kChunk, 0, bytes);
  for (int64_t q = last; q < a.columns; ++q) std::memset(to + q * kChunk, 0, bytes);
  const int64_t count = last - first;
  if (count == 0) return;
  const char* from = place(plan, x, a, h, a.w + first * plan.w.step);
  const int64_t step = p.x.axis[2] * plan.w.step, size = kit::bytes_of(p.types.x);
  to += first * kChunk;
  if (p.x.c == 1) {
    for (int64_t q = 0; q < count; ++q) {
      plan.moves.load(from + q * step * size, 1, p.types.x, a.channels, to + q * kChunk);
    }
    return;
  }
  if (step == 1 && p.types.x == Dtype::kF32) {
    plan.moves.transpose(reinterpret_cast<const float*>(from), p.x.c, a.channels, count, to, kChunk);
    return;
  }
  for (int64_t c = 0; c < a.channels; ++c) {
    plan.moves.load(from + c * p.x.c * size, step, p.types.x, count, s.strided + c * count);
  }
  plan.moves.transpose(s.strided, count, a.channels, count, to, kChunk);
}

// The copy of row h: one made for the tiles above, or a new one in the place of a row no longer needed.
const float* cached_row(const Plan& plan, const void* x, const Window& a, int64_t h, int64_t oldest, Scratch& s) {
  const RowCache::Tag tag{a.run.n, a.d, h, a.w, a.c, a.columns};
  const int64_t pitch = run_inputs(plan, most_run(plan)) * kChunk;
  int64_t spare = 0;
  for (int64_t k = 0; k < kMostInputs; ++k) {
    const RowCache::Tag& known = s.cache.tag[k];
    if (known == tag) return s.rows + k * pitch;
    RowCache::Tag other = known;
    other.h = h;
    const int64_t ahead = known.h - oldest;
    if (other != tag || ahead < 0 || ahead % plan.h.step != 0) spare = k;
  }
  s.cache.tag[spare] = tag;
  copy_row(plan, x, a, h, s, s.rows + spare * pitch);
  return s.rows + spare * pitch;
}

// s.at: where each input of the run's tiles lies.
void point_at(const Plan& plan, const void* x, const Window& a, Scratch& s) {
  const auto [first, last] = inside(plan, a);
  const bool plane = a.d >= 0 && a.d < plan.p.axis[0].i;
  const int64_t oldest = plan.h.input(a.run.tile_h, 0);
  for (int64_t r = 0; r < plan.h.inputs; ++r) {
    const float** at = s.at + r * a.columns;
    const int64_t h = plan.h.input(a.run.tile_h, r);
    const bool real = plane && h >= 0 && h < plan.p.axis[1].i && first < last;
    if (!real) {
      std::fill(at, at + a.columns, s.zeros);
    } else if (plan.in_place) {
      std::fill(at, at + first, s.zeros);
      std::fill(at + last, at + a.columns, s.zeros);
      const auto* from = reinterpret_cast<const float*>(place(plan, x, a, h, a.w + first * plan.w.step));
      const int64_t step = plan.w.step * plan.p.x.axis[2];
      for (int64_t q = first; q < last; ++q) at[q] = from + (q - first) * step;
    } else {
      const float* row = cached_row(plan, x, a, h, oldest, s);
      for (int64_t q = 0; q < a.columns; ++q) at[q] = row + q * kChunk;
    }
  }
}

void transform_window(const Plan& plan, const Pass& pass, const Block& block, const Window& a, int64_t k, Scratch& s) {
  const int64_t tiles = block.tiles(), first_h = row_of(pass.kind).first;
  for (const PointsW& points : plan.points_w) {
    const auto transform = plan.routines.input[static_cast<int>(pass.kind)][static_cast<int>(points.kind)];
    InputArgs args{.at_row = a.columns, .channels = a.channels};
    args.v_point = tiles * plan.pitch;
    args.v_row = plan.all_points_w * args.v_point;
    const float* const* at = s.at + first_h * a.columns + row_of(points.kind).first;
    float* v = s.points + points.at * args.v_point + a.run.row * plan.pitch + k;
    for (int64_t tile = 0; tile < a.run.count; ++tile) {
      args.at = at + tile * plan.w.m;
      args.v = v + tile * plan.pitch;
      transform(args);
    }
  }
}

}  // namespace

// Whole vectors are written: what reaches beyond a chunk is overwritten by the next one, or lies behind the last.
void transform_block(const Plan& plan, const Pass& pass, const Block& block, const void* x, Scratch& s) {
  const Problem& p = plan.p;
  s.cache = RowCache();
  std::fill(s.zeros, s.zeros + kChunk, 0.0f);
  for (int64_t tap = 0; tap < plan.d_taps; ++tap) {
    for (int64_t c = 0; c < p.ci; c += kChunk) {
      const int64_t channels = std::min(kChunk, p.ci - c);
      for (int64_t id = block.begin; id < block.end;) {
        const Run run = run_at(plan, id, block.begin, block.end, kMostRunTiles);
        Window a{.run = run, .g = block.g, .d = run.u_d - tap * plan.d.v_step, .c = c, .channels = channels};
        a.columns = run_inputs(plan, run.count);
        a.w = plan.w.input(run.tile_w, 0);
        point_at(plan, x, a, s);
        transform_window(plan, pass, block, a, tap * p.ci + c, s);
        id += run.count;
      }
    }
  }
}

}  // namespace ctconv::winograd
