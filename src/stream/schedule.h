// SPDX-License-Identifier: Apache-2.0
// When the outputs of an endless 1-D input are known, and how many inputs they look back.
//
//   in:  a Descriptor, the sizes of its one axis at some length (they are the same at every length)
//   out: Schedule. Input i and tap t meet output i*s + t*d - lo. So after I inputs the outputs below I*s - lo change no
//        more; but of those only the ones below the output's own extent at length I are sure to be there:
//            delay   = lo + max(0, s + hi - d*(k-1) - 1 - extra)        known(I) = max(0, I*s - delay)
//            history = max(1, floor((delay - lo + d*(k-1)) / s))        inputs before the newest that a step may read
//            warm_up: from so many inputs on every step reads and writes alike
//   refuses: more than one axis, sizes that follow from x's extent or from output_size (UNSUPPORTED_STREAM)
#pragma once

#include "src/problem/judge.h"

namespace ctconv {

struct Schedule {
  int64_t stride = 1, delay = 0, history = 1, warm_up = 1;

  // Outputs that are known after so many inputs.
  int64_t known(int64_t inputs) const;
};

Status judge_streamable(const Descriptor& desc);
Result<Schedule> schedule_of(const AxisSizes& axis);

}  // namespace ctconv
