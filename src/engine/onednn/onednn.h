// oneDNN's deconvolution as an engine: f32 and bf16 (f16 where the CPU has it), plain channels-first or channels-last.
//
//   in:  a Problem
//   out: a Kernel that owns the primitives, or why oneDNN is not used (see onednn.cpp)
//   Sums are reordered inside oneDNN: not reproducible bit for bit.
#pragma once

#include "src/plan/engine.h"

namespace ctconv {

extern const Engine kOnednnEngine;

}  // namespace ctconv
