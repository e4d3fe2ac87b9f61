// SPDX-License-Identifier: Apache-2.0
// The end of a unit of the form "positions": rows of sums become y. See positions_run.h.
//
//   in:  the rows of a unit in a band
//   out: its part of y: rows that follow each other there as one, short rows of a plain y all together
#include "src/engine/native/positions_run.h"

namespace ctconv::native::positions {
namespace {

// Short rows of a plain y: all positions of the band interleaved, then cut up.
template <class T>
void finish_short(const Plan<T>& k, char* y, const Unit& u, const Band<T>& band, const Worker<T>& worker) {
  const auto& stride = k.p.y.axis;
  const int64_t ws = k.grid[2].count(), hs = u.h1 - u.h0;
  for (int64_t pair = 0; pair < (u.d1 - u.d0) * hs; ++pair) {
    const int64_t d = u.d0 + pair / hs, h = u.h0 + pair % hs;
    const Phase &pd = k.grid[0].phase(d), &ph = k.grid[1].phase(h);
    int64_t found = 0;
    for (const Segment<T>* s = worker.segments; s < worker.segments + band.segments; ++s) {
      if (!pd.contains(s->d) || !ph.contains(s->h)) continue;
      worker.parts[found] = k.store.part(s->span, s->at);
      worker.parts[found++].to += k.grid[0].out(s->d, pd) * stride[0] + k.grid[1].out(s->h, ph) * stride[1];
    }
    if (found == 0) continue;
    for (int64_t c = 0; c < u.channels; c += k.units.channels_inner ? u.channels : 1) {
      const T* row = worker.rows + kMaxLanes + k.units.row(u, c, d, h, ws) * k.bands.width;
      char* to = y + c * k.p.y.c * bytes_of(k.p.types.y);
      k.store.many(row, k.bands.width, band.width, worker.parts, found, to, worker.stage);
    }
  }
}

}  // namespace

// Channel by channel in the order of y, so that rows which follow each other there are stored as one.
template <class T>
void finish(const Plan<T>& k, char* y, int64_t n, int64_t g, const Unit& u, const Band<T>& band,
            const Worker<T>& worker) {
  const ActivationLayout& l = k.p.y;
  const int64_t bytes = bytes_of(k.p.types.y), ws = k.grid[2].count(), hs = u.h1 - u.h0;
  y += (n * l.n + (g * k.p.co + u.c0) * l.c) * bytes;
  if (band.segments > 1 && k.store.plain()) return finish_short(k, y, u, band, worker);
  typename RowStore<T>::Stage stage{worker.stage};
  for (int64_t c = 0; c < u.channels; c += k.units.channels_inner ? u.channels : 1) {
    for (int64_t d = u.d0; d < u.d1; ++d) {
      const Phase& pd = k.grid[0].phase(d);
      for (const Segment<T>* s = worker.segments; s < worker.segments + band.segments; ++s) {
        if (!pd.contains(s->d)) continue;
        char* plane = y + (k.grid[0].out(s->d, pd) * l.axis[0] + c * l.c) * bytes;
        for (int64_t i = 0; i < hs; ++i) {  // late phases of a position come before the others in y
          const int64_t h = u.h0 + (hs > 1 ? (i + k.grid[1].late) % hs : 0);
          const Phase& ph = k.grid[1].phase(h);
          if (!ph.contains(s->h)) continue;
          const T* row = worker.rows + kMaxLanes + k.units.row(u, c, d, h, ws) * k.bands.width + s->at;
          k.store(row, k.bands.width, s->span, plane + k.grid[1].out(s->h, ph) * l.axis[1] * bytes, stage);
        }
      }
    }
  }
  k.store.flush(stage);
}

template void finish(const Plan<float>&, char*, int64_t, int64_t, const Unit&, const Band<float>&,
                     const Worker<float>&);
template void finish(const Plan<double>&, char*, int64_t, int64_t, const Unit&, const Band<double>&,
                     const Worker<double>&);

}  // namespace ctconv::native::positions
