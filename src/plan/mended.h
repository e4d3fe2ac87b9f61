// SPDX-License-Identifier: Apache-2.0
// Weights that hold an Inf or NaN, at the speed of the kernel that would run without.
//
//   A kernel may multiply a weight by the zeros that pad x. Finite weights leave no trace of it, an Inf or NaN does:
//   at outputs whose taps leave x, and there only in the output channels of such weights. These are computed anew.
//   in:  a problem, a kernel that spoils no more than that (Kernel::spoils), the reference
//   out: a kernel whose packed weights end with the list of the channels to mend
//   run = the kernel's own run, then the reference over the borders of y in these channels
//   Along an axis, outputs begin .. end meet nothing but x:  begin = (k-1)*d - lo - s + 1,  end = s*i - lo;
//   of one row of x:  begin = -lo,  end = (k-1)*d + 1 - lo
//   Refuses to pack: what the kernel refuses for another reason; where more than most_seconds are expected.
#pragma once

#include <memory>

#include "src/plan/engine.h"

namespace ctconv {

// The kernel itself where it may spoil anything, or where the reference does not know such problems.
std::unique_ptr<Kernel> mended(const Problem& problem, const PlanContext& context, const Engine& reference,
                               double most_seconds, std::unique_ptr<Kernel> kernel);

}  // namespace ctconv
