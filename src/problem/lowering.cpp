// SPDX-License-Identifier: Apache-2.0
// The pad rules; see lowering.h.
#include "src/problem/lowering.h"

#include <algorithm>

#include "src/base/checked.h"

namespace ctconv {
namespace {

int64_t entry(const std::vector<int64_t>& v, size_t axis, int64_t fallback) {
  return axis < v.size() ? v[axis] : fallback;
}

void split(int64_t total, bool upper, AxisSizes* a) {
  a->lo = upper ? total / 2 : total - total / 2;
  a->hi = total - a->lo;
}

}  // namespace

Lowered lower_axis(const Descriptor& desc, size_t axis, int64_t in, int64_t kernel, std::optional<int64_t> size) {
  Lowered out;
  AxisSizes& a = out.axis;
  a.in = in;
  a.k = kernel;
  a.s = entry(desc.stride, axis, 1);
  a.d = entry(desc.dilation, axis, 1);
  a.lo = entry(desc.pad_begin, axis, 0);
  a.hi = entry(desc.pad_end, axis, 0);
  a.extra = entry(desc.output_padding, axis, 0);
  a.tail = entry(desc.zero_tail, axis, 0);

  const bool upper = desc.output_size_rule == OutputSizeRule::kPadsUpper;
  const Checked full = (Checked(in) - 1) * a.s + Checked(a.d) * (kernel - 1) + 1;
  if (!full.ok()) {
    out.ok = false;
    return out;
  }
  if (desc.pad_rule == PadRule::kSameForward) {
    const Checked total = Checked(ceil_div(in, a.s) - 1) * a.s + kernel - in;
    out.ok &= total.ok();
    split(std::max<int64_t>(total.value(), 0), true, &a);
  } else if (desc.auto_pads) {
    const Checked total = full + a.extra - Checked(in) * a.s;
    out.ok &= total.ok();
    split(std::max<int64_t>(total.value(), 0), upper, &a);
  }
  const Checked base = full - a.lo - a.hi;
  if (size && desc.output_size_rule == OutputSizeRule::kWindow) {
    const Checked extra = Checked(*size) - base;
    out.ok &= extra.ok();
    a.extra = extra.value();
  } else if (size && desc.output_size_rule != OutputSizeRule::kNone) {
    const Checked total = full + a.extra - *size;
    out.ok &= total.ok();
    split(std::max<int64_t>(total.value(), 0), upper, &a);
    if (total.value() < 0) {
      const Checked extra = Checked(a.extra) - total;
      out.ok &= extra.ok();
      a.extra = extra.value();
    }
  }
  const Checked core = full - a.lo - a.hi + a.extra;
  const Checked reach = core + a.lo, end = core + a.tail;
  for (const Checked& sum : {base, reach, end}) out.ok &= sum.ok();
  out.base = base.value();
  a.core = core.value();
  return out;
}

std::optional<int64_t> derived_kernel(const Descriptor& desc, size_t axis, int64_t in, int64_t size) {
  const int64_t s = entry(desc.stride, axis, 1), d = entry(desc.dilation, axis, 1);
  const Checked reach =
      Checked(size) - (Checked(in) - 1) * s + entry(desc.pad_begin, axis, 0) + entry(desc.pad_end, axis, 0) - 1;
  if (!reach.ok()) return std::nullopt;
  return floor_div(reach.value(), d) + 1;  // fits: reach is 1 below another int64, and d >= 1
}

}  // namespace ctconv
