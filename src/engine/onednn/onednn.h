// SPDX-License-Identifier: Apache-2.0
// oneDNN's deconvolution as an engine: f32 and bf16 (f16 where the CPU has it), plain channels-first or channels-last.
//
//   in:  a Problem
//   out: a Kernel that owns the primitives, or why oneDNN is not used (see onednn.cpp)
//   Sums are reordered inside oneDNN: not reproducible bit for bit.
#pragma once

#include "src/plan/engine.h"

namespace ctconv {

extern const Engine kOnednnEngine;

namespace onednn {

// For the fuzzer alone: the same engine without its domain. Problems outside it may crash.
extern const Engine kAnywhereEngine;

}  // namespace onednn
}  // namespace ctconv
