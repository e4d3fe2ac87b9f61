// SPDX-License-Identifier: Apache-2.0
// Boxes in and out of a panel; see boxes.h.
//
//   in:  a box: extents, strides on both sides
//   out: the same values on the other side
#include "src/kit/boxes.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace ctconv::kit {
namespace {

// A piece of a box that is widened or narrowed on its way: rows along the panel, columns along the tensor.
constexpr int64_t kTileRows = 16, kTileColumns = 64;
// Rows that Moves::interleave brings together without spare memory.
constexpr int64_t kMostInterleaved = 4;

// What is left of a box: one dimension innermost in the panel, one in the tensor, and loops around them.
struct Shape {
  BoxDim row;     // panel stride 1
  BoxDim column;  // the smallest stride of the tensor; extent 1 where that is `row` too
  Box loops;      // the others
  size_t loops_count = 0;
};

// The dimensions with more than one place, by their strides in the panel.
size_t sorted(const Box& box, Box& to) {
  size_t count = 0;
  for (const BoxDim& d : box) {
    if (d.extent == 1) continue;
    size_t k = count++;
    for (; k > 0 && to[k - 1].panel > d.panel; --k) to[k] = to[k - 1];
    to[k] = d;
  }
  return count;
}

// A dimension that continues the one before it on both sides joins it.
size_t joined(const Box& box, Box& to) {
  Box all;
  const size_t count = sorted(box, all);
  size_t kept = 0;
  for (size_t k = 0; k < count; ++k) {
    const BoxDim& d = all[k];
    BoxDim* last = kept > 0 ? &to[kept - 1] : nullptr;
    if (last && d.panel == last->panel * last->extent && d.outside == last->outside * last->extent) {
      last->extent *= d.extent;
    } else {
      to[kept++] = d;
    }
  }
  return kept;
}

Shape shape_of(const Box& box) {
  Shape s;
  Box dims;
  const size_t count = joined(box, dims);
  const auto by_outside = [](const BoxDim& a, const BoxDim& b) { return std::abs(a.outside) < std::abs(b.outside); };
  const BoxDim* const column = std::min_element(dims.data(), dims.data() + count, by_outside);
  s.row = {1, 1, 1};
  for (const BoxDim* d = dims.data(); d < dims.data() + count; ++d) {
    if (d->panel == 1) {
      s.row = *d;
    } else if (d == column) {
      s.column = *d;
    } else {
      s.loops[s.loops_count++] = *d;
    }
  }
  return s;
}

// Calls use(place in the tensor, place in the panel) for all places of the loops.
template <class Use>
void for_places(const Shape& s, Use use) {
  std::array<int64_t, kBoxDims> at{};
  int64_t outside = 0, panel = 0;
  while (true) {
    use(outside, panel);
    size_t k = 0;
    for (; k < s.loops_count; ++k) {
      outside += s.loops[k].outside;
      panel += s.loops[k].panel;
      if (++at[k] < s.loops[k].extent) break;
      outside -= s.loops[k].outside * s.loops[k].extent;
      panel -= s.loops[k].panel * s.loops[k].extent;
      at[k] = 0;
    }
    if (k == s.loops_count) return;
  }
}

// Calls use(row, rows, column, columns) for the tiles of a plane.
template <class Use>
void for_tiles(int64_t rows, int64_t columns, Use use) {
  for (int64_t r = 0; r < rows; r += kTileRows) {
    for (int64_t c = 0; c < columns; c += kTileColumns) {
      use(r, std::min(kTileRows, rows - r), c, std::min(kTileColumns, columns - c));
    }
  }
}

// A few columns that follow each other row by row in the tensor: many rows are one piece of it.
bool dense(const Shape& s) { return s.row.outside == s.column.extent && s.column.extent < kTileRows; }

template <class T>
void dense_in(const Moves<T>& moves, const char* x, Dtype dtype, const Shape& s, T* panel) {
  alignas(64) T wide[kTileRows * kTileColumns];
  const int64_t columns = s.column.extent, most = kTileRows * kTileColumns / columns;
  for (int64_t r = 0; r < s.row.extent; r += most) {
    const int64_t rows = std::min(most, s.row.extent - r);
    moves.load(x + r * columns * bytes_of(dtype), 1, dtype, rows * columns, wide);
    moves.transpose(wide, columns, rows, columns, panel + r, s.column.panel);
  }
}

template <class T>
void dense_out(const Moves<T>& moves, const T* panel, const Shape& s, Dtype dtype, char* y) {
  alignas(64) T wide[kTileRows * kTileColumns];
  const int64_t columns = s.column.extent, most = kTileRows * kTileColumns / columns;
  for (int64_t r = 0; r < s.row.extent; r += most) {
    const int64_t rows = std::min(most, s.row.extent - r);
    if (columns <= kMostInterleaved) {
      moves.interleave(panel + r, s.column.panel, columns, rows, wide, nullptr);
    } else {
      moves.transpose(panel + r, s.column.panel, columns, rows, wide, columns);
    }
    moves.store(wide, rows * columns, dtype, y + r * columns * bytes_of(dtype), 1, false);
  }
}

template <class T>
void plane_in(const Moves<T>& moves, const char* x, Dtype dtype, const Shape& s, T* panel) {
  const int64_t bytes = bytes_of(dtype);
  if (s.column.outside != 1 || s.column.extent == 1) {
    for (int64_t c = 0; c < s.column.extent; ++c) {
      moves.load(x + c * s.column.outside * bytes, s.row.outside, dtype, s.row.extent, panel + c * s.column.panel);
    }
    return;
  }
  if (size_of(dtype) == sizeof(T)) {
    moves.transpose(reinterpret_cast<const T*>(x), s.row.outside, s.row.extent, s.column.extent, panel, s.column.panel);
    return;
  }
  if (dense(s)) return dense_in(moves, x, dtype, s, panel);
  alignas(64) T wide[kTileRows * kTileColumns];
  for_tiles(s.row.extent, s.column.extent, [&](int64_t r, int64_t rows, int64_t c, int64_t columns) {
    for (int64_t k = 0; k < rows; ++k) {
      moves.load(x + ((r + k) * s.row.outside + c) * bytes, 1, dtype, columns, wide + k * kTileColumns);
    }
    moves.transpose(wide, kTileColumns, rows, columns, panel + c * s.column.panel + r, s.column.panel);
  });
}

template <class T>
void plane_out(const Moves<T>& moves, const T* panel, const Shape& s, Dtype dtype, char* y) {
  const int64_t bytes = bytes_of(dtype);
  if (s.column.outside != 1 || s.column.extent == 1) {
    for (int64_t c = 0; c < s.column.extent; ++c) {
      moves.store(panel + c * s.column.panel, s.row.extent, dtype, y + c * s.column.outside * bytes, s.row.outside,
                  false);
    }
    return;
  }
  if (size_of(dtype) == sizeof(T)) {
    T* to = reinterpret_cast<T*>(y);
    if (s.column.extent <= kMostInterleaved && s.row.outside == s.column.extent) {
      moves.interleave(panel, s.column.panel, s.column.extent, s.row.extent, to, nullptr);
    } else {
      moves.transpose(panel, s.column.panel, s.column.extent, s.row.extent, to, s.row.outside);
    }
    return;
  }
  if (dense(s)) return dense_out(moves, panel, s, dtype, y);
  alignas(64) T wide[kTileRows * kTileColumns];
  for_tiles(s.row.extent, s.column.extent, [&](int64_t r, int64_t rows, int64_t c, int64_t columns) {
    moves.transpose(panel + c * s.column.panel + r, s.column.panel, columns, rows, wide, columns);
    char* to = y + (r * s.row.outside + c) * bytes;
    if (s.row.outside == columns) {
      moves.store(wide, rows * columns, dtype, to, 1, false);
      return;
    }
    for (int64_t k = 0; k < rows; ++k) {
      moves.store(wide + k * columns, columns, dtype, to + k * s.row.outside * bytes, 1, false);
    }
  });
}

}  // namespace

template <class T>
void box_in(const Moves<T>& moves, const char* x, Dtype dtype, const Box& box, T* panel) {
  const Shape s = shape_of(box);
  for_places(
      s, [&](int64_t outside, int64_t at) { plane_in(moves, x + outside * bytes_of(dtype), dtype, s, panel + at); });
}

template <class T>
void box_out(const Moves<T>& moves, const T* panel, const Box& box, Dtype dtype, char* y) {
  const Shape s = shape_of(box);
  for_places(
      s, [&](int64_t outside, int64_t at) { plane_out(moves, panel + at, s, dtype, y + outside * bytes_of(dtype)); });
}

template void box_in(const Moves<float>&, const char*, Dtype, const Box&, float*);
template void box_in(const Moves<double>&, const char*, Dtype, const Box&, double*);
template void box_out(const Moves<float>&, const float*, const Box&, Dtype, char*);
template void box_out(const Moves<double>&, const double*, const Box&, Dtype, char*);

}  // namespace ctconv::kit
