// SPDX-License-Identifier: Apache-2.0
// A problem as one line, used by tests, benchmarks, describe and the tuning file alike.
//
//   [written=x] f32 | types=x:w:y:sums
//   n1 g1 ci16 co32 i10x32x32 k4x6x2 s1x1x1 d1x1x1 lo0x0x0 o13x37x33 [tail0x0x1] x=first y=last w=g:ci:co:d:h:w
//   [bias] [rescale=scale:zero_point] [relu | leaky_relu:0.1 | clip:0:6 ...]                     (all on one line)
//
//   in:      a Problem or such a line
//   out:     the other; printing and parsing are inverse
//   refuses: unknown words, missing sizes, sizes beyond int64, sizes below their least
//   x= and y= are `first` or `last` for dense tensors, else the five strides n:c:d:h:w.
#pragma once

#include <string>
#include <string_view>

#include "src/problem/problem.h"

namespace ctconv {

std::string to_text(const Problem& problem);
Result<Problem> problem_from_text(std::string_view line);

}  // namespace ctconv
