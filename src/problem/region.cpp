// SPDX-License-Identifier: Apache-2.0
// Windows of x and sizes of boxes of y; see region.h.
#include "src/problem/region.h"

#include <algorithm>
#include <string>

#include "src/base/at.h"
#include "src/base/checked.h"
#include "src/problem/problem.h"

namespace ctconv {
namespace {

Status not_inside(const char* argument, int a, int64_t value, const std::string& range, const char* reason) {
  const std::string entry = std::string(argument) + "[" + std::to_string(a) + "]";
  return argument_error(Code::MISUSE_REGION, argument, entry + " = " + std::to_string(value), range, reason);
}

Status judge_axis(int a, int64_t begin, int64_t end, int64_t out) {
  if (out <= 0) return not_inside("begin", a, begin, "none: there are no rows", "an empty output has no box");
  if (begin < 0 || begin >= out) {
    return not_inside("begin", a, begin, "0 to " + std::to_string(out - 1), "the region begins outside the output");
  }
  if (end <= begin || end > out) {
    return not_inside("end", a, end, std::to_string(begin + 1) + " to " + std::to_string(out),
                      end <= begin ? "the region is empty or reversed" : "the region ends outside the output");
  }
  return {};
}

// The rows [begin, end) of one axis, all inside it. False where a sum does not fit.
bool cut(const AxisSizes& whole, int64_t begin, int64_t end, AxisSizes* part, int64_t* x_begin) {
  const int64_t core_end = std::min(end, whole.core), core_begin = std::min(begin, whole.core);
  const Checked first = Checked(begin) + whole.lo - Checked(whole.d) * (whole.k - 1);
  const Checked last = Checked(core_end) - 1 + whole.lo;
  if (!first.ok() || !last.ok()) return false;
  const int64_t from = std::clamp<int64_t>(ceil_div(first.value(), whole.s), 0, whole.in - 1);
  const int64_t to = std::clamp(floor_div(last.value(), whole.s) + 1, from + 1, whole.in);
  *part = whole;
  part->in = to - from;
  part->core = core_end - core_begin;
  part->tail = (end - core_end) - (begin - core_begin);
  const Checked lo = Checked(whole.lo) + begin - Checked(from) * whole.s;
  const Checked hi = (Checked(part->in) - 1) * whole.s + Checked(whole.d) * (whole.k - 1) + 1 - lo - part->core;
  if (!lo.ok() || !hi.ok() || std::max(lo.value(), -lo.value()) > kMostLo) return false;
  part->lo = lo.value();
  part->hi = hi.value();
  part->extra = 0;
  *x_begin = from;
  return true;
}

}  // namespace

Result<Region> region_of(const Geometry& whole, const Box& box) {
  Region out{.geometry = whole};
  for (int a = 0; a < whole.rank; ++a) {
    const AxisSizes& axis = at(whole.axis, a);
    const int64_t begin = at(box.begin, a), end = at(box.end, a);
    CTCONV_RETURN_IF_ERROR(judge_axis(a, begin, end, axis.out()));
    if (!cut(axis, begin, end, &at(out.geometry.axis, a), &at(out.x_begin, a))) {
      return not_inside("begin", a, begin, "rows whose sums fit 62 bits", "the region lies too far from the input");
    }
  }
  return out;
}

int spatial_axis(const Descriptor& desc, const Geometry& geometry, int a) {
  return (geometry.batched ? 1 : 0) + (desc.channels_last ? 0 : 1) + a;
}

}  // namespace ctconv
