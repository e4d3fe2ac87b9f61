// SPDX-License-Identifier: Apache-2.0
// The end of a block and of a unit: sums become y. See run.h.
//
//   in:  a block's sums [position][row], bias added
//   out: its part of y, rounded once; channels innermost: runs of them; else rows, phases interleaved
#include <algorithm>

#include "src/engine/tiles/run.h"

namespace ctconv::tiles {
namespace {

// Address of output row (d, h) of phases pd, ph, channel c of the group.
char* row_of_y(const Layout& k, const SlabOf& slab, const Segment& s, const kit::Phase& pd, const kit::Phase& ph,
               int64_t c, char* y) {
  const ActivationLayout& l = k.p.y;
  const int64_t at =
      s.n * l.n + (slab.g * k.p.co + c) * l.c + k.grid[0].out(s.d, pd) * l.axis[0] + k.grid[1].out(s.h, ph) * l.axis[1];
  return y + at * kit::bytes_of(k.p.types.y);
}

// Rows of a block from `first` on that follow each other: one phase, neighbouring channels.
int32_t run_of(const Layout& k, const RowBlock& b, int32_t first) {
  int32_t count = 1;
  while (first + count < b.rows &&
         at(k.units.rows, b.row + first + count).follows(at(k.units.rows, b.row + first + count - 1))) {
    ++count;
  }
  return count;
}

void store_run(const Layout& k, const SlabOf& slab, const Row& row, int32_t count, const float* sums, char* y,
               const Worker& worker) {
  const kit::Phase &pd = k.grid[0].phase(row.d), &ph = k.grid[1].phase(row.h), &pw = k.grid[2].phase(row.w);
  const int64_t step = k.p.y.axis[2];
  for (const Segment* s = worker.segments; s < worker.segments + slab.segments; ++s) {
    if (!pd.contains(s->d) || !ph.contains(s->h)) continue;
    const int64_t begin = std::max(s->w, pw.u_begin), end = std::min(s->w + s->count, pw.u_end);
    if (begin >= end) continue;
    char* to = row_of_y(k, slab, *s, pd, ph, row.c, y) + k.grid[2].out(begin, pw) * step * kit::bytes_of(k.p.types.y);
    k.lines.store(sums + (s->at + begin - s->w) * kRows, end - begin, count, k.p.types.y, to, k.grid[2].s * step);
  }
}

// Late phases one place earlier, see row_store.h.
void transpose_run(const Layout& k, const SlabOf& slab, const RowUnit& u, const Row& row, int32_t count,
                   const float* sums, const Worker& worker) {
  const int64_t hs = u.h1 - u.h0, ws = k.grid[2].count(), phases = (u.d1 - u.d0) * hs * ws;
  const int64_t first = (row.c - u.c0) * phases + ((row.d - u.d0) * hs + row.h - u.h0) * ws + row.w;
  float* rows = worker.rows + kit::kMaxLanes + first * k.row_pitch - (row.w >= k.grid[2].late ? 1 : 0);
  k.moves.transpose(sums, kRows, slab.positions, count, rows, phases * k.row_pitch);
}

}  // namespace

int64_t segments_of(const Layout& k, const SlabOf& slab, Segment* out) {
  const int64_t row = k.planes.stride[1], plane = k.planes.stride[0], image = k.image_places();
  const int64_t last = slab.first + slab.positions;
  int64_t found = 0;
  for (int64_t j = slab.first; j < last;) {
    const int64_t n = j / image, place = j % image, d = place / plane, h = place % plane / row, w = place % plane % row;
    const int64_t next = std::min({last, j - w + row, (n + 1) * image});  // the next row of the grid
    const int64_t end = std::min(w + next - j, k.grid[2].un);
    if (w < end && h < k.grid[1].un && d < k.grid[0].un) {
      out[found++] = {slab.n + n,     d + k.grid[0].u0, h + k.grid[1].u0,    w + k.grid[2].u0,
                      j - slab.first, end - w,          k.store.span(w, end)};
    }
    j = next;
  }
  return found;
}

void finish_block(const Layout& k, const SlabOf& slab, const RowUnit& u, const RowBlock& b, char* y,
                  const Worker& worker) {
  if (k.p.epilogue.activation.kind != Activation::kNone) {
    k.moves.activate(k.p.epilogue.activation, worker.sums, slab.positions * kRows);
  }
  for (int32_t r = 0; r < b.rows;) {
    const Row& row = at(k.units.rows, b.row + r);
    const int32_t count = run_of(k, b, r);
    if (k.runs) {
      store_run(k, slab, row, count, worker.sums + r, y, worker);
    } else {
      transpose_run(k, slab, u, row, count, worker.sums + r, worker);
    }
    r += count;
  }
}

// Channel by channel in the order of y, so that rows which follow each other there are stored as one.
void finish_unit(const Layout& k, const SlabOf& slab, const RowUnit& u, char* y, const Worker& worker) {
  const int64_t ws = k.grid[2].count(), hs = u.h1 - u.h0, ds = u.d1 - u.d0;
  kit::RowStore<float>::Stage stage{worker.stage};
  for (int64_t c = 0; c < u.channels; ++c) {
    for (int64_t d = u.d0; d < u.d1; ++d) {
      const kit::Phase& pd = k.grid[0].phase(d);
      for (const Segment* s = worker.segments; s < worker.segments + slab.segments; ++s) {
        if (!pd.contains(s->d)) continue;
        for (int64_t i = 0; i < hs; ++i) {  // late phases of a position come before the others in y
          const int64_t h = u.h0 + (hs > 1 ? (i + k.grid[1].late) % hs : 0);
          const kit::Phase& ph = k.grid[1].phase(h);
          if (!ph.contains(s->h)) continue;
          const int64_t first = ((c * ds + (d - u.d0)) * hs + (h - u.h0)) * ws;
          const float* row = worker.rows + kit::kMaxLanes + first * k.row_pitch + s->at;
          k.store(row, k.row_pitch, s->span, row_of_y(k, slab, *s, pd, ph, u.c0 + c, y), stage);
        }
      }
    }
  }
  k.store.flush(stage);
}

}  // namespace ctconv::tiles
