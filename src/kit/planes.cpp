// The copy of the input; see planes.h.
//
//   in:  x with any strides
//   out: padded planes, or channel-innermost rows
#include "src/kit/planes.h"

#include <algorithm>
#include <cstring>

#include "src/base/checked.h"

namespace ctconv::kit {

PlaneGrid plane_grid(const std::array<AxisPhases, 3>& axes, int64_t slack, int64_t lanes) {
  PlaneGrid g;
  for (int a = 0; a < 3; ++a) {
    const AxisPhases& s = axes[static_cast<size_t>(a)];
    PlaneAxis& p = g.axis[static_cast<size_t>(a)];
    const int64_t begin = s.u0 - s.v_max, end = s.u0 + s.un;  // input rows that any tap reads, padding included
    p.first = std::clamp<int64_t>(begin, 0, s.i);
    p.count = std::max<int64_t>(0, std::min(end, s.i) - p.first);
    p.before = p.count ? p.first - begin : 0;
    const int64_t after = p.count ? end - (p.first + p.count) : 0;
    p.pitch = std::max(s.un, p.count + std::max(p.before, after));
    p.rows = s.un + s.v_max;
  }
  g.stride[2] = 1;
  g.stride[1] = g.axis[2].pitch;
  g.stride[0] = g.axis[1].pitch * g.stride[1];
  g.positions = 1;
  for (size_t a = 0; a < 3; ++a) {
    g.positions += (axes[a].un - 1) * g.stride[a];
    g.last += axes[a].v_max * g.stride[a];
  }
  // An odd number of vectors between planes: equal positions of neighbouring channels fall into different cache sets.
  const int64_t vectors = ceil_div(g.positions + g.last + slack, lanes);
  g.plane = (vectors | 1) * lanes;
  return g;
}

namespace {

// Rows of the plane that hold input, in memory order.
struct RowAt {
  const PlaneGrid& g;
  int64_t d, h;

  RowAt(const PlaneGrid& grid, int64_t row) : g(grid), d(row / grid.axis[1].count), h(row % grid.axis[1].count) {}
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
int64_t row_behind(const PlaneGrid& g, int64_t rows, int64_t place) {
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
    const int64_t channels = p.ci * p.groups;
    return {std::clamp<int64_t>(positions * channels / 16384, 1, std::max<int64_t>(1, positions / 32)), channels, 1};
  }
  const int64_t chunks = threads == 1 ? 1 : std::clamp<int64_t>(positions / 64, 1, 2 * threads);
  const int64_t channels = std::clamp<int64_t>(4096 / std::max<int64_t>(1, positions / chunks), 1, p.ci);
  return {chunks, channels, ceil_div(p.ci, channels)};
}

}  // namespace

template <class T>
int64_t plane_tasks(const Problem& p, int64_t images, int32_t threads) {
  const Cut cut = cut_of(p, threads);
  return images * (channels_innermost(p) ? 1 : p.groups) * cut.chunks * cut.blocks;
}

template <class T>
void plane_task(const Moves<T>& moves, const Problem& p, const PlaneGrid& g, const char* x, int64_t n0, int32_t threads,
                int64_t task, T* out) {
  const bool inner = channels_innermost(p);
  const Cut cut = cut_of(p, threads);
  const int64_t chunk = task / cut.blocks % cut.chunks;
  const int64_t outer = task / cut.blocks / cut.chunks;  // image, or image and group
  const int64_t n = inner ? outer : outer / p.groups, channels = p.groups * p.ci;
  const int64_t first = inner ? 0 : outer % p.groups * p.ci, block = task % cut.blocks * cut.channels;
  const int64_t c0 = first + block, c1 = inner ? channels : first + std::min(block + cut.channels, p.ci);
  const int64_t from = g.plane * chunk / cut.chunks, to = g.plane * (chunk + 1) / cut.chunks;
  plane_part(moves, p, g, x + (n0 + n) * p.x.n * static_cast<int64_t>(size_of(p.types.x)), c0, c1, from, to, g.plane,
             out + (n * channels + c0) * g.plane + from);
}

template <class T>
void plane_part(const Moves<T>& moves, const Problem& p, const PlaneGrid& g, const char* x, int64_t c0, int64_t c1,
                int64_t from, int64_t to, int64_t pitch, T* out) {
  const int64_t width = g.axis[2].count, bytes = static_cast<int64_t>(size_of(p.types.x));
  const bool same = bytes == static_cast<int64_t>(sizeof(T));
  const bool transposed = channels_innermost(p) && p.x.c == 1 && same;
  const int64_t rows = width ? g.axis[0].count * g.axis[1].count : 0, first = row_behind(g, rows, from);
  constexpr int64_t kBatch = 32;
  RowPart parts[kBatch];

  // A batch of rows for all channels: a row lies alike in every plane.
  int64_t cursor = from;
  if (first < rows) {
    RowAt row(g, first);
    for (int64_t r = first; r < rows && row.begin() < to;) {
      int64_t found = 0;
      for (; found < kBatch && r < rows && row.begin() < to; ++found, ++r, row.next()) {
        const int64_t begin = std::max(row.begin(), from), end = std::min(row.begin() + width, to);
        parts[found] = {(g.axis[0].first + row.d) * p.x.axis[0] + (g.axis[1].first + row.h) * p.x.axis[1] +
                            (g.axis[2].first + begin - row.begin()) * p.x.axis[2],
                        begin - from, end - begin, begin - cursor};
        cursor = end;
      }
      for (int64_t k = 0; transposed && k < found; ++k) {
        moves.transpose(reinterpret_cast<const T*>(x) + c0 + parts[k].from, p.x.axis[2], parts[k].count, c1 - c0,
                        out + parts[k].to, pitch);
      }
      for (int64_t c = c0; c < c1; ++c) {
        T* plane = out + (c - c0) * pitch;
        if (same && p.x.axis[2] == 1) {
          moves.copy(reinterpret_cast<const T*>(x) + c * p.x.c, parts, found, plane);
          continue;
        }
        for (int64_t k = 0; k < found; ++k) {
          zero(plane + parts[k].to - parts[k].gap, plane + parts[k].to);
          if (transposed) continue;
          moves.load(x + (c * p.x.c + parts[k].from) * bytes, p.x.axis[2], p.types.x, parts[k].count,
                     plane + parts[k].to);
        }
      }
    }
  }
  for (int64_t c = c0; c < c1; ++c) zero(out + (c - c0) * pitch + cursor - from, out + (c - c0) * pitch + to - from);
}

namespace {
constexpr int64_t kColumns = 64;   // positions per task step
constexpr int64_t kChannels = 16;  // channels widened at once

// The innermost spatial axes that lie as one: width of a run of positions with one stride.
int64_t run_width(const Problem& p) {
  int64_t width = p.axis[2].i;
  if (p.axis[1].i == 1 || p.x.axis[1] == width * p.x.axis[2]) {
    width *= p.axis[1].i;
    if (p.axis[0].i == 1 || p.x.axis[0] == width * p.x.axis[2]) width *= p.axis[0].i;
  }
  return width;
}
}  // namespace

template <class T>
int64_t channel_tasks(const Problem& p, int64_t images) {
  const int64_t width = run_width(p), runs = p.axis[0].i * p.axis[1].i * p.axis[2].i / width;
  return images * runs * ceil_div(width, kColumns);
}

template <class T>
void channel_task(const Moves<T>& moves, const Problem& p, const char* x, int64_t n0, int64_t task, int64_t pitch,
                  T* out) {
  const int64_t width = run_width(p), positions = p.axis[0].i * p.axis[1].i * p.axis[2].i;
  const int64_t blocks = ceil_div(width, kColumns), runs = positions / width;
  const int64_t block = task % blocks, run = task / blocks % runs, n = task / blocks / runs;
  const int64_t from = block * kColumns, count = std::min(kColumns, width - from);
  const int64_t first = run * width;  // flattened position of the run
  const int64_t d = first / (p.axis[1].i * p.axis[2].i), h = first / p.axis[2].i % p.axis[1].i;
  const int64_t bytes = static_cast<int64_t>(size_of(p.types.x));
  const char* src = x + ((n0 + n) * p.x.n + d * p.x.axis[0] + h * p.x.axis[1] + from * p.x.axis[2]) * bytes;

  for (int64_t g = 0; g < p.groups; ++g) {
    T* dst = out + ((n * p.groups + g) * positions + first + from) * pitch;
    const char* s = src + g * p.ci * p.x.c * bytes;
    if (p.x.c == 1 && p.ci > 1) {
      for (int64_t q = 0; q < count; ++q) moves.load(s + q * p.x.axis[2] * bytes, 1, p.types.x, p.ci, dst + q * pitch);
    } else if (p.x.axis[2] == 1 && bytes == static_cast<int64_t>(sizeof(T))) {
      moves.transpose(reinterpret_cast<const T*>(s), p.x.c, p.ci, count, dst, pitch);
    } else {
      alignas(64) T wide[kChannels * kColumns];
      for (int64_t c = 0; c < p.ci; c += kChannels) {
        const int64_t some = std::min(kChannels, p.ci - c);
        for (int64_t k = 0; k < some; ++k) {
          moves.load(s + (c + k) * p.x.c * bytes, p.x.axis[2], p.types.x, count, wide + k * kColumns);
        }
        moves.transpose(wide, kColumns, some, count, dst + c, pitch);
      }
    }
  }
}

template int64_t plane_tasks<float>(const Problem&, int64_t, int32_t);
template int64_t plane_tasks<double>(const Problem&, int64_t, int32_t);
template void plane_task<float>(const Moves<float>&, const Problem&, const PlaneGrid&, const char*, int64_t, int32_t,
                                int64_t, float*);
template void plane_task<double>(const Moves<double>&, const Problem&, const PlaneGrid&, const char*, int64_t, int32_t,
                                 int64_t, double*);
template void plane_part<float>(const Moves<float>&, const Problem&, const PlaneGrid&, const char*, int64_t, int64_t,
                                int64_t, int64_t, int64_t, float*);
template void plane_part<double>(const Moves<double>&, const Problem&, const PlaneGrid&, const char*, int64_t, int64_t,
                                 int64_t, int64_t, int64_t, double*);
template int64_t channel_tasks<float>(const Problem&, int64_t);
template int64_t channel_tasks<double>(const Problem&, int64_t);
template void channel_task<float>(const Moves<float>&, const Problem&, const char*, int64_t, int64_t, int64_t, float*);
template void channel_task<double>(const Moves<double>&, const Problem&, const char*, int64_t, int64_t, int64_t,
                                   double*);

}  // namespace ctconv::kit
