// SPDX-License-Identifier: Apache-2.0
// An axis's stride shows in its windows: they end one input later every `stride` outputs, where the first phase begins.
#include "tools/cli/tiles_axes.h"

#include <string>
#include <utility>

#include "tools/cli/array.h"
#include "tools/cli/fault.h"

namespace cli {

int64_t Span::elements() const {
  int64_t product = 1;
  for (const int64_t extent : count) product *= extent;
  return product;
}

TileAxes::TileAxes(const ctconv::Op& op, ctconv::Dtype dtype, Extents shape, const ctconv::CallExtras& extras)
    : type(dtype), x_shape(std::move(shape)), op_(op), extras_(extras) {
  y_shape = ctconv::shape_of(op_.output_spec(ctconv::Tensor(nullptr, type, x_shape), extras_));
  for (const int64_t extent : y_shape) {
    if (extent == 0) throw Fault("OPTION", "--tiles: the output " + text_of(y_shape) + " has no elements");
  }
  const int ndim = static_cast<int>(x_shape.size());
  batch = has_rank(ndim - 2) ? 0 : -1;
  const int first = batch + 1;
  const bool last = op_.describe().find("layout: channels last\n") != std::string::npos;
  channels = last ? ndim - 1 : first;
  for (int axis = first; axis < ndim; ++axis)
    if (axis != channels) spatial.push_back(axis);
  for (size_t a = 0; a < spatial.size(); ++a) find_phases(a);
}

bool TileAxes::has_rank(int rank) const {
  if (rank < 1) return false;
  // Eight entries each: what the op does not read of them does not matter; what it writes tells its rank.
  const Extents zero(CTCONV_MAX_NDIM, 0), one(CTCONV_MAX_NDIM, 1);
  Extents from(CTCONV_MAX_NDIM, -1), to(CTCONV_MAX_NDIM, -1);
  ctconv::CallExtras extras = extras_;
  extras.begin = zero.data();
  extras.end = one.data();
  op_.region_window(ctconv::Tensor(nullptr, type, x_shape), extras, from.data(), to.data());
  int written = 0;
  for (const int64_t position : from) written += position >= 0 ? 1 : 0;
  return written == rank;
}

// The first output along spatial axis `a` whose window ends at input `end` or later; y's extent where none does.
int64_t TileAxes::first_with_end(size_t a, int64_t end) const {
  const auto axis = static_cast<size_t>(spatial[a]);
  int64_t low = 0, high = y_shape[axis];
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    Span one{Extents(y_shape.size(), 0), Extents(y_shape.size(), 1)};
    one.begin[axis] = middle;
    const Span x = box(one).x;
    if (x.begin[axis] + x.count[axis] >= end) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

void TileAxes::find_phases(size_t a) {
  const auto axis = static_cast<size_t>(spatial[a]);
  const Span x = box({Extents(y_shape.size(), 0), Extents(y_shape.size(), 1)}).x;
  const int64_t end = x.begin[axis] + x.count[axis];
  const int64_t first = first_with_end(a, end + 1), second = first_with_end(a, end + 2);
  const bool found = second < y_shape[axis];
  strides.push_back(found ? second - first : 1);
  ahead.push_back(found ? (strides[a] - first % strides[a]) % strides[a] : 0);
}

ctconv::CallExtras TileAxes::region(const TileBox& box) const {
  ctconv::CallExtras extras = extras_;
  extras.begin = box.begin.data();
  extras.end = box.end.data();
  extras.x_begin = box.x_begin.empty() ? nullptr : box.x_begin.data();
  extras.x_shape = box.x_begin.empty() ? nullptr : x_shape.data();
  return extras;
}

TileBox TileAxes::box(const Span& y) const {
  TileBox out;
  out.y = y;
  out.x = {Extents(x_shape.size(), 0), x_shape};
  if (batch >= 0) {
    out.x.begin[0] = y.begin[0];
    out.x.count[0] = y.count[0];
  }
  for (const int axis : spatial) {
    const auto a = static_cast<size_t>(axis);
    out.begin.push_back(y.begin[a]);
    out.end.push_back(y.begin[a] + y.count[a]);
  }
  Extents from(spatial.size()), to(spatial.size());
  op_.region_window(ctconv::Tensor(nullptr, type, x_shape), region(out), from.data(), to.data());
  for (size_t i = 0; i < spatial.size(); ++i) {
    const auto a = static_cast<size_t>(spatial[i]);
    out.x.begin[a] = from[i];
    out.x.count[a] = to[i] - from[i];
  }
  out.x_begin = std::move(from);
  return out;
}

size_t TileAxes::workspace(const TileBox& box) const {
  return op_.prepare(ctconv::Tensor(nullptr, type, box.x.count), region(box));
}

void TileAxes::execute(const TileBox& box, void* x, bool fortran, void* y) const {
  Extents x_strides(box.x.count.size());
  int64_t step = 1;
  for (size_t i = 0; i < x_strides.size(); ++i) {
    const size_t axis = fortran ? i : x_strides.size() - 1 - i;
    x_strides[axis] = step;
    step *= box.x.count[axis];
  }
  op_.execute(ctconv::Tensor(x, type, box.x.count, x_strides), ctconv::Tensor(y, type, box.y.count), region(box));
}

}  // namespace cli
