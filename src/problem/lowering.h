// SPDX-License-Identifier: Apache-2.0
// From arguments to the sizes of one axis: the pad rules, written once.
//
//   keff = d*(k-1) + 1          full = (in-1)*s + keff          core = full - lo - hi + extra
//   explicit      lo, hi, extra as given
//   same forward  total = max((ceil(in/s) - 1)*s + k - in, 0);  lo = floor(total/2), hi the rest
//   auto pads     total = max(full + extra - in*s, 0), split upper (odd element at the end) or lower (at the beginning)
//   output_size   window: extra = size - base;  pads: total = full + extra - size split likewise, negative: extra grows
//
//   in:  one axis of a descriptor, the input extent, the kernel, maybe a requested size
//   out: AxisSizes with tail;   refuses: ok false where some int64 overflowed
#pragma once

#include <optional>

#include "src/problem/judge.h"

namespace ctconv {

struct Lowered {
  AxisSizes axis;
  int64_t base = 0;  // core with output_padding 0 and no requested size
  bool ok = true;
};

Lowered lower_axis(const Descriptor& desc, size_t axis, int64_t in, int64_t kernel, std::optional<int64_t> size);

// kernel_size from output_size: floor((size - (in-1)*s + pad_begin + pad_end - 1) / d) + 1; empty on overflow.
std::optional<int64_t> derived_kernel(const Descriptor& desc, size_t axis, int64_t in, int64_t size);

}  // namespace ctconv
