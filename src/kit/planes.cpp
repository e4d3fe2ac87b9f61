// SPDX-License-Identifier: Apache-2.0
// The copy of the input; see planes.h.
//
//   in:  x with any strides
//   out: padded planes, or channel-innermost rows
#include "src/kit/planes.h"

#include <algorithm>
#include <cstring>

#include "src/base/checked.h"

namespace ctconv::kit {
namespace {

// Planes are cut into tasks of about so many values; where channels lie innermost, of so many positions at least.
constexpr int64_t kTaskValues = 4096, kInnerTaskValues = 16384, kInnerTaskPositions = 32;
constexpr int64_t kTaskPositions = 64;  // of a plane, at least
constexpr int64_t kBatch = 32;          // rows looked up before their channels are copied

constexpr int64_t kColumns = 64;   // layout "channels": positions of a task
constexpr int64_t kChannels = 16;  // and channels widened at once

// The rows of a plane that hold input, in memory order.
struct RowAt {
  const Planes& g;
  int64_t d, h;

  RowAt(const Planes& planes, int64_t row) : g(planes), d(row / g.axis[1].count), h(row % g.axis[1].count) {}
  void next() {
    if (++h == g.axis[1].count) {
      h = 0;
      ++d;
    }
  }
  int64_t begin() const {
    return (g.axis[0].before + d) * g.stride[0] + (g.axis[1].before + h) * g.stride[1] + g.axis[2].before;
  }
};

// The first row that ends behind `place`; rows where there is none.
int64_t row_behind(const Planes& g, int64_t rows, int64_t place) {
  int64_t low = 0, high = rows;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (RowAt(g, middle).begin() + g.axis[2].count > place) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

template <class T>
void zero(T* begin, T* end) {
  if (begin < end) std::memset(begin, 0, static_cast<size_t>(end - begin) * sizeof(T));
}

bool channels_innermost(const Problem& p) {
  const int64_t c = std::abs(p.x.c), w = std::abs(p.x.axis[2]);
  return p.ci * p.groups > 1 && p.axis[2].i > 1 && c < w;
}

// How all planes are cut: places first, in the order of the tiles that will read them, so that a worker mostly reads
// what it wrote itself; then blocks of channels, all of them where they lie innermost.
struct Cut {
  int64_t chunks, channels, blocks;
};
Cut cut_of(const Problem& p, int32_t threads) {
  const int64_t positions = p.axis[0].i * p.axis[1].i * p.axis[2].i;
  if (channels_innermost(p)) {
    const int64_t channels = p.ci * p.groups, most = std::max<int64_t>(1, positions / kInnerTaskPositions);
    return {std::clamp<int64_t>(positions * channels / kInnerTaskValues, 1, most), channels, 1};
  }
  const int64_t chunks = threads == 1 ? 1 : std::clamp<int64_t>(positions / kTaskPositions, 1, 2 * threads);
  const int64_t channels = std::clamp<int64_t>(kTaskValues / std::max<int64_t>(1, positions / chunks), 1, p.ci);
  return {chunks, channels, ceil_div(p.ci, channels)};
}

// Rows of a part: where each begins in channel 0 of x and in a plane, and the zeros in front of it.
struct Batch {
  RowPart rows[kBatch];
  int64_t count = 0;
};

// The next rows from `row` on, `left` of them at most. cursor: the place up to which a plane is filled.
Batch next_rows(const Problem& p, const PlanePart& part, RowAt& row, int64_t& left, int64_t& cursor) {
  const Planes& g = row.g;
  Batch batch;
  for (; batch.count < kBatch && left > 0 && row.begin() < part.to; row.next(), --left) {
    const int64_t begin = std::max(row.begin(), part.from);
    const int64_t end = std::min(row.begin() + g.axis[2].count, part.to);
    const int64_t from = (g.axis[0].first + row.d) * p.x.axis[0] + (g.axis[1].first + row.h) * p.x.axis[1] +
                         (g.axis[2].first + begin - row.begin()) * p.x.axis[2];
    batch.rows[batch.count++] = {from, begin - part.from, end - begin, begin - cursor};
    cursor = end;
  }
  return batch;
}

// These rows of all channels: a row lies alike in every plane.
template <class T>
void copy_rows(const Moves<T>& moves, const Problem& p, const char* x, const PlanePart& part, const Batch& batch,
               int64_t pitch, T* out) {
  const int64_t bytes = bytes_of(p.types.x), step = p.x.axis[2];
  const bool transposed = channels_innermost(p) && p.x.c == 1;
  if (transposed) {
    for (const RowPart* r = batch.rows; r < batch.rows + batch.count; ++r) {
      const char* from = x + (part.c0 + r->from) * bytes;
      moves.transpose_load(from, step, p.types.x, r->count, part.c1 - part.c0, out + r->to, pitch);
    }
  }
  for (int64_t c = part.c0; c < part.c1; ++c, out += pitch) {
    if (step == 1) {
      moves.load_parts(x + c * p.x.c * bytes, p.types.x, batch.rows, batch.count, out);
      continue;
    }
    for (const RowPart* r = batch.rows; r < batch.rows + batch.count; ++r) {
      zero(out + r->to - r->gap, out + r->to);
      if (!transposed) moves.load(x + (c * p.x.c + r->from) * bytes, step, p.types.x, r->count, out + r->to);
    }
  }
}

// The innermost spatial axes that lie as one: how many positions follow each other with one stride.
int64_t run_width(const Problem& p) {
  int64_t width = p.axis[2].i;
  if (p.axis[1].i == 1 || p.x.axis[1] == width * p.x.axis[2]) {
    width *= p.axis[1].i;
    if (p.axis[0].i == 1 || p.x.axis[0] == width * p.x.axis[2]) width *= p.axis[0].i;
  }
  return width;
}

}  // namespace

Planes planes_of(const Grid& grid, int64_t slack, int64_t lanes) {
  Planes g;
  for (size_t a = 0; a < 3; ++a) {
    const AxisPhases& s = grid[a];
    PlaneAxis& p = g.axis[a];
    const int64_t begin = s.u0 - s.v_max, end = s.u0 + s.un;  // input rows that any tap reads, padding included
    p.first = std::clamp<int64_t>(begin, 0, s.i);
    p.count = std::max<int64_t>(0, std::min(end, s.i) - p.first);
    p.before = p.count ? p.first - begin : 0;
    const int64_t after = p.count ? end - (p.first + p.count) : 0;
    p.pitch = std::max(s.un, p.count + std::max(p.before, after));
  }
  g.stride[2] = 1;
  g.stride[1] = g.axis[2].pitch;
  g.stride[0] = g.axis[1].pitch * g.stride[1];
  g.positions = 1;
  for (size_t a = 0; a < 3; ++a) {
    g.positions += (grid[a].un - 1) * g.stride[a];
    g.last += grid[a].v_max * g.stride[a];
  }
  // An odd number of vectors between planes: equal positions of neighbouring channels fall into different cache sets.
  const int64_t vectors = ceil_div(g.positions + g.last + slack, lanes);
  g.plane = (vectors | 1) * lanes;
  return g;
}

template <class T>
void plane_part(const Moves<T>& moves, const Problem& p, const Planes& g, const char* x, const PlanePart& part,
                int64_t pitch, T* out) {
  const int64_t rows = g.axis[2].count ? g.axis[0].count * g.axis[1].count : 0;
  const int64_t first = row_behind(g, rows, part.from);
  int64_t cursor = part.from;
  if (first < rows) {
    RowAt row(g, first);
    for (int64_t left = rows - first; left > 0 && row.begin() < part.to;) {
      const Batch batch = next_rows(p, part, row, left, cursor);
      copy_rows(moves, p, x, part, batch, pitch, out);
    }
  }
  for (int64_t c = part.c0; c < part.c1; ++c, out += pitch) zero(out + cursor - part.from, out + part.to - part.from);
}

int64_t plane_tasks(const Problem& p, int64_t images, int32_t threads) {
  const Cut cut = cut_of(p, threads);
  return images * (channels_innermost(p) ? 1 : p.groups) * cut.chunks * cut.blocks;
}

template <class T>
void plane_task(const Moves<T>& moves, const Problem& p, const Planes& g, const char* x, int32_t threads, int64_t task,
                T* out) {
  const bool inner = channels_innermost(p);
  const Cut cut = cut_of(p, threads);
  const int64_t chunk = task / cut.blocks % cut.chunks;
  const int64_t outer = task / cut.blocks / cut.chunks;  // image, or image and group
  const int64_t n = inner ? outer : outer / p.groups, channels = p.groups * p.ci;
  const int64_t first = inner ? 0 : outer % p.groups * p.ci, block = task % cut.blocks * cut.channels;
  PlanePart part;
  part.c0 = first + block;
  part.c1 = inner ? channels : first + std::min(block + cut.channels, p.ci);
  part.from = g.plane * chunk / cut.chunks;
  part.to = g.plane * (chunk + 1) / cut.chunks;
  plane_part(moves, p, g, x + n * p.x.n * bytes_of(p.types.x), part, g.plane,
             out + (n * channels + part.c0) * g.plane + part.from);
}

int64_t channel_tasks(const Problem& p, int64_t images) {
  const int64_t width = run_width(p), runs = p.axis[0].i * p.axis[1].i * p.axis[2].i / width;
  return images * runs * ceil_div(width, kColumns);
}

template <class T>
void channel_task(const Moves<T>& moves, const Problem& p, const char* x, int64_t task, int64_t pitch, T* out) {
  const int64_t width = run_width(p), positions = p.axis[0].i * p.axis[1].i * p.axis[2].i;
  const int64_t blocks = ceil_div(width, kColumns), runs = positions / width;
  const int64_t block = task % blocks, run = task / blocks % runs, n = task / blocks / runs;
  const int64_t from = block * kColumns, count = std::min(kColumns, width - from);
  const int64_t first = run * width;  // flattened position of the run
  const int64_t d = first / (p.axis[1].i * p.axis[2].i), h = first / p.axis[2].i % p.axis[1].i;
  const int64_t bytes = bytes_of(p.types.x), step = p.x.axis[2];
  const char* src = x + (n * p.x.n + d * p.x.axis[0] + h * p.x.axis[1] + from * step) * bytes;

  for (int64_t g = 0; g < p.groups; ++g) {
    T* dst = out + ((n * p.groups + g) * positions + first + from) * pitch;
    const char* s = src + g * p.ci * p.x.c * bytes;
    if (p.x.c == 1 && step == p.ci && pitch == p.ci) {
      moves.load(s, 1, p.types.x, count * p.ci, dst);
    } else if (p.x.c == 1 && p.ci > 1) {
      for (int64_t q = 0; q < count; ++q) moves.load(s + q * step * bytes, 1, p.types.x, p.ci, dst + q * pitch);
    } else if (step == 1 && size_of(p.types.x) == sizeof(T)) {
      moves.transpose(reinterpret_cast<const T*>(s), p.x.c, p.ci, count, dst, pitch);
    } else {
      alignas(64) T wide[kChannels * kColumns];
      for (int64_t c = 0; c < p.ci; c += kChannels) {
        const int64_t some = std::min(kChannels, p.ci - c);
        for (int64_t k = 0; k < some; ++k) {
          moves.load(s + (c + k) * p.x.c * bytes, step, p.types.x, count, wide + k * kColumns);
        }
        moves.transpose(wide, kColumns, some, count, dst + c, pitch);
      }
    }
  }
}

template void plane_task<float>(const Moves<float>&, const Problem&, const Planes&, const char*, int32_t, int64_t,
                                float*);
template void plane_task<double>(const Moves<double>&, const Problem&, const Planes&, const char*, int32_t, int64_t,
                                 double*);
template void plane_part<float>(const Moves<float>&, const Problem&, const Planes&, const char*, const PlanePart&,
                                int64_t, float*);
template void plane_part<double>(const Moves<double>&, const Problem&, const Planes&, const char*, const PlanePart&,
                                 int64_t, double*);
template void channel_task<float>(const Moves<float>&, const Problem&, const char*, int64_t, int64_t, float*);
template void channel_task<double>(const Moves<double>&, const Problem&, const char*, int64_t, int64_t, double*);

}  // namespace ctconv::kit
