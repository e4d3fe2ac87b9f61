// Two engines of ours that multiply bf16: "dot" by vdpbf16ps, sixteen rows of pairs at a time.
//
//   in:      a forward Problem in bf16
//   out:     a Kernel; its bits are `machine`: sums in an order of their own, for any threads and tiles the same
//   refuses: a CPU without the unit, an empty problem, weights that are not fit (values.h), tables beyond bounds
//   docs/decisions/tiles.md tells layout, order of sums and measurements.
#pragma once

#include "src/plan/engine.h"

namespace ctconv {

extern const Engine kDotEngine;

}  // namespace ctconv
