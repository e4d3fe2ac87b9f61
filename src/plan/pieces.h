// SPDX-License-Identifier: Apache-2.0
// A batch in pieces: a kernel of some images, run again and again, so that its copies do not grow with the batch.
//
//   in:  a problem, an engine and its kernel for the whole batch
//   out: the kernel of pieces, or the one given where it borrows little or gains nothing
//   The last piece overlaps the one before it where the batch does not divide: both write the same values.
//   refuses: nothing
#pragma once

#include <memory>

#include "src/plan/engine.h"

namespace ctconv {

std::unique_ptr<Kernel> in_pieces(const Problem& problem, const Engine& engine, const PlanContext& context,
                                  std::unique_ptr<Kernel> whole);

}  // namespace ctconv
