// SPDX-License-Identifier: Apache-2.0
// Transposed convolution as backward data of a convolution: the numbers cuDNN wants, per axis.
//
//   in:  one axis (i, o, k, s, d, lo), i*s + t*d - lo == o
//   out: interior [begin, end) of the core and its pads, or "empty"
//   cuDNN accepts a backward-data call iff floor((o' + pre + post - d(k-1) - 1)/s) + 1 == i with pre, post >= 0.
//   post may be more than is cropped behind: the floor hides up to s - 1 rows. It equals pre where that is possible,
//   since
//   half of cuDNN's engines take equal pads only (output_padding makes them differ).
//   Rows outside the interior meet no tap: they are the rim, bias only. output_padding below s keeps the whole core
//   inside.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cuda/module.h"

namespace ctconv::cuda {

struct DgradAxis {
  int64_t begin = 0, end = 0;  // interior rows of the core
  int64_t pre = 0, post = 0;
  bool empty() const { return end <= begin; }
};

inline DgradAxis dgrad_axis(const ctconv_cuda_axis& a) {
  const int64_t reach = (a.i - 1) * a.s + a.d * (a.k - 1) + 1;  // rows an un-cropped output would have
  DgradAxis r;
  r.begin = std::max<int64_t>(0, -a.lo);
  r.pre = std::max<int64_t>(0, a.lo);
  // rows up to s - 1 behind the reach may belong to the call: the floor hides them
  r.end = std::min(a.o, reach + a.s - 1 - a.lo);
  const int64_t hi = reach - a.lo - r.end;
  r.post = std::max<int64_t>(0, hi);
  const int64_t hidden = reach + a.s - 1 - (r.end - r.begin + r.pre + r.post);
  if (r.post < r.pre && r.pre - r.post <= hidden) r.post = r.pre;
  if (r.end <= r.begin) r.begin = r.end = 0;
  return r;
}

// A strided convolution: an exchanged data gradient (exchange.h), o*every - lo' + t*d' of x. begin, end: rows of x that
// are read; cuDNN accepts the call iff floor((end - begin + pre + post - d(k-1) - 1)/every) + 1 == o.
inline DgradAxis forward_axis(const ctconv_cuda_axis& a) {
  const int64_t every = 1 + a.skip, lo = (a.k - 1) * a.d - a.lo;  // as the gradient had it
  const int64_t reach = (a.o - 1) * every + a.d * (a.k - 1) + 1;  // rows of a padded x that outputs meet
  DgradAxis r;
  r.begin = std::max<int64_t>(0, -lo);
  r.pre = std::max<int64_t>(0, lo);
  r.end = std::min(a.i, r.begin + reach + every - 1 - r.pre);
  r.post = std::max<int64_t>(0, reach - r.pre - (r.end - r.begin));
  const int64_t hidden = reach + every - 1 - (r.end - r.begin + r.pre + r.post);
  if (r.post < r.pre && r.pre - r.post <= hidden) r.post = r.pre;
  if (r.end <= r.begin) r.begin = r.end = 0;
  return r;
}

}  // namespace ctconv::cuda
