// SPDX-License-Identifier: Apache-2.0
// A data gradient as what it is where nothing is strided: a forward problem with x and y, ci and co exchanged.
//
//   in:  a Problem that writes x; a kernel of the forward problem
//   out: the forward problem, or nothing where an axis with more than one input has a stride; the kernel, taking the
//        operands by their first names
//   x[i] gathers y[i*s + t*d - lo]. With s = 1 and tap t = k-1-t' that is  y[i - t'*d + lo'],  lo' = (k-1)*d - lo.
//   The chain goes over co, then the taps from the last to the first: the same sums as the reference's, in its order.
//   refuses: nothing
#pragma once

#include <memory>
#include <optional>

#include "src/plan/engine.h"

namespace ctconv {

std::optional<Problem> as_forward(const Problem& problem);

// The same of any data gradient, but for what a Problem cannot say: positions of y lie s rows of x apart, taps are in
// the weight's own order. Its s is 1, its lo the gradient's.
Problem as_convolution(const Problem& problem);

// `problem`: the gradient; `kernel`: of as_forward(problem). True `reversed`: its weight begins at the last tap.
std::unique_ptr<Kernel> exchanged(const Problem& problem, bool reversed, std::unique_ptr<Kernel> kernel);

}  // namespace ctconv
