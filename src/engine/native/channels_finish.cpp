// SPDX-License-Identifier: Apache-2.0
// The end of a task of the form "channels": sums [triple][position][lane] become y. See channels_run.h.
//
//   in:  a task's sums
//   out: its part of y: runs of lanes copied, or sums transposed and stored as rows
#include <algorithm>

#include "src/engine/native/channels_run.h"

namespace ctconv::native::channels {
namespace {

// Short runs in pieces of a size the compiler knows.
template <class T>
void copy_run(const T* from, int64_t count, T* to) {
  switch (count) {
    case 2:
      std::memcpy(to, from, 2 * sizeof(T));
      return;
    case 4:
      std::memcpy(to, from, 4 * sizeof(T));
      return;
    case 8:
      std::memcpy(to, from, 8 * sizeof(T));
      return;
    case 16:
      std::memcpy(to, from, 16 * sizeof(T));
      return;
    case 32:
      std::memcpy(to, from, 32 * sizeof(T));
      return;
    default:
      std::memcpy(to, from, static_cast<size_t>(count) * sizeof(T));
  }
}

// Address of a row of y: image n of these, channel c of group g, rows ud and uh of two phases.
template <class T>
char* row_of_y(const Plan<T>& k, const Images<T>& images, int64_t n, int64_t channel, int64_t d, int64_t h) {
  const ActivationLayout& y = k.p.y;
  const int64_t at = (images.first + n) * y.n + channel * y.c + d * y.axis[0] + h * y.axis[1];
  return static_cast<char*>(images.memory.y) + at * bytes_of(k.p.types.y);
}

// Lanes that lie in y as one run: of phases of one channel, or of channels of one phase.
struct Run {
  int64_t channel, phase, count;
  Range everywhere;  // positions at which the whole run is inside the output
};

template <class T>
Run run_at(const Plan<T>& k, const Task& task, const Triple& t, int64_t row, int64_t end) {
  const Lanes& l = k.lanes;
  Run r;
  r.count = std::min(l.run - row % l.run, end - row);
  r.channel = l.channel(row);
  r.phase = t.w + l.phase(row);
  r.everywhere = task.tile[3];
  const int64_t phases = l.inner || l.run != l.phases ? 1 : r.count;
  for (int64_t f = r.phase; f < r.phase + phases; ++f) {
    r.everywhere.begin = std::max(r.everywhere.begin, k.w_phase(f).u_begin);
    r.everywhere.end = std::min(r.everywhere.end, k.w_phase(f).u_end);
  }
  return r;
}

// A run at all positions of one row. from: its first lane at the first position, `width` apart; to: y's row.
template <class T>
void store_run(const Plan<T>& k, const Run& run, const Range& positions, const T* from, int64_t width, char* to) {
  const int64_t bytes = bytes_of(k.p.types.y), step = k.p.y.axis[2] * bytes;
  const bool same = size_of(k.p.types.y) == sizeof(T);
  for (int64_t u = positions.begin; u < positions.end; ++u, from += width) {
    char* y = to + k.grid[2].out(u, k.w_phase(run.phase)) * step;
    if (u >= run.everywhere.begin && u < run.everywhere.end) {
      if (same) {
        copy_run(from, run.count, reinterpret_cast<T*>(y));
      } else {
        k.moves.store(from, run.count, k.p.types.y, y, 1, false);
      }
    } else if (!k.lanes.inner) {  // some of its phases are inside
      for (int64_t f = 0; f < run.count; ++f) {
        if (k.w_phase(run.phase + f).contains(u)) k.moves.store(from + f, 1, k.p.types.y, y + f * step, 1, false);
      }
    }
  }
}

template <class T>
void store_runs(const Plan<T>& k, const Images<T>& images, const Task& task, const Triple& t, const T* sums) {
  const Phase &pd = k.grid[0].phase(t.d), &ph = k.grid[1].phase(t.h);
  const int64_t first = task.block->row0, end = first + task.block->valid;
  for (int64_t row = first; row < end;) {
    const Run run = run_at(k, task, t, row, end);
    const T* lane = sums + (row - first);
    for_rows(task.tile, pd, ph, [&](int64_t n, int64_t d, int64_t h, int64_t index) {
      char* to = row_of_y(k, images, n, task.g * k.p.co + run.channel, k.grid[0].out(d, pd), k.grid[1].out(h, ph));
      store_run(k, run, task.tile[3], lane + index * task.tile[3].size() * task.width, task.width, to);
    });
    row += run.count;
  }
}

// Worker::rows: [triple][lane][position]; each lane is a channel, the triples of the unit are its w phases.
// Rows that follow each other in y without a gap, of a tile as wide as y: those of one place along d are one row.
template <class T>
bool rows_follow(const Plan<T>& k, const Range& w) {
  const AxisPhases& axis = k.grid[2];
  return axis.s == 1 && k.grid[1].s == 1 && w.size() == axis.o && k.p.y.axis[2] == 1 && k.p.y.axis[1] == w.size();
}

template <class T>
void store_following(const Plan<T>& k, const Images<T>& images, const Task& task, const Worker<T>& worker) {
  const Triple& t = at(k.triples.all, task.unit.first);
  const Phase &pd = k.grid[0].phase(t.d), &ph = k.grid[1].phase(t.h);
  const Range &d = task.tile[1], &h = task.tile[2];
  const int64_t begin = std::max(h.begin, ph.u_begin), rows = std::min(h.end, ph.u_end) - begin;
  const int64_t width = task.tile[3].size();
  if (rows <= 0) return;
  for (int64_t c = 0; c < task.block->valid; ++c) {
    const T* channel = worker.rows + kMaxLanes + c * k.tiles.positions;
    for (int64_t n = task.tile[0].begin; n < task.tile[0].end; ++n) {
      for (int64_t u = std::max(d.begin, pd.u_begin); u < std::min(d.end, pd.u_end); ++u) {
        const int64_t row = ((n - task.tile[0].begin) * d.size() + u - d.begin) * h.size() + begin - h.begin;
        char* to = row_of_y(k, images, n, task.g * k.p.co + task.block->row0 + c, k.grid[0].out(u, pd),
                            k.grid[1].out(begin, ph));
        k.moves.store(channel + row * width, rows * width, k.p.types.y, to, 1, false);
      }
    }
  }
}

template <class T>
void store_rows(const Plan<T>& k, const Images<T>& images, const Task& task, int64_t between, const Worker<T>& worker) {
  const Triple& t = at(k.triples.all, task.unit.first);
  const Phase &pd = k.grid[0].phase(t.d), &ph = k.grid[1].phase(t.h);
  const Range& w = task.tile[3];
  const auto span = k.store.span(w.begin - k.grid[2].u0, w.end - k.grid[2].u0);
  typename RowStore<T>::Stage stage{worker.sums};  // the sums are no longer needed
  for (int64_t c = 0; c < task.block->valid; ++c) {
    const T* channel = worker.rows + kMaxLanes + c * k.tiles.positions;
    for_rows(task.tile, pd, ph, [&](int64_t n, int64_t d, int64_t h, int64_t index) {
      char* to =
          row_of_y(k, images, n, task.g * k.p.co + task.block->row0 + c, k.grid[0].out(d, pd), k.grid[1].out(h, ph));
      k.store(channel + index * w.size(), between, span, to, stage);
    });
  }
  k.store.flush(stage);
}

}  // namespace

template <class T>
void finish(const Plan<T>& k, const Images<T>& images, const Task& task, const Worker<T>& worker) {
  const Box& tile = task.tile;
  const int64_t positions = tile[0].size() * tile[1].size() * tile[2].size() * tile[3].size();
  const int64_t all = k.tiles.positions * task.width;
  const int64_t between = all + kMaxLanes;  // from a triple's rows to the next one's
  for (int64_t c = 0; c < task.unit.count(); ++c) {
    const Triple& t = at(k.triples.all, task.unit.first + c);
    T* sums = worker.sums + c * all;
    if (k.p.epilogue.activation.kind != Activation::kNone)
      k.moves.activate(k.p.epilogue.activation, sums, positions * task.width);
    if (k.lanes.runs) {
      store_runs(k, images, task, t, sums);
    } else {  // late phases one place earlier, see row_store.h
      T* rows = worker.rows + kMaxLanes + c * between - (t.w >= k.grid[2].late ? 1 : 0);
      k.moves.transpose(sums, task.width, positions, task.block->valid, rows, k.tiles.positions);
    }
  }
  if (k.lanes.runs) return;
  if (rows_follow(k, tile[3])) return store_following(k, images, task, worker);
  store_rows(k, images, task, between, worker);
}

template void finish(const Plan<float>&, const Images<float>&, const Task&, const Worker<float>&);
template void finish(const Plan<double>&, const Images<double>&, const Task&, const Worker<double>&);

}  // namespace ctconv::native::channels
