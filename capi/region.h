// SPDX-License-Identifier: Apache-2.0
// The box of a call, and x cut to the window it reads: what ctconv_call and ctconv_grads share.
//
//   in:  the four pointers of a record, x as it was given;   out: the Geometry of the box, x cut to its window
//   whole_x      before the judges: x's shape as they see it; where x is a window, the whole x's
//   take_region  after them: the box's geometry in the place of the whole's
//   refuses: pointers that miss their pair (MISUSE_NULL), a box or a window that does not fit (MISUSE_REGION)
#pragma once

#include "capi/op.h"
#include "src/problem/region.h"

namespace ctconv {

struct RegionGiven {
  const int64_t *begin = nullptr, *end = nullptr, *x_begin = nullptr, *x_shape = nullptr;
  bool sized = false;  // the call has an output_size
};
template <class Record>
RegionGiven region_given(const Record& in) {
  return {in.begin, in.end, in.x_begin, in.x_shape, in.output_size != nullptr};
}

Status whole_x(const Descriptor& desc, const RegionGiven& given, const TensorView& x, TensorView* whole);
// *x_begin: where the window begins in the whole x.
Status take_region(const Descriptor& desc, const RegionGiven& given, Geometry* geometry, TensorView* x,
                   std::array<int64_t, 3>* x_begin);

}  // namespace ctconv
