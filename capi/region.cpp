// SPDX-License-Identifier: Apache-2.0
// A region judged against the output, and x cut to the window the box reads; see region.h.
//
//   A window whose whole x is not told: its extents are taken as large as the box needs, and then as small as the
//   window says, where it ends before the last input that the box would meet.
#include "capi/region.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "src/base/at.h"
#include "src/base/checked.h"

namespace ctconv {
namespace {

Status no_region(const char* argument, std::string value, std::string range, std::string reason) {
  return argument_error(Code::MISUSE_REGION, argument, std::move(value), std::move(range), std::move(reason));
}

std::string entry(const char* name, int a, int64_t value) {
  return std::string(name) + "[" + std::to_string(a) + "] = " + std::to_string(value);
}

// Pointers that come together or not at all.
Status judge_pointers(const RegionGiven& in) {
  if ((in.begin != nullptr) != (in.end != nullptr)) return null_argument(in.begin ? "call.end" : "call.begin");
  if (in.x_begin != nullptr && in.begin == nullptr) return null_argument("call.begin");
  return in.x_shape != nullptr && in.x_begin == nullptr ? null_argument("call.x_begin") : Status();
}

// The spatial axes of x, as far as its own rank tells; the judges refuse an x of another rank.
struct SpatialAxes {
  int first = 0, count = 0;
};
SpatialAxes spatial_axes(const Descriptor& desc, const TensorView& x) {
  const int rank = desc.rank != 0 ? desc.rank : x.ndim - 2;
  const bool batched = x.ndim == rank + 2, alone = desc.unbatched && x.ndim == rank + 1;
  if (rank < 1 || rank > 3 || (!batched && !alone)) return {};
  return {.first = (batched ? 1 : 0) + (desc.channels_last ? 0 : 1), .count = rank};
}

int64_t pad_of(const std::vector<int64_t>& pads, int a) {
  return a < std::ssize(pads) ? std::max<int64_t>(at(pads, a), 0) : 0;
}

// Nothing but the output's extent follows from x's.
Status judge_shape_free(const Descriptor& desc, const RegionGiven& in) {
  const bool pads = desc.pad_rule != PadRule::kExplicit;
  const bool sized = in.sized || !desc.output_size.empty();
  const bool tail = std::any_of(desc.zero_tail.begin(), desc.zero_tail.end(), [](int64_t rows) { return rows != 0; });
  if (!pads && !sized && !tail) return {};  // a kernel derived from a size has one
  return no_region("x_shape", "NULL", "the whole x's shape",
                   pads || sized ? "the pads of this call follow from the extents of the whole x"
                                 : "where rows of zeros begin follows from the extents of the whole x");
}

// An extent that holds the window and whose output holds the box: with I >= end + pads, (I-1)*s + 1 - pads >= end.
Status ample_extent(const Descriptor& desc, const RegionGiven& in, int a, int64_t held, int64_t* extent) {
  const Checked window = Checked(in.x_begin[a]) + held;
  const Checked box = Checked(std::max<int64_t>(in.end[a], 0)) + pad_of(desc.pad_begin, a) + pad_of(desc.pad_end, a);
  if (in.x_begin[a] < 0 || !window.ok() || !box.ok()) {
    return no_region("x_begin", entry("x_begin", a, in.x_begin[a]), ">= 0", "the window lies outside any x");
  }
  *extent = std::max(window.value(), box.value());
  return {};
}

// The whole x has the channels of its window. Its batch may be another: windows are cut along it too.
Status judge_channels(const RegionGiven& in, const SpatialAxes& axes, const TensorView& x) {
  if (in.x_shape == nullptr || axes.count == 0) return {};
  for (int axis = x.ndim - axes.count - 1; axis < x.ndim; ++axis) {
    const bool spatial = axis >= axes.first && axis < axes.first + axes.count;
    if (spatial || in.x_shape[axis] == at(x.shape, axis)) continue;
    return no_region("x_shape", entry("x_shape", axis, in.x_shape[axis]), std::to_string(at(x.shape, axis)),
                     "the whole x has other channels than its window");
  }
  return {};
}

Status told_extent(const RegionGiven& in, int a, int64_t held, int64_t told, int64_t* extent) {
  if (told < held) {
    return no_region("x_shape", std::to_string(told), ">= " + std::to_string(held),
                     "the whole x is smaller than its window");
  }
  if (in.x_begin[a] < 0 || in.x_begin[a] > told - held) {
    return no_region("x_begin", entry("x_begin", a, in.x_begin[a]), "0 to " + std::to_string(told - held),
                     "the window is not inside the whole x");
  }
  *extent = told;
  return {};
}

// Of a window whose whole x was not told: if it ends before the first or the last input the box would meet, x ends
// there.
void end_with_window(const RegionGiven& in, int a, int64_t held, AxisSizes* axis) {
  const Checked first = Checked(in.begin[a]) + axis->lo - Checked(axis->d) * (axis->k - 1);
  const Checked last = Checked(in.end[a]) - 1 + axis->lo;
  const int64_t window = in.x_begin[a] + held;
  if (!first.ok() || !last.ok() || window >= axis->in) return;
  if (window > floor_div(last.value(), axis->s) && window > ceil_div(first.value(), axis->s)) return;
  axis->core -= (axis->in - window) * axis->s;
  axis->in = window;
}

// x cut to the inputs [from, from + count) of one axis, of which it holds those from `begin` on.
Status cut_axis(int a, int axis, int64_t begin, int64_t from, int64_t count, TensorView* x) {
  const int64_t held = at(x->shape, axis);
  if (begin > from || begin + held < from + count) {
    return no_region("x", entry("x_begin", a, begin) + ", " + std::to_string(held) + " positions",
                     std::to_string(from) + " to " + std::to_string(from + count) + " inside it",
                     "the window lacks positions that the region reads");
  }
  if (x->data != nullptr) {
    const int64_t bytes = (from - begin) * at(x->strides, axis) * bytes_of(x->type);
    x->data = reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(x->data) + static_cast<uintptr_t>(bytes));
  }
  at(x->shape, axis) = count;
  return {};
}

}  // namespace

Status whole_x(const Descriptor& desc, const RegionGiven& in, const TensorView& x, TensorView* whole) {
  CTCONV_RETURN_IF_ERROR(judge_pointers(in));
  *whole = x;
  if (in.x_begin == nullptr) return {};
  if (in.x_shape == nullptr) CTCONV_RETURN_IF_ERROR(judge_shape_free(desc, in));
  const SpatialAxes axes = spatial_axes(desc, x);
  CTCONV_RETURN_IF_ERROR(judge_channels(in, axes, x));
  for (int a = 0; a < axes.count; ++a) {
    const int axis = axes.first + a;
    int64_t* extent = &at(whole->shape, axis);
    const int64_t held = at(x.shape, axis);
    CTCONV_RETURN_IF_ERROR(in.x_shape != nullptr ? told_extent(in, a, held, in.x_shape[axis], extent)
                                                 : ample_extent(desc, in, a, held, extent));
  }
  return {};
}

Status take_region(const Descriptor& desc, const RegionGiven& in, Geometry* g, TensorView* x,
                   std::array<int64_t, 3>* x_begin) {
  Box box;
  const bool free = in.x_begin != nullptr && in.x_shape == nullptr;
  bool shortened = false;
  for (int a = 0; a < g->rank; ++a) {
    at(box.begin, a) = in.begin[a];
    at(box.end, a) = in.end[a];
    const int64_t ample = at(g->axis, a).in;
    if (free) end_with_window(in, a, at(x->shape, spatial_axis(desc, *g, a)), &at(g->axis, a));
    shortened = shortened || at(g->axis, a).in != ample;
  }
  auto region = region_of(*g, box);
  if (!region.ok() && shortened) {
    return no_region("x", "a window that ends before the region's inputs, x_shape NULL", "the window, or x_shape",
                     "an x that ends with this window has no such output");
  }
  if (!region.ok()) return region.take_status();
  for (int a = 0; a < g->rank; ++a) {
    const int64_t begin = in.x_begin != nullptr ? in.x_begin[a] : 0, count = at(region->geometry.axis, a).in;
    CTCONV_RETURN_IF_ERROR(cut_axis(a, spatial_axis(desc, *g, a), begin, at(region->x_begin, a), count, x));
  }
  *g = region->geometry;
  *x_begin = region->x_begin;
  return {};
}

}  // namespace ctconv
