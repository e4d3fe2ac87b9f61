// SPDX-License-Identifier: Apache-2.0
// One way through oneDNN, with its primitives made: the caller's layout directly, or by way of channels-last copies.
//
//   x --(reorder)--> x' --deconvolution(packed w, bias, activation)--> y' --(reorder)--> y
//   scratch: x', y' where a reorder is needed, then the largest scratchpad;   packed: w in the layout oneDNN chose
#pragma once

#include <memory>

#include "src/plan/engine.h"

namespace ctconv::onednn {

enum class Route {
  kLast,   // the primitive works channels-last; sides that lie otherwise are reordered
  kFirst,  // the primitive works channels-first on the caller's memory
};

// A refusal where oneDNN has no answer or only its reference.
Result<std::unique_ptr<Kernel>> make_kernel(const Problem& p, const PlanContext& context, Route route);

}  // namespace ctconv::onednn
